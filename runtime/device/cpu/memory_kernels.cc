// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes over memory. Which form of a pass is fastest varies from one CPU to another (hardware
// prefetchers follow pages, some like several streams), so there are several of each.
#include <immintrin.h>

#include "runtime/device/cpu/peak_kernels.h"

namespace ashlar {
namespace {

int64_t ReadSse(const char* from, char*, int64_t bytes) {
  __m128i sums[4] = {};
  for (int64_t i = 0; i < bytes; i += 64)
    for (int j = 0; j < 4; ++j)
      sums[j] = _mm_or_si128(sums[j],
                             _mm_load_si128(reinterpret_cast<const __m128i*>(from + i + 16 * j)));
  return _mm_cvtsi128_si64(
      _mm_or_si128(_mm_or_si128(sums[0], sums[1]), _mm_or_si128(sums[2], sums[3])));
}

// Prefetches `kAhead` bytes before use where that is not 0.
template <int kAhead>
__attribute__((target("avx2"))) int64_t ReadAvx2(const char* from, char*, int64_t bytes) {
  __m256i a = _mm256_setzero_si256(), b = a;
  for (int64_t i = 0; i < bytes; i += 64) {
    if (kAhead) _mm_prefetch(from + i + kAhead, _MM_HINT_T0);
    a = _mm256_or_si256(a, _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i)));
    b = _mm256_or_si256(b, _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i + 32)));
  }
  return _mm256_extract_epi64(_mm256_or_si256(a, b), 0);
}

template <int kAhead>
__attribute__((target("avx512f"))) int64_t ReadAvx512(const char* from, char*, int64_t bytes) {
  __m512i a = _mm512_setzero_si512(), b = a;
  for (int64_t i = 0; i < bytes; i += 128) {
    if (kAhead) {
      _mm_prefetch(from + i + kAhead, _MM_HINT_T0);
      _mm_prefetch(from + i + kAhead + 64, _MM_HINT_T0);
    }
    a = _mm512_or_si512(a, _mm512_load_si512(from + i));
    b = _mm512_or_si512(b, _mm512_load_si512(from + i + 64));
  }
  return _mm512_reduce_or_epi64(_mm512_or_si512(a, b));
}

// Streams side by side, each over its part of the bytes, which they divide.
template <int kStreams>
__attribute__((target("avx512f"))) int64_t ReadStreamsAvx512(const char* from, char*,
                                                             int64_t bytes) {
  __m512i sums[kStreams];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  int64_t part = bytes / kStreams;
  for (int64_t i = 0; i < part; i += 64)
    for (int j = 0; j < kStreams; ++j)
      sums[j] = _mm512_or_si512(sums[j], _mm512_load_si512(from + i + j * part));
  for (int j = 1; j < kStreams; ++j) sums[0] = _mm512_or_si512(sums[0], sums[j]);
  return _mm512_reduce_or_epi64(sums[0]);
}

// Stores around the caches: what is written is not read first.
int64_t CopySse(const char* from, char* to, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 16)
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm_load_si128(reinterpret_cast<const __m128i*>(from + i)));
  _mm_sfence();
  return to[0];
}

__attribute__((target("avx512f"))) int64_t CopyAvx512(const char* from, char* to, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), _mm512_load_si512(from + i));
  _mm_sfence();
  return to[0];
}

// `rep movsb`, which the CPU may do in its own best way.
int64_t CopyString(const char* from, char* to, int64_t bytes) {
  char* at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
  return to[0];
}

}  // namespace

const std::vector<MemoryKernel>& MemoryKernels() {
  static const auto* kernels = new std::vector<MemoryKernel>{
      {"read", "SSE loads", {}, ReadSse},
      {"read", "AVX2 loads", {"avx2"}, ReadAvx2<0>},
      {"read", "AVX2 loads, prefetch", {"avx2"}, ReadAvx2<1024>},
      {"read", "AVX-512 loads", {"avx512f"}, ReadAvx512<0>},
      {"read", "AVX-512 loads, prefetch", {"avx512f"}, ReadAvx512<1024>},
      {"read", "AVX-512 loads, prefetch far", {"avx512f"}, ReadAvx512<4096>},
      {"read", "AVX-512 loads, 4 streams", {"avx512f"}, ReadStreamsAvx512<4>},
      {"read", "AVX-512 loads, 8 streams", {"avx512f"}, ReadStreamsAvx512<8>},
      {"read", "AVX-512 loads, 16 streams", {"avx512f"}, ReadStreamsAvx512<16>},
      {"copy", "SSE, stores past the caches", {}, CopySse},
      {"copy", "AVX-512, stores past the caches", {"avx512f"}, CopyAvx512},
      {"copy", "REP MOVSB", {}, CopyString},
  };
  return *kernels;
}

}  // namespace ashlar
