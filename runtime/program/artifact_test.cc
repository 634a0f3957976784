// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Artifacts as files: what is written is read, and whatever is changed is found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/program/artifact_writer.h"
#include "runtime/program/metadata_guard.h"
#include "runtime/program/program.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

class ArtifactTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "ashlar_artifact_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
    path_ = directory_ + "/tiny.ashlar";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // Loads an artifact with these bytes.
  absl::Status LoadBytes(const std::string& bytes) {
    // Thousands of these are written: not by WriteFile, which waits for the disk, nor over the old
    // file, for which some file systems wait too.
    std::filesystem::remove(path_);
    std::ofstream(path_, std::ios::binary) << bytes;
    return Program::Load(path_).status();
  }
  std::string ErrorOf(const std::string& bytes) {
    absl::Status status = LoadBytes(bytes);
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(Message(status), HasSubstr(path_));
    return Message(status);
  }
  std::string TinyBytes() {
    EXPECT_TRUE(tiny_.Write(path_).ok());
    return *ReadFile(path_, 1 << 20);
  }
  std::string EmbeddedBytes() {
    tiny_.program.weight_source = fb::WeightSource::Embedded;
    std::string weights(tiny_.program.weights_bytes, 'w');
    absl::Status status =
        WriteArtifact(path_, tiny_.program, tiny_.code, tiny_.constants, [&](const ByteSink& sink) {
          ASHLAR_RETURN_IF_ERROR(sink(std::string_view(weights).substr(0, 100)));
          return sink(std::string_view(weights).substr(100));
        });
    EXPECT_TRUE(status.ok()) << status;
    return *ReadFile(path_, 1 << 20);
  }

  testing::TinyProgram tiny_;
  std::string directory_, path_;
};

TEST_F(ArtifactTest, LoadsWhatWasWritten) {
  ASSERT_GT(tiny_.code.size(), 64u) << "the test kernels were not built";
  ASSERT_TRUE(tiny_.Write(path_).ok());
  auto program = Program::Load(path_);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ((*program)->code(), tiny_.code);
  EXPECT_EQ((*program)->constants(), tiny_.constants);
  EXPECT_EQ((*program)->weights(), "");
  EXPECT_EQ((*program)->metadata().entries[0]->launches[0]->path, "layer.dense");
  EXPECT_EQ((*program)->metadata().checkpoint_hash, tiny_.program.checkpoint_hash);
  EXPECT_EQ(*(*program)->FindEntry("step"), 1);
  EXPECT_THAT(Message((*program)->FindEntry("decode").status()),
              HasSubstr("no entry 'decode'; it has forward, step"));
  EXPECT_EQ((*program)->Property("model_type"), "");
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*program)->code().data()) % kSectionAlignment, 0u);
}

TEST_F(ArtifactTest, WeightsAreVerifiedOnlyWhenAsked) {
  std::string bytes = EmbeddedBytes();
  auto program = Program::Load(path_);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ((*program)->weights().size(), tiny_.program.weights_bytes);
  EXPECT_TRUE((*program)->VerifyWeights().ok());
  bytes.back() ^= 1;
  ASSERT_TRUE(WriteFile(path_, bytes).ok());
  program = Program::Load(path_);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_THAT(Message((*program)->VerifyWeights()), HasSubstr("section weights is corrupted"));
}

TEST_F(ArtifactTest, IsRewrittenWithOtherMetadata) {
  const std::string bytes = EmbeddedBytes(), other = directory_ + "/other.ashlar";
  auto program = Program::Load(path_);
  ASSERT_TRUE(program.ok()) << program.status();
  fb::ProgramT changed = (*program)->whole();
  changed.producer = std::string(5000, 'p');  // the sections behind move
  for (const std::string& to : {other, path_}) {
    absl::Status status = RewriteArtifact(to, changed, (*program)->artifact());
    ASSERT_TRUE(status.ok()) << status;
    auto rewritten = Program::Load(to);
    ASSERT_TRUE(rewritten.ok()) << rewritten.status();
    EXPECT_EQ((*rewritten)->metadata().producer, changed.producer);
    EXPECT_EQ((*rewritten)->code(), tiny_.code);
    EXPECT_EQ((*rewritten)->constants(), tiny_.constants);
    EXPECT_EQ((*rewritten)->weights(), std::string(tiny_.program.weights_bytes, 'w'));
    EXPECT_EQ(reinterpret_cast<uintptr_t>((*rewritten)->weights().data()) % kSectionAlignment, 0u);
    EXPECT_TRUE((*rewritten)->VerifyWeights().ok());
    if (to == other) EXPECT_EQ(*ReadFile(path_, 1 << 20), bytes);
  }
  // As it was written, but for the metadata.
  EXPECT_EQ(*ReadFile(path_, 1 << 20), *ReadFile(other, 1 << 20));
  auto back = Program::Load(path_);
  changed.producer = tiny_.program.producer;
  ASSERT_TRUE(RewriteArtifact(path_, changed, (*back)->artifact()).ok());
  EXPECT_EQ(*ReadFile(path_, 1 << 20), bytes);
}

// Weights that are damaged stay so: their checksum goes with them.
TEST_F(ArtifactTest, RewritingHidesNoDamage) {
  std::string bytes = EmbeddedBytes();
  bytes.back() ^= 1;
  ASSERT_TRUE(WriteFile(path_, bytes).ok());
  auto program = Program::Load(path_);
  ASSERT_TRUE(program.ok()) << program.status();
  ASSERT_TRUE(RewriteArtifact(path_, (*program)->whole(), (*program)->artifact()).ok());
  program = Program::Load(path_);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_THAT(Message((*program)->VerifyWeights()), HasSubstr("section weights is corrupted"));
}

