// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/npy/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

std::string Image(const std::string& header, const std::string& data, int version = 1) {
  std::string image("\x93NUMPY", 6);
  image += {static_cast<char>(version), '\0', static_cast<char>(header.size()), '\0'};
  if (version > 1) image += {'\0', '\0'};
  return image + header + data;
}

std::string ErrorOf(const std::string& image) {
  auto array = ParseNpy("f.npy", image);
  EXPECT_FALSE(array.ok());
  return Message(array.status());
}

// What np.save(np.arange(6, dtype='<i4').reshape(2, 3)) writes, byte for byte.
TEST(Npy, WritesWhatNumPyWrites) {
  std::vector<int32_t> values = {0, 1, 2, 3, 4, 5};
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }";
  header += std::string(117 - header.size(), ' ') + "\n";
  EXPECT_EQ(*NpyImage(DType::kI32, {2, 3}, values.data()), Image(header, BytesOf(values)));
  EXPECT_THAT(*NpyImage(DType::kI32, {6}, values.data()), HasSubstr("'shape': (6,), }"));
  EXPECT_THAT(*NpyImage(DType::kI32, {}, values.data()), HasSubstr("'shape': (), }"));
}

TEST(Npy, RoundTripsEveryType) {
  std::string bytes(48, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 2);
  for (DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kI64, DType::kI32, DType::kI16,
                      DType::kI8, DType::kU8, DType::kU16, DType::kU32, DType::kU64, DType::kBool})
    for (std::vector<int64_t> shape : {std::vector<int64_t>{2, 3}, {6}, {0, 4}, {}}) {
      auto array = ParseNpy("x", *NpyImage(dtype, shape, bytes.data()));
      ASSERT_TRUE(array.ok()) << array.status();
      EXPECT_EQ(array->dtype, dtype);
      EXPECT_EQ(array->shape, shape);
      EXPECT_EQ(array->bytes, bytes.substr(0, array->bytes.size()));
    }
  std::vector<uint16_t> bf16 = {0x3f80, 0xc000};
  auto array = ParseNpy("x", *NpyImage(DType::kBF16, {2}, bf16.data()));
  EXPECT_EQ(array->dtype, DType::kF32);
  EXPECT_EQ(array->bytes, BytesOf(std::vector<float>{1, -2}));
}

TEST(Npy, ReadsFortranOrderAndLaterVersions) {
  // a[i][j][k] = 100 i + 10 j + k of shape (2, 3, 2), first index fastest.
  std::vector<int64_t> fortran, rows;
  for (int k = 0; k < 2; ++k)
    for (int j = 0; j < 3; ++j)
      for (int i = 0; i < 2; ++i) fortran.push_back(100 * i + 10 * j + k);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 2; ++k) rows.push_back(100 * i + 10 * j + k);
  std::string header = "{'shape': (2, 3, 2), 'fortran_order': True, 'descr': '<i8'}";
  for (int version : {1, 2, 3}) {
    auto array = ParseNpy("x", Image(header, BytesOf(fortran), version));
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->bytes, BytesOf(rows));
  }
}

TEST(Npy, SaysWhatIsWrong) {
  std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  auto with = [&](const std::string& from, const std::string& to) {
    std::string header = good;
    header.replace(header.find(from), from.size(), to);
    return ErrorOf(Image(header, std::string(8, '\0')));
  };
  EXPECT_THAT(ErrorOf("hello"), HasSubstr("not a .npy file"));
  EXPECT_THAT(ErrorOf(Image(good, "", 4)), HasSubstr(".npy version 4"));
  EXPECT_THAT(ErrorOf(Image(good, "1234567")), HasSubstr("expected 8 bytes for F32 [2], found 7"));
  EXPECT_THAT(ErrorOf(Image(good, "123456789")), HasSubstr("found 9"));
  EXPECT_THAT(ErrorOf(Image(good, "").substr(0, 30)), HasSubstr("truncated"));
  EXPECT_THAT(with("<f4", ">f4"), HasSubstr("type '>f4' are not supported"));
  EXPECT_THAT(with("<f4", "|O"), HasSubstr("type '|O'"));
  EXPECT_THAT(with("'<f4'", "[('a', '<f4')]"), HasSubstr("cannot read the header"));
  EXPECT_THAT(with("(2,)", "(-2,)"), HasSubstr("cannot read the header"));
  EXPECT_THAT(with("(2,)", "(99999999999999999999,)"), HasSubstr("cannot read the header"));
  EXPECT_THAT(with("(2,)", "(4294967296, 4294967296)"), HasSubstr("too many elements"));
  EXPECT_THAT(with("'shape'", "'shpae'"), HasSubstr("cannot read the header"));
  EXPECT_THAT(with("False", "Maybe"), HasSubstr("cannot read the header"));
}

TEST(Npy, SurvivesMutation) {
  std::vector<float> values(6);
  std::string good = *NpyImage(DType::kF32, {2, 3}, values.data());
  for (size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(ParseNpy("x", good.substr(0, cut)).ok());
  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) {
    std::string bad = good;
    bad[random() % 80] = static_cast<char>(random());
    auto array = ParseNpy("x", bad);
    if (array.ok()) EXPECT_EQ(array->bytes.size(), 24u);
  }
}

TEST(Npy, FilesRoundTrip) {
  std::string path = ::testing::TempDir() + "ashlar_npy_" + std::to_string(getpid()) + ".npy";
  std::vector<double> values = {1.5, -2};
  ASSERT_TRUE(WriteNpy(path, DType::kF64, {1, 2}, values.data()).ok());
  auto array = ReadNpy(path);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->bytes, BytesOf(values));
  std::filesystem::remove(path);
  EXPECT_THAT(Message(ReadNpy(path).status()), HasSubstr(path));
}

}  // namespace
}  // namespace ashlar
