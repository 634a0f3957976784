// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/weights_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "runtime/base/file.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/memory/weights.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class WeightsCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "ashlar_cache_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
    options_.directory = directory_ + "/cache/below";
    ASSERT_TRUE(WriteFile(directory_ + "/model.safetensors", testing::TinyCheckpoint()).ok());
    tiny_.program.weight_directory = directory_;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // Binds through the cache; the weights must be right however they came.
  CacheOutcome Bind() {
    std::string path = directory_ + "/tiny.ashlar";
    EXPECT_TRUE(tiny_.Write(path).ok());
    auto program = Program::Load(path);
    auto plain = Weights::Bind(*program, "", pool_);
    auto weights = Weights::Bind(*program, "", pool_, options_);
    EXPECT_TRUE(plain.ok() && weights.ok()) << weights.status();
    EXPECT_EQ((*plain)->cache().use, CacheUse::kOff);
    EXPECT_TRUE(std::string_view((*weights)->data(), (*weights)->bytes()) ==
                std::string_view((*plain)->data(), (*plain)->bytes()));
    CacheUse use = (*weights)->cache().use;
    EXPECT_EQ((*weights)->mapped(), use == CacheUse::kMapped || use == CacheUse::kStored);
    return (*weights)->cache();
  }

  std::string Contents(const std::string& path) { return *ReadFile(path, 1 << 20); }

  testing::TinyProgram tiny_;
  ThreadPool pool_{2};
  std::string directory_;
  CacheOptions options_;
};

// Programs that differ in nothing but which elements of a tensor they read.
TEST_F(WeightsCacheTest, RangesHaveFilesOfTheirOwn) {
  auto file_of = [&](int64_t begin) {
    fb::WeightPartT& part = *tiny_.program.weights[0]->parts[0];
    part.range = part.whole = part.shape;
    part.whole[0] += 2;
    part.begin.assign(part.shape.size(), 0);
    part.begin[0] = begin;
    return CacheIdentity::Of(tiny_.program, nullptr, 0).FileName();
  };
  const std::string first = file_of(0);
  EXPECT_EQ(file_of(0), first);
  EXPECT_NE(file_of(1), first);
}

TEST_F(WeightsCacheTest, TheSecondTimeMaps) {
  CacheOutcome first = Bind();
  EXPECT_EQ(first.use, CacheUse::kStored);
  EXPECT_EQ(first.note, "");
  CacheOutcome second = Bind();
  EXPECT_EQ(second.use, CacheUse::kMapped);
  EXPECT_EQ(second.path, first.path);
  options_.verify = true;
  EXPECT_EQ(Bind().use, CacheUse::kMapped);
  // No temporary file is left.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(options_.directory), {}), 1);
}

TEST_F(WeightsCacheTest, AnotherCheckpointOrLayoutIsAnotherFile) {
  std::string path = Bind().path;
  // The same bytes, written again: another inode and time.
  ASSERT_TRUE(WriteFile(directory_ + "/model.safetensors", testing::TinyCheckpoint()).ok());
  CacheOutcome changed = Bind();
  EXPECT_EQ(changed.use, CacheUse::kStored);
  EXPECT_NE(changed.path, path);
  tiny_.program.weight_source = fb::WeightSource::Random;
  tiny_.program.random_seed = 3;
  CacheOutcome seeded = Bind();
  EXPECT_EQ(seeded.use, CacheUse::kStored);
  EXPECT_EQ(Bind().use, CacheUse::kMapped);
  tiny_.program.random_seed = 4;
  EXPECT_NE(Bind().path, seeded.path);
  std::string seed4 = Bind().path;
  tiny_.program.weights[0]->parts[0]->scale = 3;
  EXPECT_NE(Bind().path, seed4);
}

