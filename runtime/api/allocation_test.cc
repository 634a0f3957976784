// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Steps take nothing from the heap: every allocation of the process, on every thread, is counted
// here.
#include <atomic>
#include <cstdlib>

#include "runtime/api/session_test_base.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ASHLAR_SANITIZED 1  // the sanitizer's allocator is not to be replaced
#endif
#endif

namespace {
std::atomic<int64_t> allocations{0};
}

#ifndef ASHLAR_SANITIZED
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void* malloc(size_t size) { return ++allocations, __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return ++allocations, __libc_calloc(count, size); }
void* realloc(void* old, size_t size) { return ++allocations, __libc_realloc(old, size); }
void* aligned_alloc(size_t alignment, size_t size) {
  return ++allocations, __libc_memalign(alignment, size);
}
}
#endif

namespace ashlar {
namespace {

class AllocationTest : public testing::SessionTestBase {};

TEST_F(AllocationTest, TheCounterCounts) {
#ifdef ASHLAR_SANITIZED
  GTEST_SKIP() << "the sanitizer's allocator is in use";
#endif
  int64_t before = allocations;
  void* volatile one = ::operator new(100);
  ::operator delete(one);
  void* volatile two = std::malloc(100);
  std::free(two);
  EXPECT_EQ(allocations - before, 2);
}

TEST_F(AllocationTest, StepsAllocateNothing) {
#ifdef ASHLAR_SANITIZED
  GTEST_SKIP() << "the sanitizer's allocator is in use";
#endif
  for (int threads : {1, 3}) {
    auto session = MakeSession(threads);
    std::vector<float> x(32 * testing::kTinyK, 0.5f);
    std::vector<int32_t> factor(32, 2);
    std::vector<int64_t> value = {1, 2};
    std::vector<Tensor> small = {{"x", DType::kF32, {1, 3, testing::kTinyK}, x.data()}};
    std::vector<Tensor> large = {{"x", DType::kF32, {4, 8, testing::kTinyK}, x.data()},
                                 {"factor", DType::kI32, {4, 8}, factor.data()}};
    std::vector<Tensor> step = {{"value", DType::kI64, {2}, value.data()}};
    std::vector<Tensor> logits, total;
    auto run = [&] {
      session->Reset();
      return session->Run("forward", small, &logits).ok() &&
             session->Run("forward", large, &logits).ok() &&
             session->Run("step", step, &total).ok() && session->Run("step", step, &total).ok();
    };
    ASSERT_TRUE(run());  // warm-up: the views get their names and shapes
    int64_t before = allocations;
    bool all = true;
    for (int i = 0; i < 100; ++i) all = run() && all;
    EXPECT_EQ(allocations - before, 0) << threads << " threads";
    EXPECT_TRUE(all);
    EXPECT_EQ(total[0].as<int64_t>()[1], 4);
  }
}

}  // namespace
}  // namespace ashlar
