// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two thousand artifacts with flipped, cut or spliced bytes: each is an error, or gives an answer
// where nothing but bytes of weights changed, and VerifyWeights says so.

#include "runtime/api/session.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/program/program.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

namespace ashlar {
namespace {

class DamagedArtifacts : public ::testing::Test {
protected:
  void SetUp() override {
    directory = ::testing::TempDir() + "ashlar_damaged_" + std::to_string(getpid());
    std::filesystem::create_directories(directory);
    good = compile("bert-base");
    other = compile("distilbert-base");
    auto program = Program::Load(directory + "/bert-base.ashlar");
    ASSERT_TRUE(program.ok()) << program.status();
    weightsBytes = (*program)->weights().size();
    ASSERT_GT(weightsBytes, 1000u);
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  std::string compile(const std::string &golden) {
    const std::string path = directory + "/" + golden + ".ashlar";
    const std::string command = std::string(std::getenv("ASHLAR_BUILD")) + "/bin/ashlar compile " +
                                std::getenv("ASHLAR_SOURCE") + "/test/goldens/" + golden +
                                " --embed-weights -o " + path + " > /dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return *ReadFile(path, 64 << 20);
  }

  std::string damage(std::mt19937 &random) const {
    auto below = [&](size_t bound) { return static_cast<size_t>(random() % bound); };
    std::string bytes = good;
    switch (random() % 4) {
    case 0: // bits anywhere
      for (size_t flips = 1 + below(4); flips > 0; --flips)
        bytes[below(bytes.size())] ^= static_cast<char>(1u << below(8));
      return bytes;
    case 1: // bits of weights
      bytes[bytes.size() - 1 - below(weightsBytes)] ^= static_cast<char>(1u << below(8));
      return bytes;
    case 2: // cut
      return bytes.substr(0, below(bytes.size()));
    default: { // another artifact's bytes: in place, or the rest of the file
      const size_t at = below(bytes.size()), from = below(other.size());
      if (below(2) == 0)
        return bytes.substr(0, at) + other.substr(from);
      const std::string piece = other.substr(from, 1 + below(4096));
      return bytes.replace(at, std::min(piece.size(), bytes.size() - at), piece);
    }
    }
  }

  /// One step on one token; its status.
  absl::Status run(std::shared_ptr<const Program> program) {
    SessionOptions options;
    options.threads = 1;
    auto session = Session::Create(std::move(program), options);
    if (!session.ok())
      return session.status();
    const int64_t id = 1;
    std::vector<Tensor> outputs;
    return (*session)->Run("forward", {{"input_ids", DType::kI64, {1, 1}, &id}}, &outputs);
  }

  std::string directory, good, other;
  size_t weightsBytes = 0;
};

TEST_F(DamagedArtifacts, AreErrorsOrTheirWeightsAre) {
  const std::string path = directory + "/damaged.ashlar";
  const size_t weightsAt = good.size() - weightsBytes;
  std::mt19937 random(2026);
  int refused = 0, answered = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = damage(random);
    // Not over the old file, which may still be mapped.
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary) << bytes;
    auto program = Program::Load(path);
    if (!program.ok()) {
      EXPECT_NE(Message(program.status()).find(path), std::string::npos) << program.status();
      EXPECT_NE(bytes, good) << program.status();
      ++refused;
      continue;
    }
    ASSERT_EQ(bytes.substr(0, weightsAt), good.substr(0, weightsAt)) << i;
    EXPECT_EQ((*program)->VerifyWeights().ok(), bytes == good) << i;
    absl::Status status = run(*program);
    EXPECT_TRUE(status.ok()) << i << ": " << status;
    ++answered;
  }
  // Both kinds were really among them.
  EXPECT_GT(refused, 900);
  EXPECT_GT(answered, 450);
}

} // namespace
} // namespace ashlar
