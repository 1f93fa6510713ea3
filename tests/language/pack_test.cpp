// From files to rules with arguments.
#include "ascribe/pack.hpp"

#include <functional>

#include "grammar/parser.hpp"
#include "interpreter/inside.hpp"
#include "interpreter/language/binding.hpp"
#include "interpreter/pack/standard_pack_files.hpp"
#include "tests/catch.hpp"
#include "tests/folder.hpp"

namespace {

using namespace ascribe;
using Catch::Contains;

Code code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(error.diagnostics().size() == 1);
    return error.diagnostics().front().code;
  }
  FAIL("nothing was refused");
  return {};
}

}  // namespace

TEST_CASE("the standard pack has its rules and composites, with their defaults") {
  auto& standard = Pack::standard();
  CHECK(standard.rule("epsilon").description() == "epsilon(epsilon = 1e-06)");
  CHECK(standard.rule("zplus").description() == "zplus(epsilon = 1e-06)");
  CHECK(standard.rule("gamma").description() == "gamma(gamma = 0.25, epsilon = 1e-06)");
  CHECK(standard.rule("flat", {{"zero_params", std::vector<std::string>{"bias"}}}).description() ==
        "flat(epsilon = 1e-06, zero_params = [\"bias\"])");
  CHECK(standard.rule("norm").description() == "norm(epsilon = 1e-06)");
  CHECK(standard.rule("pass").description() == "pass");
  CHECK(standard.composite("base").description() == "base(stabilizer = 1e-06)");
  CHECK(standard.composite("epsilon_plus").description() == "epsilon_plus(epsilon = 1e-06, stabilizer = 1e-06)");
  CHECK(Inside::bound(standard.composite("epsilon_plus_flat")).entries.size() == 6);
  CHECK(standard.rule("alpha_beta").description() == "alpha_beta(alpha = 2, beta = 1, epsilon = 1e-06)");
  CHECK(standard.rule("zbox", {{"low", -3}, {"high", 4}}).description() == "zbox(low = -3, high = 4, epsilon = 1e-06)");
  CHECK(standard.rule("wsquare").description() == "wsquare(epsilon = 1e-06)");
  CHECK(standard.rule("gradient").description() == "gradient");
  CHECK(standard.rule("relu_deconvnet").description() == "relu_deconvnet");
  CHECK(standard.rule("relu_guided_backprop").description() == "relu_guided_backprop");
  CHECK(standard.rule("relu_beta_smooth").description() == "relu_beta_smooth(beta = 10)");
  CHECK(standard.composite("epsilon_alpha2_beta1").description() ==
        "epsilon_alpha2_beta1(epsilon = 1e-06, stabilizer = 1e-06)");
  CHECK(standard.composite("epsilon_alpha2_beta1_flat").description() ==
        "epsilon_alpha2_beta1_flat(epsilon = 1e-06, stabilizer = 1e-06)");
  CHECK(standard.composite("epsilon_gamma_box", {{"low", -3}, {"high", 3}}).description() ==
        "epsilon_gamma_box(low = -3, high = 3, epsilon = 1e-06, gamma = 0.25, stabilizer = 1e-06)");
  CHECK(standard.composite("excitation_backprop").description() == "excitation_backprop(stabilizer = 1e-06)");
  CHECK(standard.composite("deconvnet").description() == "deconvnet");
  CHECK(standard.composite("guided_backprop").description() == "guided_backprop");
  CHECK(standard.composite("beta_smooth").description() == "beta_smooth(beta = 10)");
}

TEST_CASE("the standard pack hands each argument of a composite to the rules that it is for") {
  auto targets = [](const std::string& call) {
    std::vector<std::string> out;
    auto composite = Pack::standard().call(call);
    for (auto& entry : Inside::bound(composite).entries)
      if (auto* rule = std::get_if<language::BoundRule>(&entry.target)) out.push_back(rule->description);
    return out;
  };
  using Targets = std::vector<std::string>;
  std::string arguments = "(epsilon = 0.5, stabilizer = 0.25, zero_params = [\"bias\"])";
  std::string zeroed = ", zero_params = [\"bias\"])";
  Targets base{"pass", "norm(epsilon = 0.25)"};
  auto with = [&](Targets rules) {
    rules.insert(rules.begin(), base.begin(), base.end());
    rules.push_back("epsilon(epsilon = 0.5" + zeroed);
    return rules;
  };
  auto zplus = "zplus(epsilon = 0.25" + zeroed, flat = "flat(epsilon = 0.25" + zeroed,
       alpha_beta = "alpha_beta(alpha = 2, beta = 1, epsilon = 0.25" + zeroed;
  CHECK(targets("epsilon_plus" + arguments) == with({zplus}));
  CHECK(targets("epsilon_plus_flat" + arguments) == with({flat, zplus}));
  CHECK(targets("epsilon_alpha2_beta1" + arguments) == with({alpha_beta}));
  CHECK(targets("epsilon_alpha2_beta1_flat" + arguments) == with({flat, alpha_beta}));
  CHECK(targets("epsilon_gamma_box(-3, [1, 2], 0.5, 2, 0.25, [\"bias\"])") ==
        with({"zbox(low = -3, high = [1, 2], epsilon = 0.25" + zeroed, "gamma(gamma = 2, epsilon = 0.25" + zeroed}));
  CHECK(targets("excitation_backprop(0.25, [\"bias\"])") == Targets{"norm(epsilon = 0.25)", zplus});
  CHECK(targets("beta_smooth(3)") == Targets{"relu_beta_smooth(beta = 3)"});
}

