// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each fault is planted in a kernel that is otherwise right; the emulator names it, and the kernel
// without it passes.

#include "codegen/CUDA/EmulatorCompiler.h"
#include "codegen/CUDA/testing/KernelFixture.h"
#include "runtime/base/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace ashlar {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Block {
  void *x, *y;
  int32_t count, fault;
};

// y[i] = x[neighbour of i in the block], through shared memory. `fault` says what is wrong.
constexpr char kText[] = R"(
#include "device.h"
using namespace ashlar;
struct Parameters {
  const float *x;
  float *y;
  int32 count, fault;
};
struct Staging {
  float value[64];
};

ASHLAR_KERNEL(turn, 64, Parameters, p) {
  auto &staging = shared<Staging>();
  uint32 t = thread_index();
  int32 i = block_x() * 64 + t;
  staging.value[t] = i < p.count || p.fault == 1 ? p.x[i] : 0.0f;
  if (p.fault != 2) block_sync();
  if (p.fault == 3 && t < 32) block_sync();
  if (i < p.count || p.fault == 4) p.y[i] = staging.value[63 - t];
  if (p.fault == 5) p.y[t % 8] = 1.0f;
  if (p.fault == 6) staging.value[t] = 1.0f;
  if (p.fault == 7 && t == 0) {
    Vec<float, 4> v = load_vector<float, 4>(p.x + 1);
    p.y[0] = v.element[0] + v.element[1] + v.element[2] + v.element[3];
  }
  if (p.fault == 8) staging.value[t + 1] = 1.0f;
}

ASHLAR_KERNEL(copy, 64, Parameters, p) {
  auto &staging = shared<Staging>();
  uint32 t = thread_index();
  if (t < 16) copy_async<16>(&staging.value[4 * t], p.x + 4 * t, true);
  copy_async_commit();
  if (p.fault != 1) copy_async_wait<0>();
  if (p.fault != 2) block_sync();
  p.y[t] = staging.value[63 - t];
}

ASHLAR_KERNEL(shuffles, 64, Parameters, p) {
  uint32 t = thread_index();
  float x = p.x[t];
  if (p.fault == 1 && lane() == 5) return;
  if (p.fault == 2 && lane() < 16)
    x = ballot(x > 0) ? x : 0.0f;
  else
    x = shuffle_xor(x, 1);
  p.y[t] = x;
}

ASHLAR_KERNEL(count_up, 64, Parameters, p) {
  if (p.fault == 0)
    atomic_add(p.y, 1.0f);
  else if (p.fault == 1)
    p.y[0] = p.y[0] + 1.0f;
  else if (thread_index() == 0)
    p.y[0] = 1.0f;
}
)";

class FindsFaults : public testing::Test {
protected:
  FindsFaults() : arena_(3 * 64) { std::iota(arena_.begin(), arena_.end(), 0.0f); }

  // x, y and what belongs to neither lie side by side in one arena.
  std::string run(const char *kernel, int fault, int count = 64, int blocks = 1,
                  emulator::OperandAccess access = kWrite) {
    TestLaunch test(kText, kernel, Block{nullptr, nullptr, count, fault});
    test.launch.operands.push_back({"x", &arena_[0], size_t(count) * 4, kRead, 0});
    test.launch.operands.push_back({"y", &arena_[64], size_t(count) * 4, access, 8});
    absl::Status status = test.grid(blocks).shared(256).run();
    if (status.ok())
      return "";
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    return Message(status);
  }

  std::vector<float> arena_;
};

TEST_F(FindsFaults, NothingInTheRightKernels) {
  EXPECT_EQ(run("turn", 0), "");
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(arena_[64 + i], 63.0f - i);
  EXPECT_EQ(run("turn", 0, 50), "");
  EXPECT_EQ(run("copy", 0), "");
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(arena_[64 + i], 63.0f - i);
  EXPECT_EQ(run("shuffles", 0), "");
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(arena_[64 + i], float(i ^ 1));
  arena_[64] = 0;
  EXPECT_EQ(run("count_up", 0, 64, 3, kReadWrite), "");
  EXPECT_EQ(arena_[64], 192.0f);
}

TEST_F(FindsFaults, ReadBeyondAnOperandInsideTheArena) {
  EXPECT_THAT(run("turn", 1, 50),
              AllOf(HasSubstr("kernel turn, block (0, 0, 0), thread 50 reads 4 bytes at offset 200 "
                              "of operand 'x', which has 200 bytes"),
                    HasSubstr("kernel.cpp:17")));
}

TEST_F(FindsFaults, WriteBeyondAnOperandInsideTheArena) {
  std::vector<float> before = arena_;
  EXPECT_THAT(run("turn", 4, 50),
              HasSubstr("thread 63 writes 4 bytes at offset 252 of operand 'y', "
                        "which has 200 bytes"));
  EXPECT_EQ(arena_, before); // a launch that fails writes nothing
}

TEST_F(FindsFaults, WriteToWhatIsOnlyRead) {
  EXPECT_THAT(run("turn", 0, 64, 1, kRead),
              HasSubstr("writes 4 bytes at offset 252 of operand 'y', which the launch declares as "
                        "only read"));
}

