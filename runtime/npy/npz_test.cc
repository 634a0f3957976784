// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <random>

#include "runtime/base/status.h"
#include "runtime/npy/npy.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

template <typename T>
void Put(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string Deflate(const std::string& data) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(data.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// Writes archives the way Python's zipfile does with force_zip64: a zip64 field in the local
// header, which the directory does not need.
class Zip {
 public:
  void Add(const std::string& name, const std::string& data, bool deflated) {
    std::string packed = deflated ? Deflate(data) : data;
    uint32_t crc =
        static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
    uint32_t offset = static_cast<uint32_t>(body_.size());
    Put<uint32_t>(&body_, 0x04034b50);
    Fields(&body_, deflated, crc, 0xffffffff, 0xffffffff, name.size(), 20);
    body_ += name;
    Put<uint16_t>(&body_, 1);
    Put<uint16_t>(&body_, 16);
    Put<uint64_t>(&body_, data.size());
    Put<uint64_t>(&body_, packed.size());
    body_ += packed;
    Put<uint32_t>(&directory_, 0x02014b50);
    Put<uint16_t>(&directory_, 45);
    Fields(&directory_, deflated, crc, packed.size(), data.size(), name.size(), 0);
    directory_ += std::string(10, '\0');  // comment, disk, attributes
    Put<uint32_t>(&directory_, offset);
    directory_ += name;
    ++count_;
  }
  std::string Build() const {
    std::string out = body_ + directory_;
    Put<uint32_t>(&out, 0x06054b50);
    Put<uint32_t>(&out, 0);
    Put<uint16_t>(&out, count_);
    Put<uint16_t>(&out, count_);
    Put<uint32_t>(&out, static_cast<uint32_t>(directory_.size()));
    Put<uint32_t>(&out, static_cast<uint32_t>(body_.size()));
    Put<uint16_t>(&out, 0);
    return out;
  }

 private:
  static void Fields(std::string* out, bool deflated, uint32_t crc, size_t packed, size_t unpacked,
                     size_t name, size_t extra) {
    Put<uint16_t>(out, 45);
    Put<uint16_t>(out, 0);
    Put<uint16_t>(out, deflated ? 8 : 0);
    Put<uint32_t>(out, 0);
    Put<uint32_t>(out, crc);
    Put<uint32_t>(out, static_cast<uint32_t>(packed));
    Put<uint32_t>(out, static_cast<uint32_t>(unpacked));
    Put<uint16_t>(out, static_cast<uint16_t>(name));
    Put<uint16_t>(out, static_cast<uint16_t>(extra));
  }
  std::string body_, directory_;
  uint16_t count_ = 0;
};

std::string Ids() {
  std::vector<int64_t> ids = {101, 102, 103};
  return *NpyImage(DType::kI64, {1, 3}, ids.data());
}
std::string Zeros() {
  std::vector<float> zeros(1000);
  return *NpyImage(DType::kF32, {1000}, zeros.data());
}

std::string Good() {
  Zip zip;
  zip.Add("input_ids.npy", Ids(), false);
  zip.Add("notes.txt", "hello", false);
  zip.Add("x.npy", Zeros(), true);
  return zip.Build();
}

std::string ErrorOf(const std::string& image) {
  auto arrays = ParseNpz("f.npz", image);
  EXPECT_FALSE(arrays.ok());
  return Message(arrays.status());
}

TEST(Npz, ReadsStoredAndDeflatedMembers) {
  auto arrays = ParseNpz("f.npz", Good());
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  ASSERT_EQ(arrays->size(), 2u);
  EXPECT_EQ((*arrays)[0].first, "input_ids");
  EXPECT_EQ((*arrays)[0].second.shape, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ((*arrays)[1].first, "x");
  EXPECT_EQ((*arrays)[1].second.bytes, std::string(4000, '\0'));
}

TEST(Npz, SaysWhatIsWrong) {
  std::string good = Good();
  auto patched = [&](size_t at, const std::string& bytes) {
    std::string bad = good;
    bad.replace(at, bytes.size(), bytes);
    return ErrorOf(bad);
  };
  size_t data = good.find("\x93NUMPY");
  size_t directory = good.find("PK\1\2"), end = good.find("PK\5\6");
  EXPECT_THAT(ErrorOf(""), HasSubstr("not a .npz"));
  EXPECT_THAT(ErrorOf(Ids()), HasSubstr("not a .npz"));
  EXPECT_THAT(ErrorOf(good.substr(0, good.size() - 1)), HasSubstr("truncated"));
  EXPECT_THAT(patched(data + 100, "?"), HasSubstr("array 'input_ids': corrupted (CRC)"));
  EXPECT_THAT(patched(directory, "XX"), HasSubstr("malformed at member 0"));
  EXPECT_THAT(patched(directory + 8, "\1"), HasSubstr("encrypted"));
  EXPECT_THAT(patched(directory + 10, "\x0c"), HasSubstr("zip method 12"));
  EXPECT_THAT(patched(directory + 42, "\xff\xff\xff\x7f"), HasSubstr("outside the file"));
  EXPECT_THAT(patched(end + 16, "\xff\xff\xff\x7f"), HasSubstr("directory lies outside"));
  EXPECT_THAT(patched(good.rfind("PK\1\2") + 24, std::string("\0\0\0\x70", 4)),
              HasSubstr("cannot unpack"));
  Zip twice;
  twice.Add("a.npy", Ids(), false);
  twice.Add("a.npy", Ids(), true);
  EXPECT_THAT(ErrorOf(twice.Build()), HasSubstr("array 'a' occurs twice"));
}

TEST(Npz, SurvivesMutation) {
  std::string good = Good();
  for (size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(ParseNpz("x", good.substr(0, cut)).ok());
  std::mt19937 random(9);
  for (int i = 0; i < 20000; ++i) {
    std::string bad = good;
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips)
      bad[random() % bad.size()] = static_cast<char>(random());
    auto arrays = ParseNpz("x", bad);
    if (arrays.ok()) EXPECT_LE(arrays->size(), 3u);
  }
}

}  // namespace
}  // namespace ashlar
