// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/peaks.h"

#include <immintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "runtime/device/cpu/cpu_features.h"

namespace ashlar {
namespace {

constexpr int64_t kFmaSteps = 1 << 15;
constexpr int64_t kReadBytes = int64_t{256} << 20;
constexpr int64_t kReadBlock = int64_t{1} << 20;

// Each runs kFmaSteps rounds of independent multiply-adds, more chains than latency times ports (4
// x 2), and returns a value that depends on all of them.
__attribute__((target("avx512f"))) float FmaAvx512() {
  constexpr int kChains = 16;
  __m512 sums[kChains], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kFmaSteps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], x, y);
  for (int i = 1; i < kChains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_reduce_add_ps(sums[0]);
}
constexpr double kFlopsAvx512 = 2.0 * 16 * 16 * kFmaSteps;

__attribute__((target("avx2,fma"))) float FmaAvx2() {
  constexpr int kChains = 12;
  __m256 sums[kChains], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kFmaSteps; ++step)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], x, y);
  for (int i = 1; i < kChains; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  float lanes[8];
  _mm256_storeu_ps(lanes, sums[0]);
  return lanes[0] + lanes[7];
}
constexpr double kFlopsAvx2 = 2.0 * 12 * 8 * kFmaSteps;

float FmaSse() {
  constexpr int kChains = 12;
  __m128 sums[kChains], x = _mm_set1_ps(0.999f), y = _mm_set1_ps(0.001f);
  for (int i = 0; i < kChains; ++i) sums[i] = _mm_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kFmaSteps; ++step)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sums[i] = _mm_add_ps(_mm_mul_ps(sums[i], x), y);
  for (int i = 1; i < kChains; ++i) sums[0] = _mm_add_ps(sums[0], sums[i]);
  return _mm_cvtss_f32(sums[0]);
}
constexpr double kFlopsSse = 2.0 * 12 * 4 * kFmaSteps;

// How far ahead the second way of reading asks for lines, in bytes.
constexpr int64_t kReadAhead = 2048;

// Each reads the bytes (a multiple of 256, aligned to 64) and returns a value that depends on all
// of them: left to the hardware's prefetchers, or asking for lines itself. Which is faster differs
// from machine to machine.
template <bool kAsks>
__attribute__((target("avx512f"))) int64_t ReadAvx512(const char* bytes, int64_t count) {
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (int64_t i = 0; i < count; i += 256) {
    if (kAsks)
      for (int64_t line = 0; line < 256; line += 64)
        _mm_prefetch(bytes + i + line + kReadAhead, _MM_HINT_T0);
    a = _mm512_or_si512(a, _mm512_load_si512(bytes + i));
    b = _mm512_or_si512(b, _mm512_load_si512(bytes + i + 64));
    c = _mm512_or_si512(c, _mm512_load_si512(bytes + i + 128));
    d = _mm512_or_si512(d, _mm512_load_si512(bytes + i + 192));
  }
  return _mm512_reduce_or_epi64(_mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d)));
}

template <bool kAsks>
int64_t ReadPlain(const char* bytes, int64_t count) {
  __m128i sums[4] = {};
  for (int64_t i = 0; i < count; i += 64) {
    if (kAsks) _mm_prefetch(bytes + i + kReadAhead, _MM_HINT_T0);
    for (int j = 0; j < 4; ++j)
      sums[j] = _mm_or_si128(sums[j],
                             _mm_load_si128(reinterpret_cast<const __m128i*>(bytes + i + 16 * j)));
  }
  __m128i all = _mm_or_si128(_mm_or_si128(sums[0], sums[1]), _mm_or_si128(sums[2], sums[3]));
  return _mm_cvtsi128_si64(all);
}

// Returns the seconds that the fastest of `tries` calls took.
template <typename F>
double BestSeconds(int tries, F&& f) {
  double best = 1e30;
  for (int i = 0; i < tries; ++i) {
    auto begin = std::chrono::steady_clock::now();
    f();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

std::atomic<int64_t> sink;  // keeps results alive

double MeasureFma(ThreadPool& pool) {
  const std::set<std::string>& host = HostFeatures();
  float (*fma)() = FmaSse;
  double flops = kFlopsSse;
  if (host.count("avx512f"))
    fma = FmaAvx512, flops = kFlopsAvx512;
  else if (host.count("fma") && host.count("avx2"))
    fma = FmaAvx2, flops = kFlopsAvx2;
  int64_t items = int64_t{pool.size()} * 16;
  double seconds = BestSeconds(40, [&] {
    pool.ParallelFor(items, [&](int64_t begin, int64_t end, int) {
      float sum = 0;
      for (int64_t i = begin; i < end; ++i) sum += fma();
      sink.fetch_add(static_cast<int64_t>(sum), std::memory_order_relaxed);
    });
  });
  return static_cast<double>(items) * flops / seconds * 1e-9;
}

double MeasureRead(ThreadPool& pool) {
  void* memory =
      mmap(nullptr, kReadBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
  madvise(memory, kReadBytes, MADV_HUGEPAGE);
  char* bytes = static_cast<char*>(memory);
  int64_t blocks = kReadBytes / kReadBlock;
  pool.ParallelFor(blocks, [&](int64_t begin, int64_t end, int) {
    std::memset(bytes + begin * kReadBlock, 1, (end - begin) * kReadBlock);
  });
  bool wide = HostFeatures().count("avx512f") > 0;
  double seconds = 1e30;
  for (auto read :
       {wide ? ReadAvx512<false> : ReadPlain<false>, wide ? ReadAvx512<true> : ReadPlain<true>}) {
    seconds =
        std::min(seconds, BestSeconds(5, [&] {
                   pool.ParallelFor(blocks, [&](int64_t begin, int64_t end, int) {
                     sink.fetch_add(read(bytes + begin * kReadBlock, (end - begin) * kReadBlock),
                                    std::memory_order_relaxed);
                   });
                 }));
  }
  munmap(memory, kReadBytes);
  return static_cast<double>(kReadBytes) / seconds * 1e-9;
}

}  // namespace

Peaks MeasurePeaks(ThreadPool& pool) {
  Peaks peaks;
  peaks.f32_gflops = MeasureFma(pool);
  peaks.read_gbs = MeasureRead(pool);
  double seconds = BestSeconds(50, [&] {
    for (int i = 0; i < 100; ++i) pool.ParallelFor(pool.size(), [](int64_t, int64_t, int) {});
  });
  peaks.launch_us = seconds / 100 * 1e6;
  return peaks;
}

}  // namespace ashlar
