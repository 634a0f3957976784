// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

using testing::HasSubstr;

// A file image: length, header, `data_bytes` counting bytes.
std::string Image(const std::string& header, size_t data_bytes) {
  uint64_t length = header.size();
  std::string image(reinterpret_cast<const char*>(&length), 8);
  image += header;
  for (size_t i = 0; i < data_bytes; ++i) image += static_cast<char>(i);
  return image;
}

std::string Entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  int begin, int end) {
  return StrCat('"', name, "\":{\"dtype\":\"", dtype, "\",\"shape\":", shape, ",\"data_offsets\":[",
                begin, ",", end, "]}");
}

std::string ErrorOf(const std::string& image) {
  auto header = ParseSafetensorsHeader("file", image);
  EXPECT_FALSE(header.ok());
  return header.ok() ? "" : Message(header.status());
}

TEST(SafetensorsHeader, ListsTensorsInTheOrderOfTheirBytes) {
  std::string json = "{\"__metadata__\":{\"format\":\"pt\"}," + Entry("b", "BF16", "[2,3]", 4, 16) +
                     "," + Entry("a", "F32", "[]", 0, 4) + "," +
                     Entry("empty", "I64", "[0,7]", 16, 16) + "}   ";
  auto header = ParseSafetensorsHeader("file", Image(json, 16));
  ASSERT_TRUE(header.ok()) << header.status();
  ASSERT_EQ(header->tensors.size(), 3u);
  EXPECT_EQ(header->tensors[0].name, "a");
  EXPECT_EQ(header->tensors[0].shape, std::vector<int64_t>());
  EXPECT_EQ(header->tensors[1].dtype, DType::kBF16);
  EXPECT_EQ(header->tensors[1].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(header->tensors[1].offset, 8 + json.size() + 4);
  EXPECT_EQ(header->tensors[1].bytes, 12u);
  EXPECT_EQ(header->metadata.at("format"), "pt");
  EXPECT_TRUE(ParseSafetensorsHeader("file", Image("{}", 0)).ok());
}

TEST(SafetensorsHeader, SaysWhatIsWrong) {
  auto one = [](const std::string& body, size_t data = 4) {
    return ErrorOf(Image("{\"t\":{" + body + "}}", data));
  };
  EXPECT_THAT(ErrorOf("1234567"), HasSubstr("at least 8 bytes, found 7"));
  EXPECT_THAT(ErrorOf(std::string(8, '\xff') + "x"),
              HasSubstr("its length says 18446744073709551615"));
  EXPECT_THAT(ErrorOf(Image("{}", 0).substr(0, 9)),
              HasSubstr("expected a header of 2 bytes, the file has 1"));
  EXPECT_THAT(ErrorOf(Image("", 0)), HasSubstr("malformed JSON"));
  EXPECT_THAT(ErrorOf(Image("[]", 0)), HasSubstr("found an array"));
  EXPECT_THAT(ErrorOf(Image("{\"a\":3}", 0)), HasSubstr("tensor 'a', found 3"));
  EXPECT_THAT(ErrorOf(Image("{} {}", 0)), HasSubstr("malformed JSON"));
  EXPECT_THAT(ErrorOf(Image("{\"a\xff\":{}}", 0)), HasSubstr("UTF-8"));
  EXPECT_THAT(ErrorOf(Image("{\"__metadata__\":{\"a\":1}}", 0)), HasSubstr("__metadata__"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[1]"), HasSubstr("tensor 't': no data_offsets"));
  EXPECT_THAT(one("\"dtype\":\"Q4\",\"shape\":[1],\"data_offsets\":[0,4]"),
              HasSubstr("dtype 'Q4' is not known"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]"),
              HasSubstr("found -1"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]"),
              HasSubstr("found 1.0"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]"),
              HasSubstr("found an array"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]"), HasSubstr("found 1"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]"),
              HasSubstr("found 4"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]"),
              HasSubstr("end before they begin"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]"),
              HasSubstr("tensor 't': expected 8 bytes for F32 [2], data_offsets give 4"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]"),
              HasSubstr("occurs twice"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,4]"),
              HasSubstr("too many elements"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[18446744073709551616],\"data_offsets\":[0,4]"),
              HasSubstr("found 1844"));
  EXPECT_THAT(one("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1"),
              HasSubstr("unknown key 'x'"));
}

TEST(SafetensorsHeader, ChecksPlaces) {
  std::string a = Entry("a", "F32", "[2]", 0, 8);
  EXPECT_THAT(ErrorOf(Image("{" + a + "}", 4)),
              HasSubstr("tensor 'a' ends at data byte 8, the file has 4"));
  EXPECT_THAT(ErrorOf(Image("{" + a + "}", 9)),
              HasSubstr("expected 8 bytes of data after the header, found 9"));
  EXPECT_THAT(ErrorOf(Image("{" + a + "," + Entry("b", "F32", "[2]", 4, 12) + "}", 12)),
              HasSubstr("tensors 'a' and 'b' overlap"));
  EXPECT_THAT(ErrorOf(Image("{" + a + "," + Entry("b", "U8", "[2]", 10, 12) + "}", 12)),
              HasSubstr("no tensor covers data bytes 8 to 10"));
  EXPECT_THAT(ErrorOf(Image("{" + a + "," + a + "}", 8)), HasSubstr("tensor 'a' occurs twice"));
  EXPECT_THAT(ErrorOf(Image("{" + Entry("e", "F32", "[0]", 9, 9) + "," + a + "}", 8)),
              HasSubstr("tensor 'e'"));
}

TEST(SafetensorsHeader, DeepNestingEndsEarly) {
  EXPECT_THAT(ErrorOf(Image(std::string(1 << 20, '['), 0)), HasSubstr("found an array"));
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += "{\"a\":";
  EXPECT_THAT(ErrorOf(Image(nested, 0)), HasSubstr("expected dtype"));
}

// Every cut and many flips of a good file: an error or a header whose tensors lie inside; never a
// crash.
TEST(SafetensorsHeader, SurvivesMutation) {
  std::string good =
      Image("{\"__metadata__\":{\"format\":\"pt\"}," + Entry("a", "F32", "[2]", 0, 8) + "," +
                Entry("b", "F16", "[2,2]", 8, 16) + "}",
            16);
  ASSERT_TRUE(ParseSafetensorsHeader("file", good).ok());
  for (size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(ParseSafetensorsHeader("file", std::string_view(good).substr(0, cut)).ok()) << cut;
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string bad = good;
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips)
      bad[random() % bad.size()] = static_cast<char>(random());
    auto header = ParseSafetensorsHeader("file", bad);
    if (!header.ok()) continue;
    for (const TensorInfo& tensor : header->tensors)
      EXPECT_LE(tensor.offset + tensor.bytes, bad.size());
  }
}

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "ashlar_checkpoint_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void Put(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFile(directory_ + "/" + name, bytes).ok());
  }
  std::string OpenError() {
    auto checkpoint = Checkpoint::Open(directory_);
    EXPECT_FALSE(checkpoint.ok());
    return checkpoint.ok() ? "" : Message(checkpoint.status());
  }
  std::string directory_;
};

