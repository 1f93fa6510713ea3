// Tensors in files: .npy, .png and .pt, and what is none.
#include "tests/catch.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>
#include <png.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <limits>
#include <random>

#include "interpreter/files/atomic_file.hpp"
#include "interpreter/files/npy.hpp"
#include "interpreter/files/png.hpp"
#include "interpreter/files/tensor_file.hpp"
#include "tests/folder.hpp"

namespace ascribe::files {
namespace {
namespace fs = std::filesystem;
using namespace std::string_literals;

using test::bytes_of;
using test::failure;
using test::Folder;

std::string failure_of_reading(const Folder& folder, const char* name, const std::string& bytes) {
  auto path = folder.file(name, bytes);
  return failure(folder, [&] { read_tensor(path); });
}

bool same(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() && at::equal(a, b);
}
at::Tensor numbers(std::initializer_list<double> list, at::ScalarType type) {
  return at::tensor(at::ArrayRef<double>(list)).to(type);
}
at::Tensor counted(at::IntArrayRef shape, at::ScalarType type) {
  return at::arange(c10::multiply_integers(shape)).to(type).reshape(shape);
}

// Every file cut short is refused; one with flipped bits is read or refused, and nothing else happens.
void damage(const char* name, const std::string& whole) {
  Folder folder;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO(length << " bytes of " << name);
    CHECK(failure_of_reading(folder, name, whole.substr(0, length)) != "no error");
  }
  std::minstd_rand random(1);
  for (int round = 0; round < 300; ++round) {
    auto bytes = whole;
    for (auto flips = 1 + random() % 3; flips > 0; --flips)
      bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    failure_of_reading(folder, name, bytes);
  }
}

#define TEXT_OF(...) #__VA_ARGS__
#define EXPANDED_TEXT_OF(...) TEXT_OF(__VA_ARGS__)
static_assert(std::string_view(EXPANDED_TEXT_OF(CHECK(true))).find("Catch::") != std::string_view::npos);

TEST_CASE("CHECK is Catch2's, beside LibTorch: it reports a failure and goes on", "[!shouldfail]") {
  int reached = 0;
  CHECK(++reached == 0);  // LibTorch's would end the program here
  if (reached != 1) std::abort();
}

// ---- .npy

std::string npy(const std::string& dictionary, const std::string& data, char version = 1) {
  auto length = static_cast<std::uint32_t>(dictionary.size());
  auto start = "\x93NUMPY"s + version + '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) start += static_cast<char>(length >> 8 * i & 0xFF);
  return start + dictionary + data;
}

TEST_CASE("an array that is written comes back, whatever its type and shape") {
  Folder folder;
  auto type =
      GENERATE(at::kFloat, at::kDouble, at::kHalf, at::kLong, at::kInt, at::kShort, at::kChar, at::kByte, at::kBool);
  for (auto& shape : std::vector<std::vector<std::int64_t>>{{}, {1}, {0}, {5}, {2, 3}, {0, 4}, {2, 3, 4, 5}}) {
    auto tensor = counted(shape, type);
    write_npy(folder / "x.npy", tensor);
    CHECK(same(read_npy(folder / "x.npy"), tensor));
    CHECK(read_npy(folder / "x.npy").is_contiguous());
  }
}

TEST_CASE("a written array has NumPy's bytes") {
  Folder folder;
  write_npy(folder / "x.npy", numbers({1, -2}, at::kFloat).reshape({1, 2}).t());
  auto header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"s;
  CHECK(bytes_of(folder / "x.npy") == "\x93NUMPY\x01\x00\x76\x00"s + header + std::string(117 - header.size(), ' ') +
                                          "\n\x00\x00\x80\x3F\x00\x00\x00\xC0"s);
  write_npy(folder / "x.npy", at::full({}, true));
  CHECK(bytes_of(folder / "x.npy").substr(10, 56) == "{'descr': '|b1', 'fortran_order': False, 'shape': (), } ");
  CHECK(bytes_of(folder / "x.npy").size() == 129);
}

TEST_CASE("bfloat16 is written as float32; what needs gradients or is a view is written as it looks") {
  Folder folder;
  write_npy(folder / "x.npy", at::full({2}, 1.5, at::kBFloat16));
  CHECK(same(read_npy(folder / "x.npy"), at::full({2}, 1.5, at::kFloat)));
  auto view = counted({3, 4}, at::kFloat).requires_grad_().t().slice(0, 1, 4, 2);
  write_npy(folder / "x.npy", view);
  CHECK(same(read_npy(folder / "x.npy"), view.detach()));
  CHECK(failure(folder, [&] { write_npy(folder / "y.npy", at::zeros({1}, at::kComplexFloat)); }) ==
        "A0702 cannot write 'y.npy': a tensor of ComplexFloat numbers has no place in a .npy file");
  CHECK_FALSE(fs::exists(folder / "y.npy"));
}

TEST_CASE("versions, byte orders, memory orders and spellings of the header are all read") {
  Folder folder;
  auto read = [&](const std::string& bytes) { return read_tensor(folder.file("x.NPY", bytes)); };
  auto six = "\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06\x00"s;
  auto expected = numbers({1, 2, 3, 4, 5, 6}, at::kShort).reshape({2, 3});
  for (char version : {1, 2, 3})
    CHECK(same(read(npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }   \n", six, version)), expected));
  CHECK(same(read(npy("{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"=i2\"}", six)), expected));
  CHECK(same(read(npy("{'shape': (2L, 3L), 'fortran_order': False, 'descr': '<i2'}", six)), expected));
  CHECK(same(read(npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }", six)),
             numbers({1, 3, 5, 2, 4, 6}, at::kShort).reshape({2, 3})));
  CHECK(same(read(npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", "\x01\x02\xFF\xFE"s)),
             numbers({258, -2}, at::kShort)));
  CHECK(same(read(npy("{'descr': '>f8', 'fortran_order': True, 'shape': (), }", "\xC0\x08\0\0\0\0\0\0"s)),
             at::full({}, -3.0, at::kDouble)));
  CHECK(same(read(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", "\x00\x01\x07"s)),
             numbers({0, 1, 1}, at::kBool)));
  CHECK(same(read(npy("{'descr': '<u2', 'fortran_order': False, 'shape': (1,), }", "\xFF\xFF"s)),
             numbers({65535}, at::kInt)));
  CHECK(same(read(npy("{'descr': '>u4', 'fortran_order': False, 'shape': (1,), }", "\xFF\xFF\xFF\xFF"s)),
             at::full({1}, 4294967295, at::kLong)));
  CHECK(same(read(npy("{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }", "\x09\0\0\0\0\0\0\0"s)),
             at::full({1}, 9, at::kLong)));
}

TEST_CASE("an array that cannot be read says why") {
  Folder folder;
  auto refused = [&](const std::string& dictionary, const std::string& data = {}) {
    return failure_of_reading(folder, "x.npy", npy(dictionary, data));
  };
  auto with_shape = [&](const char* shape) {
    return refused(fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}", shape));
  };
  auto with_type = [&](const char* type, const std::string& data = {}) {
    return refused(fmt::format("{{'descr': {}, 'fortran_order': False, 'shape': (1,), }}", type), data);
  };
  CHECK(with_shape("(3, 4)") == "A0702 'x.npy' has 0 bytes of data where shape (3, 4) of '<f4' needs 48");
  CHECK(with_shape("(4611686018427387904, 4)") == "A0702 'x.npy' has a shape larger than any file");
  CHECK(with_shape("(0, 4611686018427387904, 4)") == "A0702 'x.npy' has a shape larger than any file");
  CHECK(with_shape("(99999999999999999999,)") == "A0702 'x.npy' has a shape larger than any file");
  CHECK(with_shape("(-1, 4)") == "A0702 'x.npy' has a negative dimension in its shape");
  for (auto shape : {"3", "(3)", "(3,,)", "(3 4)", "(3,", "(,)", "(3.0,)", "[3]", "(0x3,)"})
    CHECK(with_shape(shape) == "A0702 'x.npy' has a malformed header");

  CHECK(with_type("'<c8'") == "A0702 'x.npy' holds complex numbers ('<c8')");
  CHECK(with_type("'|O'") == "A0702 'x.npy' holds Python objects ('|O')");
  CHECK(with_type("'<U3'") == "A0702 'x.npy' holds text ('<U3')");
  CHECK(with_type("'<M8[s]'") == "A0702 'x.npy' holds dates or times ('<M8[s]')");
  CHECK(with_type("'|V2'") == "A0702 'x.npy' holds raw bytes ('|V2')");
  CHECK(with_type("'<f16'") == "A0702 'x.npy' holds floating-point numbers of an unusual width ('<f16')");
  CHECK(with_type("''") == "A0702 'x.npy' holds an unknown type ('')");
  CHECK(with_type("'<\033[31m'") == "A0702 'x.npy' holds an unknown type ('<?[31m')");
  CHECK(with_type("[('a', '<f4')]") == "A0702 'x.npy' holds records, not numbers");
  CHECK(with_type("'<u8'", std::string(8, '\xFF')) == "A0702 'x.npy' holds integers beyond int64");
  CHECK(with_type("'<f4'", "12345") == "A0702 'x.npy' has 5 bytes of data where shape (1,) of '<f4' needs 4");

  for (auto header : {"", "[]", "{}", "{'descr': '<f4'}", "{'descr' '<f4'}", "{'descr': '<f4", "{'descr': 4}",
                      "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
                      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': True, 'shape': ()}",
                      "{'descr': '<f4', 'fortran_order': True, 'shape': (), 'more': ()}",
                      "{'descr': '<f4', 'fortran_order': True, 'shape': ()} x"})
    CHECK(refused(header) == "A0702 'x.npy' has a malformed header");
  CHECK(failure_of_reading(folder, "x.npy", "\x93NUMPY\x04\x01") ==
        "A0702 'x.npy' has the format version 4.1, not 1.0, 2.0 or 3.0");
  CHECK(failure_of_reading(folder, "x.npy", "\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF{}"s) ==
        "A0702 'x.npy' is cut short in its header");
  CHECK(failure_of_reading(folder, "x.npy", "text\n") == "A0702 'x.npy' is not a NumPy array file");
}

TEST_CASE("a damaged array is read or refused") {
  damage("x.npy", npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }\n", std::string(16, 'x')));
}

// ---- .png

struct PngWriter {
  explicit PngWriter(std::string& out)
      : png(png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr)),
        info(png_create_info_struct(png)) {
    auto append = [](png_structp p, png_bytep bytes, std::size_t count) {
      static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(bytes), count);
    };
    png_set_write_fn(png, &out, append, nullptr);
  }
  ~PngWriter() { png_destroy_write_struct(&png, &info); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
  png_structp png;
  png_infop info;
};

// `samples` as the file stores them, row after row; the palette is red, green, blue, white.
std::string png(png_uint_32 width, png_uint_32 height, int bits, int colour_type, std::string samples,
                int interlace = PNG_INTERLACE_NONE) {
  std::string out;
  PngWriter writer(out);
  png_set_IHDR(writer.png, writer.info, width, height, bits, colour_type, interlace, 0, 0);
  png_color palette[] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};
  if (colour_type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(writer.png, writer.info, palette, 4);
  png_set_gAMA(writer.png, writer.info, 1.0);  // must change nothing
  png_write_info(writer.png, writer.info);
  std::vector<png_bytep> rows;
  for (std::size_t y = 0; y < height; ++y)
    rows.push_back(reinterpret_cast<png_bytep>(samples.data()) + y * (samples.size() / height));
  png_write_image(writer.png, rows.data());
  png_write_end(writer.png, nullptr);
  return out;
}

std::string png_of_header(png_uint_32 width, png_uint_32 height) {
  std::string out;
  PngWriter writer(out);
  png_byte header[13] = {0, 0, 0, 0, 0, 0, 0, 0, 8, PNG_COLOR_TYPE_RGB, 0, 0, 0};
  png_save_uint_32(header, width);
  png_save_uint_32(header + 4, height);
  png_write_sig(writer.png);
  png_write_chunk(writer.png, reinterpret_cast<png_const_bytep>("IHDR"), header, 13);
  png_write_chunk(writer.png, reinterpret_cast<png_const_bytep>("IDAT"), header, 13);
  return out;
}

TEST_CASE("every kind of PNG is read as its samples are stored, without alpha") {
  Folder folder;
  auto read = [&](const std::string& bytes) { return read_tensor(folder.file("x.png", bytes)); };
  auto tensor = [](std::initializer_list<double> values, at::IntArrayRef shape, double largest) {
    return numbers(values, at::kFloat).div(largest).reshape(shape);
  };
  CHECK(
      same(read(png(2, 2, 8, PNG_COLOR_TYPE_GRAY, "\x00\x01\x80\xFF"s)), tensor({0, 1, 128, 255}, {1, 1, 2, 2}, 255)));
  CHECK(same(read(png(2, 1, 8, PNG_COLOR_TYPE_RGB, "\x01\x02\x03\x04\x05\x06"s)),
             tensor({1, 4, 2, 5, 3, 6}, {1, 3, 1, 2}, 255)));
  CHECK(same(read(png(1, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, "\x01\x02\x03\x00"s)), tensor({1, 2, 3}, {1, 3, 1, 1}, 255)));
  CHECK(same(read(png(1, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, "\x07\x00"s)), tensor({7}, {1, 1, 1, 1}, 255)));
  CHECK(same(read(png(2, 1, 16, PNG_COLOR_TYPE_GRAY, "\x01\x02\xFF\xFF"s)), tensor({258, 65535}, {1, 1, 1, 2}, 65535)));
  CHECK(same(read(png(1, 1, 16, PNG_COLOR_TYPE_RGB_ALPHA, "\x00\x01\x00\x02\x00\x03\x00\x00"s)),
             tensor({1, 2, 3}, {1, 3, 1, 1}, 65535)));
  CHECK(same(read(png(3, 1, 1, PNG_COLOR_TYPE_GRAY, "\xA0"s)), tensor({1, 0, 1}, {1, 1, 1, 3}, 1)));
  CHECK(same(read(png(3, 1, 2, PNG_COLOR_TYPE_GRAY, "\x1B"s)), tensor({0, 1, 2}, {1, 1, 1, 3}, 3)));
  CHECK(same(read(png(2, 1, 4, PNG_COLOR_TYPE_GRAY, "\x5F"s)), tensor({5, 15}, {1, 1, 1, 2}, 15)));
  CHECK(same(read(png(2, 1, 2, PNG_COLOR_TYPE_PALETTE, "\x20"s)), tensor({1, 0, 0, 0, 0, 1}, {1, 3, 1, 2}, 1)));
  std::string gradient;
  for (int i = 0; i < 81; ++i) gradient += static_cast<char>(i);
  CHECK(same(read(png(9, 9, 8, PNG_COLOR_TYPE_GRAY, gradient, PNG_INTERLACE_ADAM7)),
             at::arange(81).to(at::kFloat).div(255).reshape({1, 1, 9, 9})));
}

TEST_CASE("alpha that is dropped is told of, where some pixel is not opaque") {
  Folder folder;
  auto warned = [&](const std::string& bytes) {
    auto warnings = read_tensor_file(folder.file("x.png", bytes)).warnings;
    return warnings.empty() ? "" : warnings[0].message.substr(warnings[0].message.find("x.png"));
  };
  auto text = "x.png' is not opaque everywhere: its alpha is left out, and the colours below it count";
  CHECK(warned(png(2, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, "\1\2\3\xFF\4\5\6\xFF")).empty());
  CHECK(warned(png(2, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, "\1\2\3\xFF\4\5\6\xFE")) == text);
  CHECK(warned(png(1, 1, 16, PNG_COLOR_TYPE_GRAY_ALPHA, "\1\2\xFF\xFF")).empty());
  CHECK(warned(png(1, 1, 16, PNG_COLOR_TYPE_GRAY_ALPHA, "\1\2\xFF\xFE")) == text);
}

TEST_CASE("a picture that is written comes back") {
  Folder folder;
  auto pixels = counted({4, 5, 3}, at::kByte);
  write_png(folder / "x.png", pixels);
  CHECK(same(read_png(folder / "x.png"), pixels.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(255)));
  CHECK(failure(folder, [&] {
          write_png(folder / "y.png", at::zeros({0, 5, 3}, at::kByte));
        }) == "A0002 cannot write 'y.png': a picture is uint8, H×W×3, of 1 to 2^26 pixels");
  CHECK(folder.files() == 1);
}

TEST_CASE("a picture that cannot be read says why") {
  Folder folder;
  CHECK(failure_of_reading(folder, "x.png", "a text\n") == "A0702 'x.png' is neither a PNG nor a JPEG picture");
  CHECK(failure_of_reading(folder, "x.png", png_of_header(0x7FFFFFFF, 0x7FFFFFFF)) ==
        "A0004 'x.png' has 2147483647 × 2147483647 pixels; the limit is 67108864");
  CHECK(failure_of_reading(folder, "x.png", png_of_header(8192, 8192)) ==
        "A0702 'x.png' is too short for 8192 × 8192 pixels");
  auto whole = png(2, 2, 8, PNG_COLOR_TYPE_GRAY, "\x00\x01\x80\xFF"s);
  CHECK(failure_of_reading(folder, "x.png", whole.substr(0, whole.size() - 20)) ==
        "A0702 'x.png' is not a whole PNG picture: the file is cut short");
}

TEST_CASE("a damaged picture is read or refused") {
  damage("x.png", png(3, 3, 8, PNG_COLOR_TYPE_GRAY, "abcdefghi", PNG_INTERLACE_ADAM7));
  damage("x.png", png(4, 1, 2, PNG_COLOR_TYPE_PALETTE, "\x1B"));
}

// ---- .pt

// An archive as torch.save writes it; `pickle` without the protocol.
std::string pt(const std::string& pickle, const std::string& numbers, const char* extra = nullptr,
               const std::string& byte_order = "little", const std::string& protocol = "\x80\x02") {
  std::string out;
  auto append = [&](const void* bytes, std::size_t count) {
    out.append(static_cast<const char*>(bytes), count);
    return count;
  };
  caffe2::serialize::PyTorchStreamWriter writer(append);
  auto record = [&](const char* name, const std::string& bytes) {
    writer.writeRecord(name, bytes.data(), bytes.size());
  };
  record("data.pkl", protocol + pickle);
  record("byteorder", byte_order);
  record("data/0", numbers);
  if (extra) record(extra, "x");
  writer.writeEndOfFile();
  return out;
}

// What Python's pickle makes of a tensor: torch.save(torch.arange(…).…), with the parts that differ.
std::string pickled(const std::string& type, const std::string& count, const std::string& offset,
                    const std::string& sizes, const std::string& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\nq\x00((X\x07\x00\x00\x00storageq\x01"s + "ctorch\n" + type +
         "Storage\nq\x02X\x01\x00\x00\x00"s + "0q\x03X\x06\x00\x00\x00"s + "cuda:0q\x04" + count + "tq\x05Q" + offset +
         sizes + "q\x06" + strides + "q\x07\x89" + "ccollections\nOrderedDict\nq\x08)Rq\ttq\nRq\x0b.";
}

TEST_CASE("a tensor of torch.save is read: types, views, devices, parameters") {
  Folder folder;
  auto read = [&](const std::string& bytes) { return read_tensor(folder.file("x.pt", bytes)); };
  auto floats = std::string(reinterpret_cast<const char*>(counted({6}, at::kFloat).const_data_ptr()), 24);
  auto tensor = read(pt(pickled("Float", "K\x06", "K\x00"s, "K\x02K\x03\x86", "K\x03K\x01\x86"), floats));
  CHECK(same(tensor, counted({2, 3}, at::kFloat)));
  CHECK_FALSE(tensor.requires_grad());
  tensor = read(pt(pickled("Float", "K\x06", "K\x01", "K\x02K\x02\x86", "K\x01K\x03\x86"), floats));
  CHECK(same(tensor, numbers({1, 4, 2, 5}, at::kFloat).reshape({2, 2})));
  CHECK(tensor.is_contiguous());
  CHECK(same(read(pt(pickled("Float", "K\x06", "K\x05", ")", ")"), floats)), at::full({}, 5.0, at::kFloat)));
  CHECK(same(read(pt(pickled("Double", "K\x00"s, "K\x00"s, "K\x00K\x02\x86"s, "K\x02K\x01\x86"), "")),
             at::zeros({0, 2}, at::kDouble)));
  CHECK(same(read(pt(pickled("Long", "\x8A\x01\x01", "K\x00"s, "K\x01\x85", "J\x01\x00\x00\x00\x85"s),
                     std::string(8, '\xFF'))),
             at::full({1}, -1, at::kLong)));
  CHECK(same(read(pt(pickled("BFloat16", "K\x01", "K\x00"s, "K\x01\x85", "M\x01\x00\x85"s), "\xC0\x3F")),
             at::full({1}, 1.5, at::kBFloat16)));
  CHECK(same(read(pt(pickled("Bool", "K\x03", "K\x00"s, "K\x03\x85", "K\x01\x85"), "\x00\x01\x07"s)),
             numbers({0, 1, 1}, at::kBool)));
  auto inner = pickled("Byte", "K\x01", "K\x00"s, "K\x01\x85", "K\x01\x85");
  inner.pop_back();
  CHECK(same(read(pt("ctorch._utils\n_rebuild_parameter\n(" + inner + "\x88h\x08)RtR.", "\x07")),
             at::full({1}, 7, at::kByte)));
}

TEST_CASE("a .pt file without a plain tensor says what it holds") {
  Folder folder;
  auto refused = [&](const std::string& bytes) { return failure_of_reading(folder, "x.pt", bytes); };
  auto good = pickled("Float", "K\x01", "K\x00"s, "K\x01\x85", "K\x01\x85");
  CHECK(refused(pt(good, "1234")) == "no error");
  CHECK(refused(pt(good, "1234", "constants.pkl")) == "A0702 'x.pt' holds a TorchScript model, not a tensor");
  CHECK(refused(pt(good, "1234", "archive_format")) == "A0702 'x.pt' holds an exported model, not a tensor");
  CHECK(refused(pt("]q\x00(K\x01K\x02"s + "e.", "")) == "A0702 'x.pt' holds a list, not a tensor");
  CHECK(refused(pt("}q\x00."s, "")) == "A0702 'x.pt' holds a dictionary, not a tensor");
  CHECK(refused(pt("ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00wK\x01u."s, "")) ==
        "A0702 'x.pt' holds a dictionary (such as a model's state), not a tensor");
  CHECK(refused(pt(good.substr(0, good.size() - 1) + "\x85.", "1234")) == "A0702 'x.pt' holds a tuple, not a tensor");
  CHECK(refused(pt("cmodels\nNet\033\n)\x81.", "")) ==
        "A0702 'x.pt' holds a Python object ('models.Net?'), not a tensor");
  CHECK(refused(pt("ctorch._utils\n_rebuild_sparse_tensor\n.", "")) ==
        "A0702 'x.pt' holds a sparse tensor, not a dense one");
  CHECK(refused(pt("ctorch._utils\n_rebuild_qtensor\n.", "")) ==
        "A0702 'x.pt' holds a quantized tensor, not plain numbers");
  CHECK(refused(pt("K\x07.", "")) == "A0702 'x.pt' does not hold a tensor");
  CHECK(refused(pt(pickled("ComplexFloat", "K\x01", "K\x00"s, "K\x01\x85", "K\x01\x85"), "12345678")) ==
        "A0702 'x.pt' holds 'ComplexFloat' numbers, not real ones");
  CHECK(refused(pt(good, "1234", nullptr, "big")) == "A0702 'x.pt' was saved on a big-endian machine");
  CHECK(refused("\x80\x02\x8A\x0A") == "A0702 'x.pt' is in the format of torch.save before PyTorch 1.6");
  CHECK(refused(pt(good, "1234").replace(pt(good, "1234").find("1234"), 4, "1235")) ==
        "A0702 'x.pt' is damaged, or not what torch.save writes");
  CHECK(refused(pt(good, "1234", nullptr, "little", "\x80\x04")) ==
        "A0702 'x.pt' has a pickle of another protocol than torch.save's own, 2");
  CHECK(refused("text\n") == "A0702 'x.pt' is not what torch.save writes");
  CHECK(refused("PK\x03\x04") == "A0702 'x.pt' is damaged, or not what torch.save writes");
}

TEST_CASE("a hostile pickle reaches neither beyond the numbers nor for the memory") {
  Folder folder;
  auto refused = [&](const std::string& bytes) { return failure_of_reading(folder, "x.pt", bytes); };
  auto larger = "A0702 'x.pt' holds a tensor that is larger than its numbers";
  auto huge = "\x8A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"s;
  CHECK(refused(pt(pickled("Float", "K\x01", "K\x00"s, "K\x02\x85", "K\x01\x85"), "1234")) == larger);
  CHECK(refused(pt(pickled("Float", "K\x01", "K\x00"s, "K\x02\x85", "K\x00\x85"s), "1234")) == larger);
  CHECK(refused(pt(pickled("Float", "K\x01", "K\x01", "K\x01\x85", "K\x01\x85"), "1234")) == larger);
  CHECK(refused(pt(pickled("Float", "K\x01", "J\xFF\xFF\xFF\xFF", "K\x01\x85", "K\x01\x85"), "1234")) == larger);
  CHECK(refused(pt(pickled("Float", "K\x01", "K\x00"s, "J\xFF\xFF\xFF\xFF\x85", "K\x01\x85"), "1234")) == larger);
  CHECK(refused(pt(pickled("Float", "K\x01", "K\x00"s, huge + huge + "\x86", "K\x00K\x00\x86"s), "1234")) == larger);
  CHECK(refused(pt(pickled("Float", "K\x01", "K\x00"s, "K\x02\x85", huge + "\x85"), "1234")) == larger);
  CHECK(refused(pt(pickled("Float", "K\x02", "K\x00"s, "K\x02\x85", "K\x01\x85"), "1234")) ==
        "A0702 'x.pt' is damaged: its numbers are not as many as it says");
  CHECK(refused(pt(pickled("Float", huge, "K\x00"s, "K\x01\x85", "K\x01\x85"), "1234")) ==
        "A0702 'x.pt' is damaged: its numbers are not as many as it says");
  CHECK(refused(pt(")" + std::string(3'000'000, '\x85') + ".", "")) == "A0702 'x.pt' does not hold a tensor");
  CHECK(refused(pt("K\x00r\xFF\xFF\xFF\xFF."s, "")) == "A0702 'x.pt' does not hold a tensor");
  CHECK(refused(pt("t.", "")) == "A0702 'x.pt' does not hold a tensor");
  CHECK(refused(pt("X\xFF\xFF\xFF\xFF.", "")) == "A0702 'x.pt' does not hold a tensor");
}

TEST_CASE("a damaged .pt file is read or refused") {
  damage("x.pt", pt(pickled("Float", "K\x01", "K\x00"s, "K\x01\x85", "K\x01\x85"), "1234"));
}

// ---- Any file

TEST_CASE("a file that is not there, not a file, or empty says so, whatever its ending") {
  Folder folder;
  for (std::string name : {"x.npy", "x.png", "x.pt"}) {
    auto path = folder.path / name;
    CHECK(failure(folder, [&] { read_tensor(path); }) == "A0001 cannot read '" + name + "': no such file");
    CHECK(failure_of_reading(folder, name.c_str(), "") == "A0702 '" + name + "' is empty");
    fs::remove(path);
    fs::create_directory(path);
    CHECK(failure(folder, [&] { read_tensor(path); }) == "A0001 cannot read '" + name + "': it is a folder");
    fs::remove(path);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    CHECK(failure(folder, [&] { read_tensor(path); }) == "A0001 cannot read '" + name + "': it is no regular file");
    fs::remove(path);
    CHECK(failure(folder, [&] { read_tensor(folder / "x.npy\n" / name); }) ==
          "A0001 cannot read 'x.npy?/" + name + "': no such file");
  }
  CHECK(failure(folder, [&] { read_tensor(folder / "x.jpg"); }) == "A0001 cannot read 'x.jpg': no such file");
  CHECK(failure_of_reading(folder, "x.txt", "a text\n") == "A0702 'x.txt' is none of the files that are read");
}

}  // namespace
}  // namespace ascribe::files
