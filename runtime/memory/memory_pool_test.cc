// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/memory_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(MemoryPool, HoldsTheLimitAndSaysSo) {
  MemoryPool pool({10000, {}});
  auto first = pool.Take(6000, "one");
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->zero);
  auto second = pool.Take(4001, "two");
  EXPECT_EQ(second.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(second.status()),
              AllOf(HasSubstr("10000"), HasSubstr("6000"), HasSubstr("two would take 4001")));
  EXPECT_TRUE(pool.Take(0, "nothing").ok());
  pool.Return(std::move(first->region));
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_EQ(pool.kept(), 6000u);
  // What is kept makes room.
  EXPECT_TRUE(pool.Take(9000, "three").ok());
  EXPECT_EQ(pool.kept(), 0u);
}

TEST(MemoryPool, GivesTheSameBlockAgain) {
  uint64_t before = MemoryRegion::LiveBytes();
  {
    MemoryPool pool({});
    auto block = pool.Take(1 << 20, "one");
    char* data = block->region.data();
    data[5] = 1;
    pool.Return(std::move(block->region));
    auto again = pool.Take((1 << 20) - 100, "two");
    EXPECT_EQ(again->region.data(), data);
    EXPECT_FALSE(again->zero);
    pool.Return(std::move(again->region));
    EXPECT_NE(pool.Take(1 << 18, "small")->region.data(), data);
    EXPECT_GT(MemoryRegion::LiveBytes(), before);
    pool.Trim();
    EXPECT_EQ(pool.kept(), 0u);
  }
  EXPECT_EQ(MemoryRegion::LiveBytes(), before);
}

struct Counts {
  int allocated = 0, released = 0;
  bool full = false;
};

TEST(MemoryPool, AsksTheApplicationsAllocator) {
  Counts counts;
  Allocator allocator;
  allocator.context = &counts;
  allocator.allocate = [](void* context, uint64_t bytes, uint64_t alignment) -> void* {
    auto* counts = static_cast<Counts*>(context);
    if (counts->full) return nullptr;
    ++counts->allocated;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  };
  allocator.release = [](void* context, void* data, uint64_t) {
    ++static_cast<Counts*>(context)->released;
    std::free(data);
  };
  {
    MemoryPool pool({1 << 20, allocator});
    auto block = pool.Take(1000, "one");
    ASSERT_TRUE(block.ok());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block->region.data()) % MemoryRegion::kAlignment, 0u);
    EXPECT_FALSE(block->zero);
    counts.full = true;
    EXPECT_THAT(Message(pool.Take(2000, "two").status()),
                HasSubstr("the application's allocator gave no 2000 bytes for two"));
    EXPECT_EQ(pool.in_use(), 1000u);
    pool.Return(std::move(block->region));
  }
  EXPECT_EQ(counts.allocated, 1);
  EXPECT_EQ(counts.released, 1);
}

// An allocator of a system with 10000 bytes.
struct SmallSystem {
  MemoryPool* pool = nullptr;
  uint64_t free = 10000, in_use_meanwhile = 0;
};

TEST(MemoryPool, LetsGoWhatIsKeptWhereTheSystemHasNoMore) {
  SmallSystem system;
  Allocator allocator;
  allocator.context = &system;
  allocator.allocate = [](void* context, uint64_t bytes, uint64_t alignment) -> void* {
    auto* system = static_cast<SmallSystem*>(context);
    system->in_use_meanwhile = system->pool->in_use();  // no lock is held here
    if (bytes > system->free) return nullptr;
    system->free -= bytes;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  };
  allocator.release = [](void* context, void* data, uint64_t bytes) {
    static_cast<SmallSystem*>(context)->free += bytes;
    std::free(data);
  };
  MemoryPool pool({1 << 20, allocator});
  system.pool = &pool;
  pool.Return(std::move(pool.Take(6000, "one")->region));
  EXPECT_EQ(system.free, 4000u);
  auto block = pool.Take(9000, "two");
  ASSERT_TRUE(block.ok()) << block.status();
  EXPECT_EQ(system.in_use_meanwhile, 9000u);
  EXPECT_EQ(pool.kept(), 0u);
  EXPECT_FALSE(pool.Take(9000, "three").ok());
  EXPECT_EQ(pool.in_use(), 9000u);
}

TEST(MemoryPool, ServesSeveralThreads) {
  MemoryPool pool({uint64_t{4} * 5000, {}});
  std::vector<std::thread> threads;
  std::vector<int> taken(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        auto block = pool.Take(4000 + 250 * t, "a block");
        if (!block.ok()) continue;
        ++taken[t];
        block->region.data()[0] = static_cast<char>(t);
        pool.Return(std::move(block->region));
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (int count : taken) EXPECT_EQ(count, 200);
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_LE(pool.kept(), pool.limit());
}

}  // namespace
}  // namespace ashlar
