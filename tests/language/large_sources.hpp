// Sources of the shapes that cost most, in any size: for the test that they end well, and the benchmark of how long
// they take.
#pragma once

#include <algorithm>
#include <functional>
#include <string>

#include "ascribe/pack.hpp"
#include "grammar/formatter.hpp"
#include "grammar/json.hpp"

namespace ascribe::large {

// `piece(i)` over and over, between `begin` and `end`, up to `bytes`.
inline std::string filled(const std::string& begin, const std::function<std::string(int)>& piece,
                          const std::string& end, std::size_t bytes) {
  auto out = begin;
  for (int i = 0; out.size() + end.size() + 64 < bytes; ++i) out += piece(i);
  return out + end;
}

inline std::string number(int i) { return std::to_string(i); }

/// A text of about so many bytes, of one shape that is costly for somebody.
struct Shape {
  const char* name;
  std::function<std::string(std::size_t bytes)> text;
};

inline auto same(const char* text) {
  return [text](int) { return std::string(text); };
}

// clang-format off
inline const Shape shapes[] = {
    {"open parentheses", [](std::size_t n) { return filled("rule r { map = ", same("("), "", n); }},
    {"open brackets", [](std::size_t n) { return filled("rule r(a: input = ", same("["), "", n); }},
    {"minus signs", [](std::size_t n) { return filled("rule r { map = ", same("-"), "R }", n); }},
    {"powers", [](std::size_t n) { return filled("rule r { map = ", same("R ^ "), "R }", n); }},
    {"conditionals", [](std::size_t n) { return filled("rule r { map = ", same("if R > 0 then R else "), "R }", n); }},
    {"a chain", [](std::size_t n) { return filled("rule r { map = R", same(" + R"), " }", n); }},
    {"arguments", [](std::size_t n) { return filled("rule r { map = max(R", same(", R"), ") }", n); }},
    {"numbers in a test", [](std::size_t n) { return filled("test \"t\" { model = relu; x = [[1", same(", 1"), "]]; expect x == 1 }", n); }},
    {"rows in a test", [](std::size_t n) { return filled("test \"t\" { model = relu; x = [[1]", same(", [1]"), "]; expect x == 1 }", n); }},
    {"layers in a test", [](std::size_t n) { return filled("test \"t\" { model = [relu", same(", relu"), "]; x = [[1]]; expect x == 1 }", n); }},
    {"expectations", [](std::size_t n) { return filled("test \"t\" { model = relu; x = [[1]]", same("; expect q == 1"), " }", n); }},
    {"lets in a test", [](std::size_t n) { return filled("test \"t\" { model = relu; x = [[1]]", [](int i) { return "; let a" + number(i) + " = q"; }, "; expect x == 1 }", n); }},
    {"tests", [](std::size_t n) { return filled("", [](int i) { return "test \"" + number(i) + "\" { model = relu }\n"; }, "", n); }},
    {"definitions", [](std::size_t n) { return filled("", [](int i) { return "rule r" + number(i) + "{map=R}\n"; }, "", n); }},
    {"definitions with a mistake", [](std::size_t n) { return filled("", [](int i) { return "rule r" + number(i) + "{map=q}\n"; }, "", n); }},
    {"definitions with a mistake on one line", [](std::size_t n) { return filled("", [](int i) { return "rule r" + number(i) + "{map=q}"; }, "", n); }},
    {"syntax errors", [](std::size_t n) { return filled("", same("rule {\n"), "", n); }},
    {"aliases of nothing", [](std::size_t n) { return filled("", [](int i) { return "rule r" + number(i) + "=s" + number(i) + "\n"; }, "", n); }},
    {"aliases of each other", [](std::size_t n) { return filled("", [](int i) { return "rule r" + number(i) + "=r" + number(i + 1) + "\n"; }, "", n); }},
    {"the same name", [](std::size_t n) { return filled("", same("rule r{}\n"), "", n); }},
    {"functions", [](std::size_t n) { return filled("", [](int i) { return "fn f" + number(i) + "(z)=z\n"; }, "", n); }},
    {"functions with a mistake", [](std::size_t n) { return filled("", [](int i) { return "fn f" + number(i) + "(z)=q\n"; }, "", n); }},
    {"functions and calls", [](std::size_t n) { return filled("", [](int i) { return "fn f" + number(i) + "(z)=z rule r" + number(i) + "=epsilon(f" + number(i) + ")\n"; }, "", n); }},
    {"parameters", [](std::size_t n) { return filled("rule r(a", [](int i) { return ",a" + number(i); }, ") { map = R * a }", n); }},
    {"used parameters", [](std::size_t n) { return filled("rule r(b", [](int i) { return ",a" + number(i) + "=1"; }, filled(") { map = R * b", [](int i) { return "+a" + number(i); }, "}", n / 2), n); }},
    {"arguments that are unknown", [](std::size_t n) { return filled("rule r=epsilon(epsilon=1", [](int i) { return ",a" + number(i) + "=1"; }, ")", n); }},
    {"parameters and arguments", [](std::size_t n) { return filled("rule r(b", [](int i) { return ",a" + number(i) + "=1"; }, filled("){map=R} rule s=r(1", [](int i) { return ",a" + number(i) + "=2"; }, ")", n / 2), n); }},
    {"lets", [](std::size_t n) { return filled("rule r{map=R", [](int i) { return ";let a" + number(i) + "=R"; }, "}", n); }},
    {"lets with a mistake", [](std::size_t n) { return filled("rule r{map=R", [](int i) { return ";let a" + number(i) + "=q"; }, "}", n); }},
    {"names that are unknown beside many lets", [](std::size_t n) { return filled("rule r{map=R", [](int i) { return ";let a" + number(i) + "=1"; }, filled("", same(";output=max(qqqq,qqqq)"), "}", n / 2), n); }},
    {"terms", [](std::size_t n) { return filled("rule r{map=R", [](int i) { return ";term t" + number(i) + "{}"; }, "}", n); }},
    {"clauses", [](std::size_t n) { return filled("rule r{", same("map=R;"), "}", n); }},
    {"param clauses", [](std::size_t n) { return filled("rule r{", same("param \"bias\"=0;"), "}", n); }},
    {"names in a param clause", [](std::size_t n) { return filled("rule r{param [\"bias\"", same(",\"bias\""), "]=0}", n); }},
    {"requirements", [](std::size_t n) { return filled("rule r{map=R", same(";require 1>2"), "}", n); }},
    {"entries", [](std::size_t n) { return filled("composite c{", same("any=>pass;"), "}", n); }},
    {"different entries", [](std::size_t n) { return filled("composite c{", [](int i) { return "\"" + number(i) + "\"=>pass;"; }, "}", n); }},
    {"entries that are unknown", [](std::size_t n) { return filled("composite c{", same("anx=>pazz;"), "}", n); }},
    {"layers of an entry", [](std::size_t n) { return filled("composite c{any", same(",any"), "=>pass}", n); }},
    {"imports", [](std::size_t n) { return filled("", [](int i) { return "import \"a\" as a" + number(i) + "\n"; }, "", n); }},
    {"packs", [](std::size_t n) { return filled("", same("pack a{}\n"), "", n); }},
    {"fields of a pack", [](std::size_t n) { return filled("pack a{", same("version=1;"), "}", n); }},
    {"a large function", [](std::size_t n) { return filled(filled("fn f(z)=z", same("+z"), "\n", std::min<std::size_t>(n / 4, 10'000)), [](int i) { return "rule r" + number(i) + "{map=f(R)}\n"; }, "", n); }},
    {"a large rule", [](std::size_t n) { return filled(filled("rule f(e:stabilizer=1){map=R+stabilize(y,e)", same("+R"), "}\n", std::min<std::size_t>(n / 4, 10'000)), [](int i) { return "fn g" + number(i) + "(z)=z rule r" + number(i) + "=f(g" + number(i) + ")\n"; }, "", n); }},
    {"many requirements", [](std::size_t n) { return filled(filled("rule f(e=1){map=R", same(";require e>0"), "}\n", std::min<std::size_t>(n / 4, 10'000)), [](int i) { return "rule r" + number(i) + "=f(2)\n"; }, "", n); }},
    {"a large composite", [](std::size_t n) { return filled(filled("composite c{", [](int i) { return "\"" + number(i) + "\"=>pass;"; }, "}\n", n / 4), [](int i) { return "composite c" + number(i) + "{any=>c}\n"; }, "", n); }},
    {"an entry of many layers for a large composite", [](std::size_t n) { return filled(filled("composite c{", same("any=>pass;"), "}\n", std::min<std::size_t>(n / 4, 90'000)) + "composite d{linear", same(",any"), "=>c}\ncomposite e{any=>d}", n); }},
    {"terms and clauses", [](std::size_t n) { return filled("rule r{map=R", [](int i) { return ";term t" + number(i) + "{}"; }, filled(";param \"bias\"=0", same(";param \"bias\"=0"), "}", n / 2), n); }},
    {"comments", [](std::size_t n) { return filled("", same("#\n"), "rule r{}", n); }},
    {"comments inside", [](std::size_t n) { return filled("rule r{map=R", same("#\n+R"), "}", n); }},
    {"documentation", [](std::size_t n) { return filled("", same("##\n"), "rule r{}", n); }},
    {"semicolons and comments", [](std::size_t n) { return filled("", same("rule r{};#\n"), "", n); }},
    {"blank lines", [](std::size_t n) { return filled("", same("\n"), "rule r{}", n); }},
    {"spaces", [](std::size_t n) { return filled("rule r{map=R", same(" "), "q}", n); }},
    {"a long name", [](std::size_t n) { return filled("rule r{map=", same("q"), "}", n); }},
    {"long names", [](std::size_t n) { return filled("rule r{map=R", same(";let qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq=qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqp"), "}", n); }},
    {"a long string", [](std::size_t n) { return filled("test \"", same("s"), "\" {}", n); }},
    {"a long number", [](std::size_t n) { return filled("rule r{map=R*", same("1"), "}", n); }},
    {"nested brackets that cannot be broken", [](std::size_t n) { return filled("rule r{map=R", same("+max(abs(-sum(R,1)),abs(abs(2)))"), "}", n); }},
};
// clang-format on

/// Does everything with a source that is done with one; what was said of it.
inline std::vector<Diagnostic> process(const std::string& text) {
  std::vector<Diagnostic> messages, from_format;
  try {
    messages = Pack::parse(text).warnings();
  } catch (const Error& error) {
    messages = error.diagnostics();
  }
  render_text(messages);
  render_json(messages);
  format_source(std::make_shared<Source>("text", text), from_format);
  return messages;
}

}  // namespace ascribe::large
