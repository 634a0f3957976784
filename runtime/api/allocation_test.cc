// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Steps take nothing from the heap: every allocation of the process, on every thread, is counted
// here.
#include <atomic>
#include <cstdlib>

#include "runtime/api/ashlar.h"
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

TEST_F(AllocationTest, MicrobatchesAllocateNothing) {
#ifdef ASHLAR_SANITIZED
  GTEST_SKIP() << "the sanitizer's allocator is in use";
#endif
  for (auto& entry : tiny_.program.entries) entry->microbatches = 3;
  auto session = MakeSession(2);
  std::vector<float> x(8 * testing::kTinyK, 0.5f);
  std::vector<int64_t> value = {1, 2, 3, 4};
  std::vector<Tensor> four = {{"x", DType::kF32, {4, 2, testing::kTinyK}, x.data()}};
  std::vector<Tensor> two = {{"x", DType::kF32, {2, 1, testing::kTinyK}, x.data()}};
  std::vector<Tensor> step = {{"value", DType::kI64, {4}, value.data()}};
  std::vector<Tensor> logits, total;
  auto run = [&] {
    session->Reset();
    return session->Run("forward", two, &logits).ok() &&
           session->Run("forward", four, &logits).ok() && session->Run("step", step, &total).ok();
  };
  ASSERT_TRUE(run() && session->last_microbatches() == 3);
  int64_t before = allocations;
  bool all = true;
  for (int i = 0; i < 100; ++i) all = run() && all;
  EXPECT_EQ(allocations - before, 0);
  EXPECT_TRUE(all);
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

// The C interface adds nothing.
TEST_F(AllocationTest, StepsOfTheCInterfaceAllocateNothing) {
#ifdef ASHLAR_SANITIZED
  GTEST_SKIP() << "the sanitizer's allocator is in use";
#endif
  ASSERT_NE(LoadTiny(), nullptr);
  ashlar_program* program = nullptr;
  ashlar_session* session = nullptr;
  ASSERT_EQ(ashlar_program_load((directory_ + "/tiny.ashlar").c_str(), nullptr, &program), nullptr);
  ASSERT_EQ(ashlar_session_create(program, nullptr, &session), nullptr);
  const std::vector<float> x(8 * testing::kTinyK, 0.5f);
  const int64_t value = 1, one = 1, shape[] = {1, 8, testing::kTinyK};
  ashlar_tensor floats = ASHLAR_INIT(ashlar_tensor), count = floats, output = floats;
  floats.name = "x";
  floats.dtype = ASHLAR_F32;
  floats.rank = 3;
  floats.shape = shape;
  floats.data = const_cast<float*>(x.data());
  count.name = "value";
  count.dtype = ASHLAR_I64;
  count.rank = 1;
  count.shape = &one;
  count.data = const_cast<int64_t*>(&value);
  auto run = [&] {
    output = ASHLAR_INIT(ashlar_tensor);
    bool good = !ashlar_session_reset(session) &&
                !ashlar_session_run(session, "forward", &floats, 1, &output, 1, nullptr);
    output = ASHLAR_INIT(ashlar_tensor);
    return good && !ashlar_session_run(session, "step", &count, 1, &output, 1, nullptr);
  };
  ASSERT_TRUE(run());
  int64_t before = allocations;
  bool all = true;
  for (int i = 0; i < 100; ++i) all = run() && all;
  EXPECT_EQ(allocations - before, 0);
  EXPECT_TRUE(all);
  ashlar_session_release(session);
  ashlar_program_release(program);
}

}  // namespace
}  // namespace ashlar