TEST_F(CheckpointTest, OpensASingleFile) {
  Put("model.safetensors",
      Image("{" + Entry("w.a", "U8", "[3]", 1, 4) + "," + Entry("w.b", "U8", "[]", 0, 1) + "}", 4));
  auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(*(*checkpoint)->Data("w.a"), "\x01\x02\x03");
  EXPECT_EQ((*checkpoint)->tensors()[1].name, "w.b");
  EXPECT_EQ((*checkpoint)->Find("w"), nullptr);
  EXPECT_THAT(Message((*checkpoint)->Data("w.c").status()),
              HasSubstr("no tensor 'w.c'; it has 2 tensors, similar: w.a"));
}

TEST_F(CheckpointTest, HashFollowsTheHeaderNotTheData) {
  std::string image = Image("{" + Entry("a", "U8", "[4]", 0, 4) + "}", 4);
  Put("model.safetensors", image);
  uint64_t first = (*Checkpoint::Open(directory_))->HeaderHash();
  std::string other_data = image;
  other_data.back() ^= 1;
  Put("model.safetensors", other_data);
  EXPECT_EQ((*Checkpoint::Open(directory_))->HeaderHash(), first);
  Put("model.safetensors", Image("{" + Entry("b", "U8", "[4]", 0, 4) + "}", 4));
  EXPECT_NE((*Checkpoint::Open(directory_))->HeaderHash(), first);
}

