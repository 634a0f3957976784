// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How often weights lie in memory: once, for all sessions of a process and for all processes. The
// system counts: a page's proportional share (Pss) is its size over the number of its users.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "runtime/api/session_test_base.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/memory/weight_packer.h"
#include "runtime/program/artifact_writer.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif

namespace ashlar {
namespace {

constexpr uint64_t kBallast = uint64_t{32} << 20;

// A figure of /proc/PID/smaps_rollup in bytes; negative where the system has none.
int64_t Rollup(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string word;
  while (file >> word) {
    int64_t kib = 0;
    if (word == key + ":" && file >> kib) return kib << 10;
  }
  return -1;
}

// Reads a byte of each page.
int64_t Touch(const char* data, uint64_t bytes) {
  int64_t sum = 0;
  for (uint64_t i = 0; i < bytes; i += 4096) sum += static_cast<volatile const char*>(data)[i];
  return sum;
}

class SharingTest : public testing::SessionTestBase {
 protected:
  void SetUp() override {
    SessionTestBase::SetUp();
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    GTEST_SKIP() << "sanitizers take memory of their own";
#endif
    if (Rollup(getpid(), "Pss") < 0) GTEST_SKIP() << "no /proc/self/smaps_rollup here";
    // The tiny program with 32 MiB of weights more, embedded.
    auto part = std::make_unique<fb::WeightPartT>();
    part->tensor = "ballast";
    part->shape = {static_cast<int64_t>(kBallast / 4)};
    part->init = fb::Init::Ones;
    auto weight = std::make_unique<fb::WeightT>();
    weight->name = "ballast";
    weight->shape = part->shape;
    weight->offset = 4096;
    weight->bytes = kBallast;
    weight->parts.push_back(std::move(part));
    tiny_.program.weights.push_back(std::move(weight));
    tiny_.program.weights_bytes = 4096 + kBallast;
    tiny_.program.weight_source = fb::WeightSource::Embedded;
    path_ = directory_ + "/shared.ashlar";
    auto source = RandomSource(1);
    ThreadPool pool(1);
    absl::Status written = WriteArtifact(
        path_, tiny_.program, tiny_.code, tiny_.constants,
        [&](const ByteSink& sink) { return PackWeights(tiny_.program, *source, pool, sink); });
    ASSERT_TRUE(written.ok()) << written;
  }

  // In a process of its own: three sessions of the artifact, whose weights are read; tells `ready`
  // and waits for the end of `go`.
  [[noreturn]] void Child(int ready, int go) {
    auto program = BoundProgram::Load(path_, {});
    bool good = program.ok();
    std::vector<std::unique_ptr<Session>> sessions;
    for (int i = 0; i < 3 && good; ++i) {
      auto session = Session::Create(*program, {});
      good = session.ok();
      if (good) sessions.push_back(*std::move(session));
    }
    if (good) good = Touch((*program)->weights().data(), kBallast) > 0;
    char byte = good ? 1 : 0;
    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0) _exit(1);
    _exit(0);
  }

  std::string path_;
};

TEST_F(SharingTest, SessionsAddNoWeights) {
  auto program = BoundProgram::Load(path_, {});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_TRUE((*program)->weights().mapped());
  Touch((*program)->weights().data(), kBallast);
  const int64_t before = Rollup(getpid(), "Pss");
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 16; ++i) {
    auto session = Session::Create(*program, {});
    ASSERT_TRUE(session.ok());
    EXPECT_EQ((*session)->weights().data(), (*program)->weights().data());
    Touch((*session)->weights().data(), kBallast);
    sessions.push_back(*std::move(session));
  }
  EXPECT_LT(Rollup(getpid(), "Pss") - before, static_cast<int64_t>(kBallast) / 4);
}

TEST_F(SharingTest, ProcessesShareOneCopy) {
  constexpr int kChildren = 4;
  int ready[2], go[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(go), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < kChildren; ++i) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(go[1]);
      Child(ready[1], go[0]);
    }
    children.push_back(child);
  }
  close(go[0]);
  for (int i = 0; i < kChildren; ++i) {
    char good = 0;
    ASSERT_EQ(read(ready[0], &good, 1), 1);
    EXPECT_EQ(good, 1);
  }
  int64_t rss = 0, pss = 0;
  for (pid_t child : children) {
    rss += Rollup(child, "Rss");
    pss += Rollup(child, "Pss");
  }
  close(go[1]);  // they may end
  for (pid_t child : children) {
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  close(ready[0]);
  close(ready[1]);
  const int64_t ballast = static_cast<int64_t>(kBallast);
  EXPECT_GE(rss, kChildren * ballast);  // everyone has read all of it,
  EXPECT_GE(pss, ballast);
  EXPECT_LT(pss, 2 * ballast);  // and it is there once
  std::printf("%d processes of 3 sessions: resident %.1f MiB, proportional %.1f MiB\n", kChildren,
              static_cast<double>(rss) / (1 << 20), static_cast<double>(pss) / (1 << 20));
}

}  // namespace
}  // namespace ashlar
