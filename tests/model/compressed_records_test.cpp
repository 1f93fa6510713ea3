// Archives whose records are compressed, as other programs than PyTorch write them, and hostile ones.
#include "tests/attach/exported_records.hpp"

#include <zlib.h>

#include <random>

namespace test {
using namespace ascribe;
namespace {

std::string deflated(const std::string& bytes, int level = Z_DEFAULT_COMPRESSION) {
  z_stream stream{};
  REQUIRE(::deflateInit2(&stream, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data()), stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

struct Compressed {
  std::string name, bytes;
  std::uint64_t size;
  std::uint32_t checksum;
  std::uint16_t method = 8, flags = 0;
};
Compressed compressed(const std::string& name, const std::string& bytes) {
  return {name, deflated(bytes), bytes.size(),
          static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()))};
}

template <typename Number>
void put(std::string& into, Number value) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) into += static_cast<char>(value >> (8 * i) & 0xFF);
}

// A zip archive in one piece.
std::string zipped(const std::vector<Compressed>& records) {
  std::string out, directory;
  for (auto& each : records) {
    auto common = [&](std::string& into) {
      put<std::uint16_t>(into, 20), put<std::uint16_t>(into, each.flags), put<std::uint16_t>(into, each.method);
      put<std::uint32_t>(into, 0), put<std::uint32_t>(into, each.checksum);
      put<std::uint32_t>(into, static_cast<std::uint32_t>(each.bytes.size()));
      put<std::uint32_t>(into, static_cast<std::uint32_t>(each.size));
      put<std::uint16_t>(into, static_cast<std::uint16_t>(each.name.size())), put<std::uint16_t>(into, 0);
    };
    auto place = static_cast<std::uint32_t>(out.size());
    out += "PK\3\4", common(out), out += each.name + each.bytes;
    directory += "PK\1\2", put<std::uint16_t>(directory, 20), common(directory);
    directory += std::string(10, '\0'), put<std::uint32_t>(directory, place), directory += each.name;
  }
  auto place = static_cast<std::uint32_t>(out.size());
  out += directory + "PK\5\6" + std::string(4, '\0');
  for (int i = 0; i < 2; ++i) put<std::uint16_t>(out, static_cast<std::uint16_t>(records.size()));
  put<std::uint32_t>(out, static_cast<std::uint32_t>(directory.size())), put<std::uint32_t>(out, place);
  return out + std::string(2, '\0');
}

std::string read(const Folder& folder, const Compressed& record) {
  std::string text;
  auto path = folder.file("records.zip", zipped({record}));
  try {
    text = model::Archive(path).text(record.name.substr(record.name.find('/') + 1));
  } catch (const model::Refusal& refusal) {
    return refusal.what();
  }
  return text;
}

TEST_CASE("a model whose records were compressed by another program is the same model") {
  at::NoGradGuard no_grad;
  Folder folder;
  Records file(exported("net.pt2"));
  std::vector<Compressed> records;
  for (auto& [name, bytes] : file.records) records.push_back(compressed("model/" + name, bytes));
  Exported each = exported_model("net");
  each.model = Model::load(folder.file("compressed.pt2", zipped(records)));
  CHECK(against_pytorch(each) == "");
}

TEST_CASE("compressed records are read whole, whatever their size") {
  Folder folder;
  std::mt19937 random_number(1);
  for (std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{1} << 20, (std::size_t{5} << 20) + 7}) {
    std::string bytes(size, 'x');
    CHECK((read(folder, compressed("a/b", bytes)) == bytes));  // not to be printed
    for (auto& each : bytes) each = static_cast<char>(random_number());
    CHECK((read(folder, compressed("a/b", bytes)) == bytes));  // not to be printed
  }
}

TEST_CASE("a compressed record that is not what the directory says is damaged") {
  Folder folder;
  std::string text = "some text that is compressed, some text that is compressed";
  auto good = compressed("a/b", text);
  auto changed = [&](const std::function<void(Compressed&)>& change) {
    auto record = good;
    change(record);
    return read(folder, record);
  };
  CHECK(changed([](auto&) {}) == text);
  const std::string damaged = "is damaged, or was changed by hand: ";
  CHECK(changed([](auto& r) { r.size = 5; }) == damaged + "'b' cannot be decompressed");
  CHECK(changed([](auto& r) { r.size = 5000; }) == damaged + "'b' cannot be decompressed");
  CHECK(changed([](auto& r) { r.size = 0; }) == damaged + "'b' cannot be decompressed");
  CHECK(changed([](auto& r) { r.bytes.pop_back(); }) == damaged + "'b' cannot be decompressed");
  CHECK(changed([](auto& r) { r.bytes += "x"; }) == damaged + "'b' cannot be decompressed");
  CHECK(changed([](auto& r) { r.bytes.clear(); }) == damaged + "'b' cannot be decompressed");
  CHECK(changed([](auto& r) { r.checksum ^= 1; }) == damaged + "the bytes of 'b' are not those that were written");
  CHECK(changed([](auto& r) { r.method = 0; }) == damaged + "a record has two sizes");
  CHECK(changed([](auto& r) { r.method = 14; }) == "has a record that is compressed in an unknown way, 'b'");
  CHECK(changed([](auto& r) { r.flags = 1; }) == "has an encrypted record, 'b'");
  std::mt19937 random_number(1);
  for (int i = 0; i < 300; ++i) {
    auto found = changed(
        [&](auto& r) { r.bytes[random_number() % r.bytes.size()] ^= static_cast<char>(1 + random_number() % 255); });
    CHECK((found.starts_with("is damaged") || found == text));
  }
}

TEST_CASE("records that would grow beyond all measure are refused before any memory is taken for them") {
  Folder folder;
  auto bomb = compressed("a/b", std::string(1 << 20, '\0'));
  bomb.size = 0xF0000000;
  CHECK(read(folder, bomb).starts_with("would grow from "));
  std::vector<Compressed> many;
  for (int i = 0; i < 300; ++i) many.push_back(compressed("a/" + std::to_string(i), std::string(1 << 20, '\0')));
  auto path = folder.file("many.zip", zipped(many));
  CHECK_THROWS_AS(model::Archive(path), model::Refusal);
  many.resize(200);
  CHECK(model::Archive(folder.file("fewer.zip", zipped(many))).text("7").size() == 1 << 20);
}

}  // namespace
}  // namespace test