TEST_F(ArtifactTest, AFailedWriteLeavesTheOldFile) {
  std::string before = TinyBytes();
  tiny_.program.weight_source = fb::WeightSource::Embedded;
  EXPECT_FALSE(tiny_.Write(path_).ok());  // no weights given
  auto fails = [](const ByteSink&) { return NotFound("no weights today"); };
  EXPECT_THAT(Message(WriteArtifact(path_, tiny_.program, tiny_.code, tiny_.constants, fails)),
              HasSubstr("today"));
  auto too_few = [](const ByteSink& sink) { return sink("abc"); };
  EXPECT_THAT(Message(WriteArtifact(path_, tiny_.program, tiny_.code, tiny_.constants, too_few)),
              HasSubstr("of weights, got 3"));
  EXPECT_EQ(*ReadFile(path_, 1 << 20), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(ArtifactTest, NamesWhatIsCorrupted) {
  std::string good = TinyBytes();
  auto flipped = [&](size_t at) {
    std::string bad = good;
    bad[at] ^= 4;
    return ErrorOf(bad);
  };
  EXPECT_THAT(flipped(0), HasSubstr("not an Ashlar artifact"));
  EXPECT_THAT(flipped(8), HasSubstr("artifact of format 1, this runtime reads format 5"));
  EXPECT_THAT(flipped(16), HasSubstr("file header is corrupted"));
  EXPECT_THAT(flipped(64 + 8), HasSubstr("section table is corrupted"));
  EXPECT_THAT(flipped(4000), HasSubstr("padding"));
  EXPECT_THAT(flipped(4096 + 100), HasSubstr("section metadata is corrupted"));
  EXPECT_THAT(flipped(good.find(tiny_.code) + 3), HasSubstr("section code is corrupted"));
  EXPECT_THAT(flipped(good.find(tiny_.constants) + 3), HasSubstr("section constants is corrupted"));
  EXPECT_THAT(ErrorOf(good + "x"), HasSubstr("bytes, found"));
  EXPECT_THAT(ErrorOf(good.substr(0, good.size() - 1)), HasSubstr("truncated"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("found 0"));
}

TEST_F(ArtifactTest, EveryCutAndEveryFlippedByteIsAnError) {
  std::string good = EmbeddedBytes();
  size_t weights_at = good.size() - tiny_.program.weights_bytes;
  for (size_t cut = 0; cut < good.size(); cut += cut < 300 ? 1 : 97)
    EXPECT_FALSE(LoadBytes(good.substr(0, cut)).ok());
  std::mt19937 random(7);
  for (int i = 0; i < 600; ++i) {
    std::string bad = good;
    size_t at = i < 192 ? i : random() % weights_at;
    bad[at] ^= 1 << random() % 8;
    EXPECT_FALSE(LoadBytes(bad).ok()) << at;
  }
}

// Metadata that was changed by someone who also fixes the checksums: an error or a program, never a
// crash.
TEST_F(ArtifactTest, SurvivesMutatedMetadataWithRightChecksums) {
  ASSERT_TRUE(tiny_.Write(path_).ok());
  std::string good = *ReadFile(path_, 1 << 20);
  SectionHeader table[kNumSections];
  std::memcpy(table, good.data() + sizeof(FileHeader), sizeof(table));
  std::mt19937 random(3);
  int refused = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string bad = good;
    for (int flips = 1 + static_cast<int>(random() % 4); flips > 0; --flips)
      bad[table[0].offset + random() % table[0].bytes] =
          static_cast<char>(random() % 3 ? random() : 255);
    table[0].checksum = Hash64(std::string_view(bad).substr(table[0].offset, table[0].bytes));
    std::memcpy(bad.data() + sizeof(FileHeader), table, sizeof(table));
    FileHeader header;
    std::memcpy(&header, bad.data(), sizeof(header));
    header.table_checksum = Hash64({bad.data() + sizeof(header), sizeof(table)});
    header.header_checksum =
        Hash64({reinterpret_cast<char*>(&header), offsetof(FileHeader, header_checksum)});
    std::memcpy(bad.data(), &header, sizeof(header));
    refused += !LoadBytes(bad).ok();
  }
  EXPECT_GT(refused, 300);
  EXPECT_LT(refused, 1500);  // names and the like may change
}

TEST(MetadataGuard, RefusesAmplification) {
  // 2,000 weights that share one part list of one big shape: small as a buffer, large unpacked.
  flatbuffers::FlatBufferBuilder builder;
  auto shape = builder.CreateVector(std::vector<int64_t>(10000, 1));
  auto name = builder.CreateString("w");
  fb::WeightBuilder weight(builder);
  weight.add_name(name);
  weight.add_shape(shape);
  auto shared = weight.Finish();
  auto weights = builder.CreateVector(std::vector<flatbuffers::Offset<fb::Weight>>(2000, shared));
  fb::ProgramBuilder program(builder);
  program.add_weights(weights);
  fb::FinishProgramBuffer(builder, program.Finish());
  auto result =
      UnpackMetadata({reinterpret_cast<char*>(builder.GetBufferPointer()), builder.GetSize()});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(Message(result.status()), HasSubstr("unpacks to more"));
}

}  // namespace
}  // namespace ashlar
