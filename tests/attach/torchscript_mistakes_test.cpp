// TorchScript models that fail, and files that are none.
#include "tests/attach/scripts.hpp"

#include <caffe2/serialize/inline_container.h>
#include <sys/stat.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include "interpreter/attach/attachment.hpp"
#include "interpreter/libtorch/module_scope.hpp"

namespace test {
using namespace ascribe;
namespace {

TEST_CASE("an error that a rule makes at a layer of a saved model is that error") {
  at::manual_seed(10);
  auto part = weights({3, 2, 2, 2});
  auto model = loaded(sequence({conv_script(part.weight, part.bias), relu_script()}));
  auto x = random({2, 2, 4, 4});
  auto fails = [&](const Composite& rules, const at::Tensor& in) {
    return failure([&] { attribute(model, rules, in, Target::from(random({2, 3, 3, 3}))); });
  };
  CHECK(fails(entries("relu => refuse"), x) == "A0602 layer '1' (relu) is refused by the rules");
  CHECK(fails(entries("convolution => pass"), x) ==
        "A0601 layer '0' (conv2d), rule `pass`: `backward` mixes input and output, but the layer does not keep its "
        "shape");
  CHECK(fails(epsilon_plus(), x[0]) == "A0604 layer '0' (conv2d): its input has 3 dimensions, without a batch");
  auto training = loaded(
      script("def forward(self, x):\n  return torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-05, False)\n"));
  CHECK(failure([&] { attribute(training, epsilon_plus(), x); }).starts_with("A0605"));
  try {
    attribute(model, entries("relu => refuse"), x);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(std::string(error.what()) ==
          "error[A0602]: layer '1' (relu) is refused by the rules\n"
          " --> test.rule:2:1\n"
          "2 | relu => refuse\n"
          "  | ^^^^^^^^^^^^^^ by this entry\n"
          "  = help: give it a rule of its own in an entry above");
  }
}

TEST_CASE("what fails in a model is told in one line, and leaves the thread clean") {
  at::manual_seed(10);
  auto part = weights({3, 4});
  auto model = loaded(script("def forward(self, x):\n  return self.part.forward(x)\n", {},
                             {{"part", linear_script(part.weight, part.bias)}}));
  CHECK(failure([&] {
          model.forward(random({2, 5}));
        }) ==
        "A0609 the model cannot run on an input of shape [2, 5]: mat1 and mat2 shapes cannot be multiplied (2x5 and "
        "4x3)");
  CHECK(failure([&] {
          attribute(model, epsilon_plus(), random({2, 5}));
        }) == "A0609 layer 'part' (linear) cannot run: mat1 and mat2 shapes cannot be multiplied (2x5 and 4x3)");
  CHECK(libtorch::current_module().empty());
  auto raising =
      loaded(script("def forward(self, x):\n  assert x.size(0) < 2, \"one sample at a time\"\n  return x * 2\n"));
  CHECK(failure([&] {
          raising.forward(random({2, 5}));
        }) == "A0609 the model cannot run on an input of shape [2, 5]: one sample at a time");
  auto x = random({2, 4});
  CHECK(difference(attributed(model, epsilon_plus(), x).relevance,
                   layer_by_layer({{rule("epsilon"), linear_of, part.both()}}, x).relevance) <= exact);
}

TEST_CASE("models that do not map tensors to tensors are told apart") {
  auto fails = [](const std::string& source) {
    return failure([&] { loaded(script(source)).forward(at::ones({2, 3})); });
  };
  CHECK(fails("def forward(self, x, y):\n  return x + y\n") == "A0703 the model takes 2 inputs, not 1");
  CHECK(fails("def forward(self):\n  return torch.ones([2])\n") == "A0703 the model takes 0 inputs, not 1");
  CHECK(fails("def forward(self, x: int):\n  return x + 1\n") ==
        "A0701 the model's forward takes 'x' (int), which is not made of tensors");
  CHECK(fails("def forward(self, x: Dict[str, Tensor]):\n  return x[\"a\"]\n") ==
        "A0701 the model's forward takes 'x' (Dict[str, Tensor]), which is not made of tensors");
  CHECK(fails("def forward(self, x):\n  return x, x\n") == "A0701 the model returns 2 tensors; `forward` is for one");
  CHECK(fails("def forward(self, x):\n  return None\n") == "A0701 the model returns 0 tensors; `forward` is for one");
  CHECK(fails("def forward(self, x):\n  return 3\n") == "A0701 the model returns 0 tensors; `forward` is for one");
  CHECK(fails("def other(self, x):\n  return x\n") == "A0701 the model has no `forward`");
  CHECK(failure([] {
          attribute(loaded(script("def forward(self, x):\n  return 3\n")), epsilon_plus(), at::ones({2, 3}));
        }) == "A0701 the model returns no tensor");
}

TEST_CASE("tuples, lists and dictionaries of tensors are several inputs and outputs, in order") {
  auto x = random({2, 3}), y = random({2, 3}), z = random({2, 3});
  auto run = [](const std::string& source, const Tensors& inputs) { return loaded(script(source)).run(inputs); };
  CHECK(same_bits(run("def forward(self, x: List[Tensor]):\n  return x[0] - x[1]\n", {x, y}).at(0), x - y));
  CHECK(same_bits(
      run("def forward(self, a: Tuple[Tensor, Tensor], b: Tensor):\n  return a[0] - a[1] * b\n", {x, y, z}).at(0),
      x - y * z));
  CHECK(same_bits(run("def forward(self, a, b: List[Tensor], c):\n  return a - b[0] * b[1] + c\n", {x, y, z, x}).at(0),
                  x - y * z + x));
  std::string optional =
      "def forward(self, a, n: int = 3, b: Optional[Tensor] = None):\n"
      "  if b is None:\n    return a * n\n  return a * n - b\n";
  CHECK(same_bits(run(optional, {x}).at(0), x * 3));
  CHECK(same_bits(run(optional, {x, y}).at(0), x * 3 - y));
  CHECK(failure([&] { run(optional, {x, y, z}); }) == "A0703 the model takes 1 to 2 inputs, not 3");
  CHECK(failure([&] { run("def forward(self, a, b: List[Tensor]):\n  return a\n", {}); }) ==
        "A0703 the model takes at least 1 input, not 0");
  auto outputs =
      run("def forward(self, x):\n  return {\"a\": (x, [x + 1, x + 2]), \"b\": (x + 3, [x + 4])}, 5, x + 6\n", {x});
  REQUIRE(outputs.size() == 6);
  for (std::size_t i : {0u, 1u, 2u, 3u, 4u}) CHECK(same_bits(outputs[i], x + static_cast<double>(i)));
  CHECK(same_bits(outputs[5], x + 6));

  auto model =
      loaded(script("def forward(self, a, b, mask):\n  return torch.tanh(a) * 2 + b.masked_fill(mask, 0.0), a\n"));
  auto mask = x > 0;
  auto found = attribute(model, entries("any => base"), Tensors{x, y.to(at::kFloat), mask},
                         Target::from(at::ones_like(x)).of_output(0));
  REQUIRE(found.relevances.size() == 3);
  CHECK(found.relevances[0].defined());
  CHECK(found.relevances[1].scalar_type() == at::kFloat);
  CHECK(found.relevances[1].masked_select(mask).abs().sum().item<double>() == 0);
  CHECK(!found.relevances[2].defined());
  CHECK(failure([&] {
          attribute(model, epsilon_plus(), Tensors{x, y, mask});
        }) == "A0704 the model has 2 outputs: which one?");
  CHECK(failure([&] {
          attribute(model, epsilon_plus(), Tensors{mask, mask, mask});
        }).starts_with("A0703 none of the 3 inputs is of a floating type"));
}

TEST_CASE("a file is read and nothing else") {
  Folder folder;
  auto part = random({3, 4});
  linear_script(part, random({3})).save(folder / "model.pt");
  auto before = bytes_of(folder / "model.pt");
  auto time = std::filesystem::last_write_time(folder / "model.pt");
  auto model = Model::load(folder / "model.pt");
  attribute(model, epsilon_plus(), random({2, 4}));
  CHECK(bytes_of(folder / "model.pt") == before);
  CHECK(std::filesystem::last_write_time(folder / "model.pt") == time);
  std::filesystem::remove(folder / "model.pt");
  CHECK(attribute(model, epsilon_plus(), random({2, 4})).relevance.defined());  // and it is no longer needed
}

TEST_CASE("files that are no models are errors, each told by its own message") {
  Folder folder;
  auto fails = [&](const std::string& name) { return failure(folder, [&] { Model::load(folder / name); }); };
  auto write = [&](const std::string& name, const std::string& bytes) {
    folder.file(name, bytes);
    return name;
  };
  CHECK(fails("none.pt") == "A0001 cannot read model 'none.pt': no such file");
  CHECK(fails("none/none.pt") == "A0001 cannot read model 'none/none.pt': no such file");
  std::filesystem::create_directory(folder / "folder.pt");
  CHECK(fails("folder.pt") == "A0001 cannot read model 'folder.pt': it is no file");
  REQUIRE(::mkfifo((folder / "pipe.pt").c_str(), 0600) == 0);
  CHECK(fails("pipe.pt") == "A0001 cannot read model 'pipe.pt': it is no file");
  CHECK(fails(write("empty.pt", "")) == "A0701 'empty.pt' is empty");
  CHECK(fails(write("text.pt", "this is no model\n"))
            .starts_with("A0701 'text.pt' is no model, or is cut short: it is no zip archive"));
  CHECK(fails(write("byte.pt", "P")).starts_with("A0701 'byte.pt' is no model, or is cut short: it is no zip archive"));
  CHECK(fails(write("zeros.pt", std::string(100000, '\0')))
            .starts_with("A0701 'zeros.pt' is no model, or is cut short: it is no zip archive"));
  auto saved = torch::jit::pickle_save(at::ones({2, 3}));
  CHECK(fails(write("tensor.pt", {saved.begin(), saved.end()}))
            .starts_with("A0701 'tensor.pt' holds no model: torch.save wrote it"));
  {
    caffe2::serialize::PyTorchStreamWriter zip(folder / "other.pt");
    zip.writeRecord("letter.txt", "hello", 5);
    zip.writeEndOfFile();
  }
  CHECK(fails("other.pt") == "A0701 'other.pt' holds no model");
  // What `zip` makes of a file `a` that holds "hi".
  using namespace std::string_literals;
  auto zip =
      "PK\3\4\24\0\0\0\0\0\0\0!\0\xac*\x93\xd8\2\0\0\0\2\0\0\0\1\0\0\0ahiPK\1\2\24\3\24\0\0\0\0\0\0\0!\0\xac*\x93\xd8\2\0\0\0\2\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\x80\1\0\0\0\0aPK\5\6\0\0\0\0\1\0\1\0/\0\0\0!\0\0\0\0\0"s;
  CHECK(fails(write("zip.pt", zip)).starts_with("A0701 'zip.pt' "));
  CHECK(fails(write("archive.pt", "PK\5\6"s + std::string(18, '\0'))).starts_with("A0701 'archive.pt' "));
}

TEST_CASE("a truncated or damaged model is an error of ours or a model, and nothing else") {
  Folder folder;
  auto whole = bytes_of(digits() / "model.pt");
  REQUIRE(whole.size() > 1000);
  auto outcome = [&](const std::string& bytes) {
    auto file = folder.file("model.pt", bytes);
    return failure([&] { attribute(Model::load(file), epsilon_plus(), at::ones({1, 1, 8, 8})); });
  };
  REQUIRE(outcome(whole) == "no error");
  for (std::size_t size :
       {std::size_t(1), std::size_t(4), std::size_t(30), std::size_t(100), whole.size() / 4, whole.size() / 2,
        whole.size() * 3 / 4, whole.size() - 100, whole.size() - 22, whole.size() - 1}) {
    INFO(size << " of " << whole.size());
    auto text = outcome(whole.substr(0, size));
    CHECK(text.starts_with("A0701 "));
    CHECK(text.find('\n') == text.npos);
    CHECK(text.find("frame #") == text.npos);
  }
  for (std::size_t i = 0; i < 24; ++i) {
    auto place = whole.size() * i / 24 + i * 7 % 13;
    INFO("byte " << place);
    auto damaged = whole;
    damaged[place] = static_cast<char>(damaged[place] ^ 0x5A);
    auto text = outcome(damaged);
    CHECK(text.find("no Error of ours") == text.npos);
  }
}

}  // namespace
}  // namespace test
