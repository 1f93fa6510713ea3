#include "interpreter/language/checker.hpp"

#include <algorithm>
#include <deque>

#include "grammar/filled_text.hpp"
#include "interpreter/language/call_checker.hpp"
#include "interpreter/language/constant.hpp"
#include "interpreter/language/import_checker.hpp"
#include "interpreter/language/name_resolver.hpp"
#include "interpreter/language/scope.hpp"
#include "interpreter/language/spaces.hpp"
#include "interpreter/language/test_checker.hpp"

namespace ascribe::language {
namespace {

bool has_errors_in(const SourcePointer& source, const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [&](auto& d) { return d.severity == Severity::error && d.primary.source == source; });
}

// The tests of files that share one scope: checked when all definitions are.
class Tests {
 public:
  void add(const syntax::Test& written, const syntax::Item& item, FileScope& file) {
    tests_.push_back({&written, &item, &file});
    Label here{file.source(), written.name.span, "first here"};
    auto [found, fresh] = names_.try_emplace(written.name.value, here);
    if (fresh) return;
    auto& diagnostic =
        file.reporter().report(Code::duplicate_name, here.span,
                               filled("the test \"{}\" is there twice", written.name.value), "rename one of them");
    diagnostic.others.push_back(found->second);
  }

  std::vector<std::shared_ptr<const Test>> check() const {
    std::vector<std::shared_ptr<const Test>> out;
    for (auto& [written, item, file] : tests_)
      if (auto test = TestChecker(*file).check(*written, {file->source(), item->span})) out.push_back(test);
    return out;
  }

 private:
  struct Pending {
    const syntax::Test* written;
    const syntax::Item* item;
    FileScope* file;
  };
  std::vector<Pending> tests_;
  std::map<std::string, Label> names_;
};

// Where each sort of item goes.
struct Dispatch {
  const syntax::Item& item;
  Scope& scope;
  FileScope& file;
  ImportChecker& imports;
  Tests& tests;

  void operator()(const syntax::Rule&) const { scope.declare(item, file); }
  void operator()(const syntax::Composite&) const { scope.declare(item, file); }
  void operator()(const syntax::Function&) const { scope.declare(item, file); }
  void operator()(const syntax::Import& written) const { imports.add(written); }
  void operator()(const syntax::Pack&) const {}  // read before, with the folder that it is about
  void operator()(const syntax::Test& written) const { tests.add(written, item, file); }
};

}  // namespace

Definitions check(const std::vector<const syntax::File*>& files, const Surroundings& surroundings,
                  std::vector<Diagnostic>& diagnostics) {
  Scope scope(surroundings, diagnostics);
  std::deque<FileScope> views;  // what is declared points at them
  Tests tests;
  Definitions out;
  until_stopped(diagnostics, [&] {
    for (auto* file : files) {
      auto& view = views.emplace_back(scope, file->source);
      ImportChecker imports(surroundings.imports, view);
      scope.add_broken(file->broken);
      for (auto& item : file->items) std::visit(Dispatch{item, scope, view, imports, tests}, item.node);
      // What a file that was not read to its end does not use, it may use in the rest.
      if (file->whole) imports.report_unused(*file);
    }
    out = scope.check_all();
    out.tests = tests.check();
  });
  out.complete = out.complete && std::none_of(files.begin(), files.end(),
                                              [&](auto* file) { return has_errors_in(file->source, diagnostics); });
  put_in_order(diagnostics);
  return out;
}

std::optional<Target> check_call(const syntax::Call& call, const SourcePointer& source,
                                 const Surroundings& surroundings, std::vector<Diagnostic>& diagnostics) {
  Scope scope(surroundings, diagnostics);
  FileScope view(scope, source);
  LocalNames nothing;
  std::optional<Target> target;
  until_stopped(diagnostics,
                [&] { target = check_target_call(call, view, nothing, Clause::argument, view.reporter()); });
  if (target && std::holds_alternative<Engine>(target->definition)) {
    view.reporter().report(Code::engine_target, call.span, "`merge`, `refuse` and `stop` stand in composites only",
                           "name a rule or a composite");
    return {};
  }
  return target;
}

std::optional<Value> check_stabilizer(syntax::Call call, const SourcePointer& source, const Definition& callee,
                                      const std::string& parameter, const Surroundings& surroundings,
                                      std::vector<Diagnostic>& diagnostics) {
  auto& parameters = std::visit(
      [](auto& each) -> auto& { return each->parameters; }, callee);
  auto wanted = std::find_if(parameters.begin(), parameters.end(), [&](auto& each) { return each.name == parameter; });
  if (wanted == parameters.end() || wanted->type != stabilizer) return Stabilizer{};
  Scope scope(surroundings, diagnostics);
  FileScope view(scope, source);
  auto reporter = view.reporter();
  std::optional<Value> out;
  until_stopped(diagnostics, [&] {
    LocalNames nothing;
    auto span = call.span;
    auto value =
        NameResolver(reporter, nothing, view).resolve_argument({span, std::move(call)}, *wanted, Clause::argument);
    if (!value) return;
    auto type = SpaceChecker(reporter, std::vector<Type>{}, Moment::before_layer).infer(*value);
    if (type.form == Form::unknown) return;
    if (!accepts(wanted->type, type)) {
      reporter.report(Code::wrong_type, span,
                      filled("`{}` takes {}, not {}", parameter, describe(wanted->type), describe(type)));
      return;
    }
    // The others are left at their defaults: which they are does not matter for what the function has to do.
    Target target{{}, {}, span};
    std::visit([&](auto& each) { target.definition = each; }, callee);
    for (auto& each : parameters) target.arguments.push_back(&each == &*wanted ? value : each.default_expression);
    if (view.stabilizer_uses().check(target, {}, reporter)) out = evaluate_argument(*value, {}, wanted->type);
  });
  return out;
}

}  // namespace ascribe::language