// A file that takes the checkpoint's place later does not get the name for what was read.
TEST_F(WeightsCacheTest, TheIdentityIsOfWhatWasOpened) {
  auto checkpoint = *Checkpoint::Open(directory_);
  CacheIdentity before = CacheIdentity::Of(tiny_.program, checkpoint.get());
  ASSERT_TRUE(WriteFile(directory_ + "/model.safetensors", testing::TinyCheckpoint()).ok());
  EXPECT_TRUE(CacheIdentity::Of(tiny_.program, checkpoint.get()) == before);
  EXPECT_FALSE(CacheIdentity::Of(tiny_.program, Checkpoint::Open(directory_)->get()) == before);
}

TEST_F(WeightsCacheTest, VerifyCacheReadsAndChangesNothing) {
  ASSERT_TRUE(tiny_.Write(directory_ + "/tiny.ashlar").ok());
  auto program = *Program::Load(directory_ + "/tiny.ashlar");
  EXPECT_EQ(Weights::VerifyCache(*program, directory_, options_.directory).status().code(),
            absl::StatusCode::kNotFound);
  std::string path = Bind().path, bad = Contents(path);
  EXPECT_EQ(*Weights::VerifyCache(*program, directory_, options_.directory), path);
  bad.back() ^= 1;
  ASSERT_TRUE(WriteFile(path, bad).ok());
  absl::Status status = Weights::VerifyCache(*program, directory_, options_.directory).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  EXPECT_TRUE(Contents(path) == bad);
}

TEST_F(WeightsCacheTest, DamagedFilesAreNamedAndReplaced) {
  std::string path = Bind().path, good = Contents(path);
  auto expect_rebuilt = [&](const std::string& bytes, const std::string& why) {
    ASSERT_TRUE(WriteFile(path, bytes).ok());
    CacheOutcome outcome = Bind();
    EXPECT_EQ(outcome.use, CacheUse::kStored) << why;
    EXPECT_THAT(outcome.note, AllOf(HasSubstr(path), HasSubstr(why), HasSubstr("packed anew")));
    EXPECT_TRUE(Contents(path) == good) << why;
    EXPECT_EQ(Bind().use, CacheUse::kMapped);
  };
  expect_rebuilt("", "found 0 bytes");
  expect_rebuilt(good.substr(0, good.size() - 1), "(truncated)");
  expect_rebuilt(good + "x", "bytes, found");
  expect_rebuilt(std::string(good.size(), 'x'), "it begins with 'xxxxxxxx'");
  for (int byte : {8, 16, 24, 32, 40}) {
    std::string bad = good;
    bad[byte] ^= 1;
    expect_rebuilt(bad, byte == 8 ? "format 0" : "the header is corrupted");
  }
  // Another file's name: whole, but not what is asked for.
  tiny_.program.weight_source = fb::WeightSource::Random;
  std::string other = Contents(Bind().path);
  tiny_.program.weight_source = fb::WeightSource::Checkpoint;
  expect_rebuilt(other, "another program or checkpoint");
}

TEST_F(WeightsCacheTest, VerifyingReadsTheContents) {
  std::string path = Bind().path, good = Contents(path), bad = good;
  bad[kCacheDataOffset + 100] ^= 1;
  ASSERT_TRUE(WriteFile(path, bad).ok());
  options_.verify = true;
  CacheOutcome outcome = Bind();
  EXPECT_EQ(outcome.use, CacheUse::kStored);
  EXPECT_THAT(outcome.note, HasSubstr("the packed weights are corrupted (checksum)"));
  EXPECT_TRUE(Contents(path) == good);
}

TEST_F(WeightsCacheTest, WithoutAPlaceTheRunGoesOn) {
  ASSERT_TRUE(WriteFile(directory_ + "/file", "x").ok());
  options_.directory = directory_ + "/file/below";
  CacheOutcome outcome = Bind();
  EXPECT_EQ(outcome.use, CacheUse::kFailed);
  EXPECT_THAT(outcome.note, AllOf(HasSubstr("the packed weights are not kept"),
                                  HasSubstr(directory_ + "/file/below")));
  options_.directory = "/dev/full/below";
  EXPECT_EQ(Bind().use, CacheUse::kFailed);
  options_.directory = "/proc";  // nothing can be created there, by nobody
  EXPECT_EQ(Bind().use, CacheUse::kFailed);
}

}  // namespace
}  // namespace ashlar