TEST_F(CheckpointTest, OpensShards) {
  Put("m-1.safetensors",
      Image("{" + Entry("a", "U8", "[2]", 0, 2) + "," + Entry("extra", "U8", "[1]", 2, 3) + "}",
            3));
  Put("m-2.safetensors", Image("{" + Entry("b", "U8", "[1]", 0, 1) + "}", 1));
  Put("model.safetensors.index.json",
      "{\"metadata\":{\"total_size\":3,\"x\":[{\"y\":null}]},\"weight_map\":{\"b\":\"m-2."
      "safetensors\","
      "\"a\":\"m-1.safetensors\"}}");
  auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  ASSERT_EQ((*checkpoint)->tensors().size(), 2u);
  EXPECT_EQ((*checkpoint)->files().size(), 2u);
  EXPECT_EQ(*(*checkpoint)->Data("a"), std::string("\0\1", 2));
  EXPECT_EQ((*checkpoint)->Find("b")->file, 1);
}

TEST_F(CheckpointTest, RefusesABrokenIndex) {
  EXPECT_THAT(OpenError(), HasSubstr("expected model.safetensors or model.safetensors.index.json"));
  auto index = [&](const std::string& text) {
    Put("model.safetensors.index.json", text);
    return OpenError();
  };
  EXPECT_THAT(index("{}"), HasSubstr("no weight_map"));
  EXPECT_THAT(index("{\"weight_map\":3}"), HasSubstr("found a number"));
  EXPECT_THAT(index("{\"weight_map\":[]}"), HasSubstr("found an array"));
  EXPECT_THAT(index("[]"), HasSubstr("found an array"));
  EXPECT_THAT(index("{\"weight_map\":{\"a\":{}}}"),
              HasSubstr("file name of tensor 'a', found an object"));
  EXPECT_THAT(index("{\"weight_map\":{\"a\":\"../x\"}}"), HasSubstr("in the same directory"));
  EXPECT_THAT(index("{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}"), HasSubstr("occurs twice"));
  EXPECT_THAT(index("{\"weight_map\":{},\"weight_map\":{}}"), HasSubstr("weight_map occurs twice"));
  EXPECT_THAT(index("{\"weight_map\":{\"a\":\"gone.safetensors\"}}"),
              HasSubstr("gone.safetensors"));
  EXPECT_THAT(index("{\"m\":" + std::string(1000, '[')), HasSubstr("nested more than"));
  Put("s.safetensors", Image("{" + Entry("b", "U8", "[1]", 0, 1) + "}", 1));
  EXPECT_THAT(index("{\"weight_map\":{\"a\":\"s.safetensors\"}}"),
              HasSubstr("expected tensor 'a' in s.safetensors"));
}

TEST_F(CheckpointTest, OpeningDoesNotReadWeights) {
  // 4 TiB of weights in a sparse file: only the header can have been read.
  std::string json =
      "{\"big\":{\"dtype\":\"F32\",\"shape\":[1099511627776],\"data_offsets\":[0,4398046511104]}}";
  Put("model.safetensors", Image(json, 0));
  if (truncate((directory_ + "/model.safetensors").c_str(), 8 + json.size() + (1ll << 42)) != 0)
    GTEST_SKIP() << "the file system has no sparse files of this size";
  auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ((*checkpoint)->Data("big")->size(), 1ull << 42);
  EXPECT_EQ((*checkpoint)->Data("big")->back(), '\0');
}

}  // namespace
}  // namespace ashlar
