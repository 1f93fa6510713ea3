// Archives of arrays, and arrays that are too large to be copied.
#include "tests/catch.hpp"

#include <ATen/ATen.h>
#include <zlib.h>

#include "ascribe/picture.hpp"
#include "interpreter/files/contents.hpp"
#include "interpreter/files/tensor_file.hpp"
#include "tests/folder.hpp"

namespace ascribe::files {
namespace {
namespace fs = std::filesystem;

using test::failure;
using test::Folder;

std::string little(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i & 0xFF);
  return out;
}

std::string deflated(const std::string& bytes) {
  z_stream stream{};
  REQUIRE(::deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

// An archive as numpy.savez and numpy.savez_compressed write it, with the sizes of zip64 in front of the bytes.
std::string npz(const std::vector<std::pair<std::string, std::string>>& records, bool compressed = false) {
  std::string out, directory;
  for (auto& [name, bytes] : records) {
    auto stored = compressed ? deflated(bytes) : bytes;
    auto sum = ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
    auto common = little(compressed ? 8 : 0, 2) + little(0, 4) + little(sum, 4);
    auto wide = little(1, 2) + little(16, 2) + little(bytes.size(), 8) + little(stored.size(), 8);
    directory += "PK\x01\x02" + little(45, 2) + little(45, 2) + little(0, 2) + common + little(stored.size(), 4) +
                 little(bytes.size(), 4) + little(name.size(), 2) + little(0, 2) + little(0, 2) + little(0, 2) +
                 little(0, 2) + little(0, 4) + little(out.size(), 4) + name;
    out += "PK\x03\x04" + little(45, 2) + little(0, 2) + common + little(0xFFFFFFFF, 4) + little(0xFFFFFFFF, 4) +
           little(name.size(), 2) + little(wide.size(), 2) + name + wide + stored;
  }
  auto count = little(records.size(), 2);
  return out + directory + "PK\x05\x06" + little(0, 4) + count + count + little(directory.size(), 4) +
         little(out.size(), 4) + little(0, 2);
}

const auto first = at::arange(6).to(at::kFloat).reshape({2, 3}), second = at::full({4}, 7, at::kLong);
const std::vector<std::pair<std::string, std::string>> two = {{"left.npy", encode_npy(first)},
                                                              {"folder/right.npy", encode_npy(second)}};

TEST_CASE("arrays are read from archives of NumPy's, compressed or not, by their names") {
  Folder folder;
  for (bool compressed : {false, true}) {
    folder.file("two.npz", npz(two, compressed));
    CHECK(at::equal(read_tensor(folder / "two.npz:left"), first));
    CHECK(at::equal(read_tensor(folder / "two.npz:folder/right"), second));
    CHECK(at::equal(read_tensor(folder / "two.npz:left.npy"), first));
    CHECK(at::equal(read_tensor(folder.file("one.NPZ", npz({two[1]}, compressed))), second));
    CHECK(read_tensor(folder / "two.npz:left").is_contiguous());
  }
}

TEST_CASE("an archive without the array that is wanted says what it has") {
  Folder folder;
  folder.file("two.npz", npz(two));
  auto refused = [&](const std::string& name) { return failure(folder, [&] { read_tensor(folder / name); }); };
  CHECK(refused("two.npz") == "A0702 'two.npz' holds 2 arrays: 'folder/right', 'left'");
  CHECK(refused("two.npz:top") == "A0702 'two.npz' holds no array 'top'; it has 'folder/right', 'left'");
  CHECK(refused("none.npz:top") == "A0001 cannot read 'none.npz': no such file");
  folder.file("empty.npz", npz({{"readme.txt", "text"}}));
  CHECK(refused("empty.npz") == "A0702 'empty.npz' is a zip archive without arrays");
  folder.file("text.npz", "text\n");
  CHECK(refused("text.npz") == "A0702 'text.npz' is no archive of NumPy arrays");
  folder.file("x.npy", encode_npy(first));
  fs::copy(folder / "x.npy", folder / "y.npz");
  CHECK(refused("y.npz:left") == "A0702 'y.npz' is no archive of NumPy arrays");
  folder.file("objects.npz", npz({{"a.npy", "no array"}}));
  CHECK(refused("objects.npz") == "A0702 'objects.npz' is not a NumPy array file");
}

TEST_CASE("an archive that is cut short, damaged, or would grow beyond all measure is refused") {
  Folder folder;
  auto refused = [&](const std::string& bytes) {
    folder.file("x.npz", bytes);
    return failure(folder, [&] { read_tensor(folder / "x.npz:left"); });
  };
  auto whole = npz(two, /*compressed=*/true);
  for (std::size_t length = 1; length < whole.size(); ++length) CHECK(refused(whole.substr(0, length)) != "no error");
  CHECK(refused(whole.substr(0, whole.size() - 1)) == "A0702 'x.npz' is cut short, or no zip archive");
  auto damaged = whole;
  damaged[60] ^= 1;
  CHECK(refused(damaged).find("A0702 'x.npz' is damaged") == 0);
  auto bomb = npz({{"left.npy", encode_npy(at::zeros({1 << 20}))}}, /*compressed=*/true);
  auto size = bomb.rfind("PK\x01\x02") + 24;
  bomb.replace(size, 4, little(0xFFFFFF00, 4));
  CHECK(refused(bomb).find("A0702 'x.npz' would grow from ") == 0);
}

TEST_CASE("a large array is mapped: it costs memory only where somebody looks, and stays on the disk as it is") {
  Folder folder;
  auto path = folder / "large.npy";
  auto header = encode_npy(at::zeros({0}, at::kFloat));
  std::int64_t count =
      static_cast<std::int64_t>(Contents::mapped_from) * 16;  // 4 GiB, of which the disk holds next to nothing
  auto text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(count) + ",), }";
  header = header.substr(0, 10) + text + std::string(117 - text.size(), ' ') + "\n";
  folder.file("large.npy", header);
  fs::resize_file(path, header.size() + static_cast<std::uint64_t>(count) * 4);
  {
    auto array = read_tensor(path);
    REQUIRE(array.numel() == count);
    CHECK(array.slice(0, count - 4).sum().item<double>() == 0);
    array.slice(0, count - 4).fill_(1);
    CHECK(array[count - 1].item<double>() == 1);
  }
  CHECK(read_tensor(path)[count - 1].item<double>() == 0);
  fs::resize_file(path, header.size() + 1);
  CHECK(failure(folder, [&] { read_tensor(path); }).find("A0702 'large.npy' has 1 bytes of data where shape") == 0);
}

}  // namespace
}  // namespace ascribe::files
