// Exported programs that cannot be run, and files that are damaged, hostile or no models.
#include "tests/attach/exported_records.hpp"

#include <random>

#include "interpreter/model/symbols.hpp"

namespace test {
using namespace ascribe;
namespace {

using nlohmann::json;

// What becomes of a file: its message, or that of running it.
std::string outcome(const std::filesystem::path& path, const at::Tensor& x) {
  return failure([&] { attribute(Model::load(path), epsilon_plus(), x); });
}

TEST_CASE("what exported programs cannot do here is refused when they are loaded, by name") {
  auto fails = [](const std::string& name) {
    auto text = failure([&] { Model::load(exported(name)); });
    auto folder = exported_models().string() + "/";
    for (auto found = text.find(folder); found != text.npos; found = text.find(folder))
      text.erase(found, folder.size());
    return text;
  };
  CHECK(fails("loop.pt2") ==
        "A0701 'loop.pt2' calls the operator 'torch.ops.higher_order.while_loop', which is not supported");
  CHECK(fails("stranger.pt2") ==
        "A0701 'stranger.pt2' calls the operator 'torch.ops.strangers.twice.default', which is none of PyTorch's own");
  CHECK(fails("autocast.pt2") == "A0701 'autocast.pt2' runs a part of the model under autocast");
  CHECK(fails("two.pt2") == "A0701 'two.pt2' holds 2 programs");
  CHECK(fails("dictionary.pt").starts_with("A0701 'dictionary.pt' holds no model: torch.save wrote it"));
}

TEST_CASE("the content of a file says what it is, whatever its name") {
  Folder folder;
  std::filesystem::copy(exported("network.pt2"), folder / "model.pt");
  std::filesystem::copy(exported("network.pt"), folder / "model.pt2");
  for (std::string name : {"model.pt", "model.pt2"}) CHECK(failure([&] { Model::load(folder / name); }) == "no error");
}

TEST_CASE("a change to a program is found where it makes no sense, and never trusted") {
  Folder folder;
  auto x = at::ones({2, 2, 6, 6});
  auto changed = [&](const std::function<void(json&)>& change) {
    Records file(exported("network_float.pt2"));
    auto program = file.program();
    change(program);
    file.program(program);
    auto text = outcome(file.write(folder), x);
    auto name = (folder / "changed.pt2").string();
    for (auto found = text.find(name); found != text.npos; found = text.find(name))
      text.replace(found, name.size(), "it");
    return text;
  };
  auto graph = [](json& program) -> json& { return program["graph_module"]["graph"]; };
  auto node = [&](json& program, std::size_t i) -> json& { return graph(program)["nodes"][i]; };
  CHECK(changed([](json&) {}) == "no error");
  CHECK(changed([](json& p) {
          p["schema_version"]["major"] = 9;
        }).starts_with("A0701 'it' is in version 9.20 of the export format"));
  CHECK(changed([](json& p) { p.erase("graph_module"); }) ==
        "A0701 'it' is damaged, or was changed by hand: its description lacks 'graph_module'");
  for (std::string target :
       {"torch.ops.aten.from_file.default", "torch.ops.aten.set_.source_Tensor", "torch.ops.aten.resize_.default",
        "torch.ops.aten._cudnn_rnn.default", "torch.ops.aten.conv2d", "torch.ops.prims.add.default", "os.system",
        "torch.ops.aten.convolution_backward.default", "torch.ops.aten.no_such_operator.default", "", "torch.ops...",
        "torch.ops.aten.conv2d.no_such_overload", "torch.ops.aten.add.out", "torch.ops.higher_order.scan"}) {
    INFO(target);
    CHECK(changed([&](json& p) { node(p, 0)["target"] = target; }).starts_with("A0701 'it' calls the operator "));
  }
  CHECK(changed([&](json& p) { node(p, 0)["inputs"][0]["arg"]["as_tensor"]["name"] = "nobody"; }) ==
        "A0701 'it' is damaged, or was changed by hand: it uses 'nobody' before it is there");
  CHECK(changed([&](json& p) {
          node(p, 0)["inputs"][0]["arg"] = {{"as_ints", {1, 2}}};
        }).starts_with("A0701 'it' is damaged"));
  CHECK(changed([&](json& p) {
          node(p, 0)["inputs"][0]["arg"] = {{"as_string", "text"}};
        }).starts_with("A0701 'it' is damaged"));
  CHECK(changed([&](json& p) {
          node(p, 0)["inputs"][0]["arg"] = {{"as_none", true}};
        }).starts_with("A0701 'it' is damaged"));
  CHECK(changed([&](json& p) { node(p, 0)["inputs"].erase(0); }).starts_with("A0701 'it' is damaged"));
  CHECK(changed([&](json& p) {
          node(p, 0)["inputs"].push_back(node(p, 0)["inputs"][0]);
        }).starts_with("A0701 'it' is damaged"));
  CHECK(changed([&](json& p) { node(p, 1)["outputs"] = node(p, 0)["outputs"]; }).starts_with("A0701 'it' is damaged"));
  CHECK(changed([&](json& p) { node(p, 0)["outputs"] = {{{"as_tensors", {{{"name", "a"}}}}}}; }) != "no error");
  CHECK(changed([&](json& p) { graph(p)["nodes"] = json::object(); }).starts_with("A0701 'it' is damaged"));
  CHECK(changed([&](json& p) { graph(p)["tensor_values"]["x"]["dtype"] = 99; }) ==
        "A0701 'it' is damaged, or was changed by hand: there is no element type 99");
  CHECK(changed([&](json& p) {
          p["graph_module"]["signature"]["input_specs"][0]["parameter"]["parameter_name"] = "../x";
        }) == "A0701 'it' is damaged, or was changed by hand: '../x' is missing from its weights");
  CHECK(changed([&](json& p) {
          p["graph_module"]["signature"]["input_specs"][0] = {{"custom_obj", {{"custom_obj_name", "a"}}}};
        }) == "A0701 'it' needs a Python object, which only Python has");
}

TEST_CASE("weights that reach beyond their numbers are refused before any memory is taken for them") {
  Folder folder;
  auto x = at::ones({2, 2, 6, 6});
  auto changed = [&](const std::function<void(json&)>& change) {
    Records file(exported("network_float.pt2"));
    auto& text = file.records.at("data/weights/model_weights_config.json");
    auto config = json::parse(text);
    change(config["config"]["stem.0.weight"]);
    text = config.dump();
    return outcome(file.write(folder), x);
  };
  CHECK(changed([](json&) {}) == "no error");
  auto meta = [](json& weight, const char* key) -> json& { return weight["tensor_meta"][key]; };
  constexpr std::int64_t large = std::int64_t{1} << 62;
  for (auto size : {std::int64_t{5}, std::int64_t{-1}, std::int64_t{1} << 40, large}) {
    CHECK(changed([&](json& w) { meta(w, "sizes")[0]["as_int"] = size; }).find("larger than its numbers") !=
          std::string::npos);
    CHECK(changed([&](json& w) {
            meta(w, "strides")[0]["as_int"] = size == 5 ? 19 : size;
          }).find("larger than its numbers") != std::string::npos);
    CHECK(changed([&](json& w) { meta(w, "storage_offset")["as_int"] = size; }).find("larger than its numbers") !=
          std::string::npos);
  }
  CHECK(changed([&](json& w) { meta(w, "dtype") = 8; }).find("larger than its numbers") != std::string::npos);
  CHECK(changed([&](json& w) { meta(w, "sizes")[0]["as_int"] = 1.5; }).starts_with("A0701 "));
  CHECK(changed([&](json& w) { meta(w, "sizes")[0] = {{"as_expr", {{"expr_str", "s0"}}}}; }).starts_with("A0701 "));
  CHECK(changed([&](json& w) { meta(w, "layout") = 1; }).find("sparse") != std::string::npos);
  CHECK(changed([&](json& w) { w["path_name"] = "../../models/model.json"; }).find("is missing") != std::string::npos);
  CHECK(changed([&](json& w) { w["path_name"] = "weight_99"; }).find("is missing") != std::string::npos);
  CHECK(changed([&](json& w) { w["use_pickle"] = true; }).find("as a Python object") != std::string::npos);
}

TEST_CASE("a description that is too deep or no JSON is refused") {
  Folder folder;
  for (auto& text : {std::string(100000, '['), std::string("{\"graph_module\": "), std::string("\xff\xfe"),
                     std::string(), "{\"schema_version\": " + std::string(5000, '[') + std::string(5000, ']') + "}"}) {
    Records file(exported("network_float.pt2"));
    file.records["models/model.json"] = text;
    CHECK(outcome(file.write(folder), at::ones({1})).starts_with("A0701 "));
  }
}

TEST_CASE("an exported program that is cut short anywhere is an error of ours") {
  Folder folder;
  auto whole = bytes_of(exported("network_float.pt2"));
  std::size_t step = std::max<std::size_t>(whole.size() / 150, 1);
  for (std::size_t size = 0; size < whole.size(); size += step) {
    INFO(size << " of " << whole.size());
    CHECK(outcome(folder.file("cut.pt2", whole.substr(0, size)), at::ones({2, 2, 6, 6})).starts_with("A0701 "));
  }
}

TEST_CASE("an exported program with damaged bytes is an error of ours or a model") {
  Folder folder;
  auto whole = bytes_of(exported("network_float.pt2"));
  std::mt19937 random_number(1);
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    auto damaged = whole;
    auto place = random_number() % whole.size();
    damaged[place] = static_cast<char>(damaged[place] ^ static_cast<char>(1 + random_number() % 255));
    INFO("byte " << place);
    auto text = outcome(folder.file("damaged.pt2", damaged), at::ones({2, 2, 6, 6}));
    CHECK(text.find("no Error of ours") == text.npos);
    CHECK(text.find("no exception") == text.npos);
    refused += text != "no error";
  }
  CHECK(refused > 100);  // checksums find what nothing else would
}

// Parts of the description, replaced by something else, one at a time.
TEST_CASE("an exported program with a changed description is an error of ours or a model") {
  Folder folder;
  const std::vector<json> others{nullptr,
                                 -1,
                                 0,
                                 3,
                                 1e300,
                                 std::int64_t{1} << 62,
                                 "x",
                                 "",
                                 true,
                                 json::array(),
                                 json::object(),
                                 {{"as_int", 7}},
                                 {{"as_int", -9}},
                                 {{"as_tensor", {{"name", "x"}}}},
                                 {{"as_tensors", json::array({{{"name", "x"}}})}},
                                 {{"as_floats", {0.5}}},
                                 {{"as_sym_int", {{"as_name", "x"}}}}};
  std::mt19937 random_number(2);
  for (std::string name : {"network_float", "parts", "arithmetic", "weights"}) {
    auto inputs = exported_model(name).inputs;
    Records file(exported(name + ".pt2"));
    auto program = file.program();
    for (auto& node : program["graph_module"]["graph"]["nodes"]) node["metadata"].erase("stack_trace");
    program["graph_module"].erase("module_call_graph");
    auto flat = program.flatten();
    std::vector<std::string> places;
    for (auto& [place, value] : flat.items()) places.push_back(place);
    for (int i = 0; i < 200; ++i) {
      json::json_pointer pointer(places[random_number() % places.size()]);
      for (auto up = random_number() % 4; up > 0 && !pointer.empty(); --up) pointer = pointer.parent_pointer();
      auto changed = program;
      changed[pointer] = others[random_number() % others.size()];
      INFO(name << pointer.to_string() << " = " << changed[pointer].dump().substr(0, 100));
      file.program(changed);
      auto text = failure([&] {
        auto model = Model::load(file.write(folder));
        model.run(inputs);
        attribute(model, epsilon_plus(), inputs, Target::largest().of_output(0));
      });
      CHECK(text.find("no Error of ours") == text.npos);
      CHECK(text.find("no exception") == text.npos);
    }
  }
}

TEST_CASE("records that share bytes, or stand there twice, are refused") {
  Folder folder;
  Records file(exported("network_float.pt2"));
  auto path = file.write(folder);
  auto bytes = bytes_of(path);
  // The directory's last entry gets the place of the one before.
  auto last = bytes.rfind("PK\1\2"), before = bytes.rfind("PK\1\2", last - 1);
  REQUIRE(before != bytes.npos);
  auto overlapping = bytes;
  overlapping.replace(last + 42, 4, bytes.substr(before + 42, 4));
  CHECK(outcome(folder.file("overlapping.pt2", overlapping), at::ones({1})).find("overlap") != std::string::npos);
  // A record of the same name as another.
  auto twice = bytes;
  auto at = bytes.rfind("model_constants_config.json");
  twice.replace(bytes.rfind("data/", at), 45, "data/weights/model_weights_config.json_______");
  CHECK(outcome(folder.file("twice.pt2", twice), at::ones({1})).starts_with("A0701 "));
}

TEST_CASE("arithmetic on sizes is Python's, and never wraps around") {
  auto run = [](const char* name, std::vector<c10::IValue> arguments) {
    return model::find_number_operator(name)->run(arguments);
  };
  CHECK(run("_operator.floordiv", {-7, 2}).toInt() == -4);
  CHECK(run("_operator.mod", {-7, 2}).toInt() == 1);
  CHECK(run("_operator.mod", {7, -2}).toInt() == -1);
  CHECK(run("_operator.truediv", {7, 2}).toDouble() == 3.5);
  CHECK(run("_operator.pow", {3, 4}).toInt() == 81);
  CHECK(run("_operator.pow", {2, -1}).toDouble() == 0.5);
  CHECK(run("_operator.mul", {6, 7}).toInt() == 42);
  CHECK(run("_operator.sub", {6, 7}).toInt() == -1);
  CHECK(run("torch.sym_max", {6, 7}).toInt() == 7);
  CHECK(run("torch.sym_ite", {true, 6, 7}).toInt() == 6);
  CHECK(run("_operator.lt", {6, 7.5}).toBool());
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS(run("_operator.add", {most, 1}));
  CHECK_THROWS(run("_operator.mul", {most, 2}));
  CHECK_THROWS(run("_operator.pow", {10, 30}));
  CHECK_THROWS(run("_operator.floordiv", {1, 0}));
  CHECK_THROWS(run("_operator.lshift", {1, 64}));
  CHECK_THROWS(run("torch.sym_int", {1e30}));

  auto two =
      model::SizeExpression::parse("Add(Mul(Integer(2), Symbol('s0', positive=True, integer=True)), Integer(1))");
  REQUIRE(two);
  CHECK(two->shown() == "2*s0 + 1");
  CHECK(two->solve({}, 7) == std::pair<std::string, std::int64_t>("s0", 3));
  CHECK(!two->solve({}, 8));
  CHECK(two->value({{"s0", 5}}) == 11);
  CHECK(!two->value({{"s0", std::int64_t{1} << 62}}));
  CHECK(!model::SizeExpression::parse("Pow(Symbol('s0'), Integer(2))"));
  CHECK(!model::SizeExpression::parse("Add(Integer(1), "));
}

}  // namespace
}  // namespace test
