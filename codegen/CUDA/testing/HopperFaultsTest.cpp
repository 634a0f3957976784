// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Faults planted in bulk copies and warpgroup products: a missing wait, a missing fence, an early
// read of accumulators, an operand overwritten too soon.

#include "codegen/CUDA/testing/KernelFixture.h"
#include "runtime/base/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>

namespace ashlar {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct alignas(64) Block {
  char map[128];
  void *x, *y;
  int32_t fault;
};

constexpr char kText[] = R"(
#include "fragments.h"
using namespace ashlar;
struct Parameters {
  TensorMap map;
  const bf16 *x;
  float *y;
  int32 fault;
};
struct Space {
  alignas(1024) bf16 tile[64 * 64];
  uint64 full;
};

// y = x x^T of 64 x 64, x through one bulk copy.
ASHLAR_KERNEL(through_copy, 128, Parameters, p) {
  auto &space = shared<Space>();
  if (thread_index() == 0) {
    mbarrier_init(&space.full, 1);
    mbarrier_init_fence();
  }
  if (p.fault != 1) block_sync();
  if (thread_index() == 0) {
    mbarrier_arrive_expect(&space.full, p.fault == 2 ? 8194 : 8192);
    tma_load_2d(space.tile, p.map, 0, 0, &space.full);
  }
  if (p.fault != 3) mbarrier_wait(&space.full, 0);
  float d[32];
  if (p.fault != 4) wgmma_fence();
  for (int k = 0; k < 64; k += 16)
    wgmma_m64k16<64>(d, swizzled_descriptor(space.tile, k), swizzled_descriptor(space.tile, k),
                     k > 0, bf16());
  wgmma_commit();
  if (p.fault == 5) {
    block_sync();
    space.tile[thread_index()] = bf16{0};
  }
  if (p.fault != 6) wgmma_wait<0>();
  if (p.fault == 7 && thread_index() == 0) tma_load_2d(space.tile, p.map, 0, 0, &space.full);
  wgmma_touch(d);
  for (int i = 0; i < 32; ++i)
    p.y[WgmmaD::row(thread_index(), i) * 64 + WgmmaD::col(thread_index(), i)] = d[i];
}

// The same, x stored by the threads.
ASHLAR_KERNEL(through_stores, 128, Parameters, p) {
  auto &space = shared<Space>();
  for (int i = thread_index(); i < 64 * 64; i += 128) {
    int row = i / 64, piece = i % 64 / 8;
    space.tile[row * 64 + (piece ^ row % 8) * 8 + i % 8] = p.x[i];
  }
  if (p.fault != 1) fence_async_proxy();
  block_sync();
  float d[32];
  wgmma_fence();
  for (int k = 0; k < 64; k += 16)
    wgmma_m64k16<64>(d, swizzled_descriptor(space.tile, k), swizzled_descriptor(space.tile, k),
                     k > 0, bf16());
  wgmma_commit();
  wgmma_wait<0>();
  wgmma_touch(d);
  for (int i = 0; i < 32; ++i)
    p.y[WgmmaD::row(thread_index(), i) * 64 + WgmmaD::col(thread_index(), i)] = d[i];
}
)";

class HopperFaults : public testing::Test {
protected:
  HopperFaults() : x_(randomValues<Bf16>(64 * 64, 1)), y_(64 * 64) {}

  std::string run(const char *kernel, int fault) {
    Block block{};
    block.fault = fault;
    TestLaunch test(kText, kernel, block);
    test.operand("x", x_, kRead, offsetof(Block, x)).operand("y", y_, kWrite, offsetof(Block, y));
    emulator::TensorMapParameter map;
    map.rows = map.columns = map.box_rows = map.box_columns = 64;
    map.row_stride = 128;
    test.launch.tensor_maps.push_back(map);
    absl::Status status = test.shared(9216).run();
    return status.ok() ? "" : Message(status);
  }

  void expectProduct() {
    for (int i = 0; i < 64; ++i)
      for (int j = 0; j < 64; ++j) {
        double sum = 0;
        for (int k = 0; k < 64; ++k)
          sum += double(float(x_[i * 64 + k])) * float(x_[j * 64 + k]);
        ASSERT_NEAR(y_[i * 64 + j], sum, 1e-4);
      }
  }

  std::vector<Bf16> x_;
  std::vector<float> y_;
};

TEST_F(HopperFaults, NothingInTheRightKernels) {
  EXPECT_EQ(run("through_copy", 0), "");
  expectProduct();
  std::fill(y_.begin(), y_.end(), 0.0f);
  EXPECT_EQ(run("through_stores", 0), "");
  expectProduct();
}

TEST_F(HopperFaults, BarrierUsedBeforeItsInitialisationIsKnown) {
  EXPECT_THAT(run("through_copy", 1),
              HasSubstr("uses an mbarrier that thread 0 initialised with no barrier between them"));
}

TEST_F(HopperFaults, WrongNumberOfBytes) {
  EXPECT_THAT(run("through_copy", 2), AllOf(HasSubstr("hangs: threads 0-127 wait for the mbarrier"),
                                            HasSubstr("kernel.cpp:27")));
}

TEST_F(HopperFaults, MissingWaitOnABulkCopy) {
  EXPECT_THAT(run("through_copy", 3),
              HasSubstr("where an asynchronous copy by thread 0 has not been waited for"));
}

TEST_F(HopperFaults, MissingFenceBeforeWgmma) {
  EXPECT_THAT(run("through_copy", 4), HasSubstr("without wgmma_fence"));
}

TEST_F(HopperFaults, OperandOverwrittenBeforeTheWait) {
  EXPECT_THAT(run("through_copy", 5),
              HasSubstr("waits for a wgmma whose operand at offset 0 of shared memory was "
                        "overwritten before the wait"));
}

TEST_F(HopperFaults, TileRefilledBeforeAllHaveReadIt) {
  EXPECT_THAT(run("through_copy", 7), HasSubstr("thread 0 writes 16 bytes at offset 0 of shared "
                                                "memory, which thread 96 read with no barrier "
                                                "between them (race)"));
}

TEST_F(HopperFaults, AccumulatorsReadBeforeTheWait) {
  EXPECT_EQ(run("through_copy", 6), "");
  EXPECT_TRUE(std::isnan(y_[0])); // the registers hold NaN patterns until the wait
}

TEST_F(HopperFaults, MissingFenceBetweenStoresAndWgmma) {
  EXPECT_THAT(run("through_stores", 1), HasSubstr("with no fence_async_proxy after it"));
}

} // namespace
} // namespace ashlar
