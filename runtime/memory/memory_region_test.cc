// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/memory_region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

TEST(MemoryRegion, CountsWhatIsHeld) {
  uint64_t before = MemoryRegion::LiveBytes();
  {
    auto region = MemoryRegion::Allocate(10000, "a test");
    ASSERT_TRUE(region.ok());
    EXPECT_EQ(MemoryRegion::LiveBytes(), before + 10000);
    EXPECT_EQ(region->data()[9999], 0);
    MemoryRegion moved = *std::move(region);
    moved.data()[0] = 1;
    EXPECT_EQ(MemoryRegion::LiveBytes(), before + 10000);
    MemoryRegion other;
    other = std::move(moved);
    EXPECT_EQ(other.bytes(), 10000u);
  }
  EXPECT_EQ(MemoryRegion::LiveBytes(), before);
}

TEST(MemoryRegion, SaysWhatCouldNotBeHad) {
  auto region = MemoryRegion::Allocate(uint64_t{1} << 62, "the arena");
  ASSERT_FALSE(region.ok());
  EXPECT_THAT(Message(region.status()),
              ::testing::HasSubstr("4611686018427387904 bytes of memory for the arena"));
}

}  // namespace
}  // namespace ashlar
