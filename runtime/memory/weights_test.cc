// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "runtime/base/error_code.h"
#include "runtime/base/file.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/memory/weight_packer.h"
#include "runtime/testing/checkpoint_builder.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

class WeightsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "ashlar_weights_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
    PutCheckpoint(testing::TinyCheckpoint());
    tiny_.program.weight_directory = directory_;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void PutCheckpoint(const std::string& bytes) {
    ASSERT_TRUE(WriteFile(directory_ + "/model.safetensors", bytes).ok());
  }
  absl::StatusOr<std::shared_ptr<const Weights>> Bind(const std::string& directory = "") {
    std::string path = directory_ + "/tiny.ashlar";
    absl::Status status = tiny_.program.weight_source == fb::WeightSource::Embedded
                              ? absl::OkStatus()
                              : tiny_.Write(path);
    if (!status.ok()) return status;
    ASHLAR_ASSIGN_OR_RETURN(auto program, Program::Load(path));
    return Weights::Bind(program, directory, pool_);
  }
  std::string ErrorOfBind() {
    auto weights = Bind();
    EXPECT_FALSE(weights.ok());
    return Message(weights.status());
  }

  testing::TinyProgram tiny_;
  ThreadPool pool_{2};
  std::string directory_;
};

void ExpectTinyWeights(const Weights& weights) {
  std::vector<float> expected = testing::TinyWeight(), bias = testing::TinyBias();
  const float* packed = reinterpret_cast<const float*>(weights.data());
  for (int n = 0; n < testing::kTinyN; ++n) {
    for (int k = 0; k < testing::kTinyK; ++k)
      EXPECT_EQ(packed[n / 32 * 32 * testing::kTinyK + k * 32 + n % 32],
                expected[k * testing::kTinyN + n]);
    EXPECT_EQ(packed[320 + n], bias[n]);
  }
}

TEST_F(WeightsTest, BindsACheckpoint) {
  auto weights = Bind();
  ASSERT_TRUE(weights.ok()) << weights.status();
  ExpectTinyWeights(**weights);
  EXPECT_FALSE((*weights)->mapped());
}

// Does something to the checkpoint when the packing begins.
class Meddler : public Executor {
 public:
  explicit Meddler(std::function<void()> meddle) : meddle_(std::move(meddle)) {}
  int size() const override { return 1; }

 private:
  void Launch(int64_t items, RangeFunction function, void* context) override {
    meddle_();
    function(context, 0, items, 0);
  }
  std::function<void()> meddle_;
};

TEST_F(WeightsTest, ACheckpointThatShrinksOrChangesMeanwhileIsAnError) {
  GuardMappedFiles();
  const std::string path = directory_ + "/model.safetensors";
  ASSERT_TRUE(tiny_.Write(directory_ + "/tiny.ashlar").ok());
  std::shared_ptr<const Program> program = *Program::Load(directory_ + "/tiny.ashlar");
  Meddler cut([&] { ASSERT_EQ(truncate(path.c_str(), 0), 0); });
  absl::Status status = Weights::Bind(program, "", cut).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kFileChanged);
  EXPECT_THAT(Message(status), HasSubstr(path));
  // A file that was cut before is one that does not hold its tensors.
  EXPECT_THAT(ErrorOfBind(), HasSubstr(path));
  ASSERT_TRUE(WriteFile(path, testing::TinyCheckpoint()).ok());
  Meddler grow([&] { std::ofstream(path, std::ios::app) << "x"; });
  EXPECT_EQ(CodeOf(Weights::Bind(program, "", grow).status()), ErrorCode::kFileChanged);
  ASSERT_TRUE(WriteFile(path, testing::TinyCheckpoint()).ok());
  EXPECT_TRUE(Bind().ok());
}

TEST_F(WeightsTest, TheDirectoryCanBeOverridden) {
  tiny_.program.weight_directory = "/nowhere";
  EXPECT_THAT(ErrorOfBind(), HasSubstr("name their directory: /nowhere: not a directory"));
  auto weights = Bind(directory_);
  ASSERT_TRUE(weights.ok()) << weights.status();
  ExpectTinyWeights(**weights);
}

TEST_F(WeightsTest, BindsAnEmbeddedSectionWithoutACopy) {
  tiny_.program.weight_source = fb::WeightSource::Embedded;
  auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok());
  auto stream = [&](const ByteSink& sink) {
    return PackWeights(tiny_.program, *CheckpointSource(*checkpoint), pool_, sink);
  };
  ASSERT_TRUE(
      WriteArtifact(directory_ + "/tiny.ashlar", tiny_.program, tiny_.code, tiny_.constants, stream)
          .ok());
  uint64_t before = MemoryRegion::LiveBytes();
  auto weights = Bind();
  ASSERT_TRUE(weights.ok()) << weights.status();
  ExpectTinyWeights(**weights);
  EXPECT_TRUE((*weights)->mapped());
  EXPECT_EQ((*weights)->data(), (*weights)->program().weights().data());
  EXPECT_EQ(MemoryRegion::LiveBytes(), before);
}

TEST_F(WeightsTest, NamesWhatDoesNotFit) {
  testing::CheckpointBuilder builder;
  builder.Add("a.weight", DType::kF32, {5, 20}, std::vector<float>(100));
  PutCheckpoint(builder.Build());
  EXPECT_THAT(ErrorOfBind(),
              HasSubstr("tensor 'a.weight': expected F32 [20, 5], found F32 [5, 20]"));
  testing::CheckpointBuilder other;
  other.Add("a.weight", DType::kF32, {20, 5}, std::vector<float>(100));
  other.Add("b.weights", DType::kF32, {20, 5}, std::vector<float>(100));
  PutCheckpoint(other.Build());
  EXPECT_THAT(ErrorOfBind(),
              HasSubstr("no tensor 'b.weight'; it has 2 tensors, similar: a.weight, b.weights"));
  std::filesystem::remove(directory_ + "/model.safetensors");
  EXPECT_THAT(ErrorOfBind(), HasSubstr("expected model.safetensors"));
}

TEST_F(WeightsTest, ComparesTheHeaders) {
  std::string bytes = testing::TinyCheckpoint();
  bytes.replace(bytes.find("{\"a.weight\""), 1, "{\"__metadata__\":{},");
  uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  length += 18;
  std::memcpy(bytes.data(), &length, 8);
  PutCheckpoint(bytes);
  EXPECT_THAT(ErrorOfBind(), HasSubstr("the safetensors headers are not those"));
  tiny_.program.checkpoint_hash = 0;  // not recorded
  EXPECT_TRUE(Bind().ok());
}

TEST_F(WeightsTest, MakesWeightsFromASeed) {
  tiny_.program.weight_source = fb::WeightSource::Random;
  tiny_.program.random_seed = 11;
  auto weights = Bind();
  ASSERT_TRUE(weights.ok()) << weights.status();
  std::string first((*weights)->data(), (*weights)->bytes());
  tiny_.program.random_seed = 12;
  EXPECT_NE(std::string((*Bind())->data(), first.size()), first);
  tiny_.program.random_seed = 11;
  EXPECT_EQ(std::string((*Bind())->data(), first.size()), first);
}

}  // namespace
}  // namespace ashlar