TEST_CASE("alpha and beta of the standard pack are refused where they do not fit, each in words") {
  auto& standard = Pack::standard();
  standard.rule("alpha_beta", {{"alpha", 1.1}, {"beta", 0.1}});
  CHECK_THROWS_WITH(standard.rule("alpha_beta", {{"alpha", 0.5}, {"beta", -0.5}}),
                    Contains("beta has to be at least 0"));
  CHECK_THROWS_WITH(standard.rule("alpha_beta", {{"alpha", -1}, {"beta", 1}}), Contains("alpha has to be at least 0"));
  CHECK_THROWS_WITH(standard.call("alpha_beta(2, 2)"), Contains("alpha - beta has to be 1"));
  CHECK(code_of([&] { standard.call("alpha_beta(2, 2)"); }) == Code::requirement_violated);
}

TEST_CASE("the standard pack gives no warnings, and all that it defines is documented") {
  std::string all;
  for (auto& file : standard_pack_files()) {
    all += file.text;
    std::vector<Diagnostic> diagnostics;
    auto source = std::make_shared<Source>(std::string(file.name), std::string(file.text));
    for (auto& item : parse_file(source, diagnostics).items) {
      INFO(file.name);
      CHECK(item.documentation.empty() == std::holds_alternative<syntax::Test>(item.node));
    }
  }
  CHECK(Pack::parse(all).warnings().empty());
}

TEST_CASE("a file's own names win over the standard ones, which std still reaches") {
  auto pack = Pack::parse("rule epsilon { map = R }\ncomposite a { any => epsilon; linear => std.epsilon }");
  auto composite = pack.composite("a");
  auto& entries = Inside::bound(composite).entries;
  CHECK(std::get<language::BoundRule>(entries[0].target).rule->parameters.empty());
  CHECK(std::get<language::BoundRule>(entries[1].target).rule->parameters.size() == 2);
  CHECK(pack.rule("std.epsilon").description() == "epsilon(epsilon = 1e-06)");
  CHECK(pack.rule("epsilon").description() == "epsilon");
}

TEST_CASE("nested composites become one list of entries, in order") {
  auto pack = Pack::parse(
      "composite outer { \"head.*\" => inner(2); linear => pass }\ncomposite inner(k) { first linear => epsilon(k); "
      "any => epsilon(k + 1) }");
  auto outer = pack.composite("outer");
  auto& entries = Inside::bound(outer).entries;
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].conditions.size() == 2);
  CHECK(std::get<language::BoundRule>(entries[0].target).description == "epsilon(epsilon = 2)");
  CHECK(std::get<language::BoundRule>(entries[1].target).description == "epsilon(epsilon = 3)");
  CHECK(entries[2].conditions.size() == 1);
}

TEST_CASE("calls are read as they are written") {
  auto& standard = Pack::standard();
  CHECK(standard.call("epsilon_plus(epsilon = 0.1 + 0.2 * 2)").description() ==
        "epsilon_plus(epsilon = 0.5, stabilizer = 1e-06)");
  CHECK(Inside::bound(standard.call("zplus")).entries.size() == 1);
  CHECK(code_of([&] { standard.call("epsilon_plu"); }) == Code::unknown_rule);
  CHECK(code_of([&] { standard.call("merge"); }) == Code::engine_target);
  CHECK(code_of([&] { standard.call("zplus(2"); }) == Code::syntax);
  CHECK(code_of([&] { standard.call(""); }) == Code::syntax);
  CHECK_THROWS_WITH(standard.call("epsilon(epsilom = 1)", "--rules"),
                    Contains("--rules:1:9") && Contains("did you mean `epsilon`?"));
}