TEST_F(FindsFaults, ReadOfWhatIsOnlyWritten) {
  EXPECT_THAT(run("count_up", 1), HasSubstr("reads 4 bytes at offset 0 of operand 'y', which the "
                                            "launch declares as only written"));
}

TEST_F(FindsFaults, OutputThatIsNotWritten) {
  EXPECT_EQ(run("count_up", 2), "");
  EXPECT_EQ(arena_[64], 1.0f);
  EXPECT_TRUE(std::isnan(arena_[65]));
}

TEST_F(FindsFaults, MissingBarrier) {
  EXPECT_THAT(run("turn", 2), HasSubstr("thread 0 reads 4 bytes at offset 252 of shared memory, of "
                                        "which nothing has written byte 252"));
}

TEST_F(FindsFaults, RaceInSharedMemory) {
  EXPECT_THAT(run("turn", 6),
              AllOf(HasSubstr("offset 252 of shared memory, which thread 63 wrote with no barrier "
                              "between them (race)"),
                    HasSubstr("thread 0 reads")));
}

TEST_F(FindsFaults, DivergentBarrier) {
  EXPECT_THAT(run("turn", 3),
              AllOf(HasSubstr("hangs: threads 0-31 wait for barrier 0"),
                    HasSubstr("threads 32-63 have finished"), HasSubstr("kernel.cpp:19")));
}

TEST_F(FindsFaults, RaceInGlobalMemory) {
  EXPECT_THAT(run("turn", 5), AllOf(HasSubstr("operand 'y'"), HasSubstr("(race)")));
}

TEST_F(FindsFaults, RaceOfAnUpdateThatIsNotAtomic) {
  EXPECT_THAT(run("count_up", 1, 64, 1, kReadWrite),
              HasSubstr("with no barrier between them (race)"));
}

TEST_F(FindsFaults, RaceBetweenBlocks) {
  EXPECT_EQ(run("count_up", 2, 64, 1), "");
  EXPECT_THAT(run("count_up", 2, 64, 2), HasSubstr("in the same launch (race)"));
}

TEST_F(FindsFaults, StrayBeyondSharedMemory) {
  EXPECT_THAT(run("turn", 8), HasSubstr("writes 4 bytes at offset 256 of shared memory, which has "
                                        "256 bytes"));
}

TEST_F(FindsFaults, MissingWaitOnACopy) {
  EXPECT_THAT(run("copy", 1),
              AllOf(HasSubstr("where an asynchronous copy by thread"),
                    HasSubstr("has not been waited for"), HasSubstr("kernel.cpp:37")));
}

TEST_F(FindsFaults, MissingBarrierAfterACopy) {
  EXPECT_THAT(run("copy", 2), HasSubstr("of which nothing has written byte 252"));
}

TEST_F(FindsFaults, LaneMissingInAShuffle) {
  EXPECT_THAT(run("shuffles", 1),
              AllOf(HasSubstr("hangs: threads 0-4, 6-36, 38-63 wait for the other lanes of "
                              "its warp in shuffle"),
                    HasSubstr("threads 5, 37 have finished")));
  EXPECT_THAT(run("shuffles", 2), HasSubstr("(divergence)"));
}

TEST(EmulatorCompiler, ReportsTheCompilersMessage) {
  auto wrong = compileForEmulator("#include \"device.h\"\nnonsense");
  ASSERT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(wrong.status()), HasSubstr("nonsense"));
}

TEST(EmulatorCompiler, RejectsFramesBeyondAStack) {
  auto large = compileForEmulator(R"(
#include "device.h"
using namespace ashlar;
struct Parameters { float *y; };
ASHLAR_KERNEL(large, 32, Parameters, p) {
  float local[16384];
  for (int i = 0; i < 16384; ++i) local[i] = p.y[i];
  for (int i = 0; i < 16384; ++i) p.y[i] = local[(i * 7) % 16384];
}
)");
  ASSERT_EQ(large.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(large.status()), HasSubstr("stack frame size"));
}

TEST(EmulatorCompiler, RejectsWhatTheEmulatorDoesNotSee) {
  auto atomic = compileForEmulator(R"(
#include "device.h"
using namespace ashlar;
struct Parameters { int *y; };
ASHLAR_KERNEL(builtin, 32, Parameters, p) { __atomic_fetch_add(p.y, 1, __ATOMIC_RELAXED); }
)");
  ASSERT_EQ(atomic.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(atomic.status()), HasSubstr("undefined symbol: __tsan_atomic32_fetch_add"));
}

TEST_F(FindsFaults, LaunchesThatCannotBe) {
  TestLaunch test(kText, "turn", Block{nullptr, nullptr, 64, 0});
  test.launch.operands.push_back({"x", &arena_[0], 256, kRead, 0});
  test.launch.operands.push_back({"y", &arena_[32], 256, kWrite, 8});
  EXPECT_THAT(Message(test.run()), HasSubstr("overlap without being the same range"));
  test.launch.operands[1].data = &arena_[64];
  test.launch.threads = 48;
  EXPECT_THAT(Message(test.run()), HasSubstr("must be a multiple of 32"));
  test.launch.threads = 64;
  test.launch.grid[1] = 0;
  EXPECT_THAT(Message(test.run()), HasSubstr("0 blocks in dimension 1"));
}

} // namespace
} // namespace ashlar