TEST_CASE("arguments from a host are checked like those from a file") {
  auto pack = Pack::parse(
      "rule box(low: input, high: input = 1) { map = R; reduce = (high - low) * v }\n"
      "rule sized(a = 1) { require a > 0, \"a has to be positive\"; map = a * R }");
  CHECK(pack.rule("box", {{"low", Numbers{{3}, {1, 2, 3}}}}).description() == "box(low = [1, 2, 3], high = 1)");
  CHECK(code_of([&] { pack.rule("box"); }) == Code::missing_argument);
  CHECK(code_of([&] { pack.rule("box", {{"lo", 1}}); }) == Code::unknown_argument);
  CHECK(code_of([&] { pack.rule("sized", {{"a", Numbers{{1}, {1}}}}); }) == Code::wrong_type);
  CHECK(code_of([&] { pack.rule("sized", {{"a", std::vector<std::string>{"bias"}}}); }) == Code::wrong_type);
  CHECK(code_of([&] { pack.rule("box", {{"low", Numbers{{2, 2}, {1}}}}); }) == Code::wrong_type);
  auto immense = std::int64_t{1} << 40;
  CHECK(code_of([&] { pack.rule("box", {{"low", Numbers{{immense, immense}, {}}}}); }) == Code::wrong_type);
  CHECK(code_of([&] { pack.rule("sized", {{"a", 1}, {"a", 2}}); }) == Code::repeated_argument);
  CHECK(code_of([&] { pack.rule("sized", {{"a", -1}}); }) == Code::requirement_violated);
  CHECK_THROWS_WITH(pack.rule("sized", {{"a", -1}}), Contains("`sized(a = -1)` is refused: a has to be positive"));
  CHECK(code_of([&] { pack.rule("epsilon_plus"); }) == Code::unknown_rule);
  CHECK(code_of([&] { pack.rule("zplsu"); }) == Code::unknown_rule);
  CHECK_THROWS_WITH(pack.rule("zplsu"), Contains("did you mean `zplus`?"));
}

TEST_CASE("a host gives a stabilizer function as a call, checked like one in a file") {
  auto pack = Pack::parse(
      "fn soft(z, part = 0.5) = stabilize(z, part)\nfn _own(z) = z\n"
      "rule mine(by: stabilizer = 1e-6, a = 1) { map = a * R / stabilize(y, by) }\n"
      "composite all(by: stabilizer, low: input = 0) { first any => zbox(low, 1, by); any => mine(by) }",
      "mine.rule");
  auto by = [](const char* call) { return Arguments{{"by", Stabilizer(call)}}; };
  CHECK(pack.rule("mine", by("soft")).description() == "mine(by = soft(0.5), a = 1)");
  CHECK(pack.rule("mine", by("soft(1 / 4)")).description() == "mine(by = soft(0.25), a = 1)");
  CHECK(pack.rule("mine", by("soft(part = 2)")).description() == "mine(by = soft(2), a = 1)");
  CHECK(pack.composite("all", by("std.relative(0.1)")).description() == "all(by = relative(0.1), low = 0)");
  CHECK(pack.rule("mine", {{"by", Stabilizer("relative(0.1)")}}).description() == "mine(by = relative(0.1), a = 1)");
  // The same values as in a call.
  CHECK(pack.rule("mine", by("soft(2)")).description() == pack.call("mine(soft(2))").description());
  CHECK(Inside::bound(pack.rule("mine", by("soft(2)"))).arguments.size() == 2);

  auto refused = [&](const char* call) { return code_of([&] { pack.rule("mine", by(call)); }); };
  CHECK(refused("sofd(1)") == Code::unknown_function);
  CHECK(refused("acme.soft") == Code::unknown_function);
  CHECK(refused("soft(1, 2)") == Code::wrong_argument_count);
  CHECK(refused("soft(part = 1, part = 2)") == Code::repeated_argument);
  CHECK(refused("soft(prt = 1)") == Code::unknown_argument);
  CHECK(refused("soft([1, 2])") == Code::wrong_type);
  CHECK(refused("soft(") == Code::syntax);
  CHECK(refused("") == Code::syntax);
  CHECK_THROWS_WITH(pack.rule("mine", by("sofd(1)")), Contains("by:1:1") && Contains("did you mean `soft`?"));
  CHECK(code_of([&] { pack.rule("mine", {{"a", Stabilizer("soft")}}); }) == Code::wrong_type);
  CHECK_THROWS_WITH(pack.rule("mine", {{"a", Stabilizer("soft")}}),
                    Contains("`a` of `mine` takes a scalar, not a stabilizer"));
  CHECK(code_of([&] { pack.rule("mine", {{"bye", Stabilizer("soft")}}); }) == Code::unknown_argument);
  CHECK_THROWS_WITH(pack.rule("mine", {{"by", -1e-6}}), Contains("`by` of `mine`: a stabilizer is at least 0"));
}

TEST_CASE("files that cannot be read are refused with one line") {
  test::Folder folder;
  CHECK(code_of([&] { Pack::load(folder / "missing.rule"); }) == Code::unreadable_file);
  CHECK(code_of([&] { Pack::load(folder.path); }) == Code::unreadable_file);
  folder.file("large.rule", std::string(2 << 20, '#'));
  CHECK(code_of([&] { Pack::load(folder / "large.rule"); }) == Code::too_large);
  CHECK(code_of([&] { Pack::load("/dev/zero"); }) == Code::unreadable_file);
  folder.file("a.rule", "composite a { any => b }");
  folder.file("b.rule", "rule b { map = R }");
  CHECK(Inside::bound(Pack::load({folder / "a.rule", folder / "b.rule"}).composite("a")).entries.size() == 1);
  CHECK(code_of([&] { Pack::load(folder / "a.rule"); }) == Code::unknown_rule);
}
