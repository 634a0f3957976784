// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each loop keeps more independent chains than latency times issue width asks for (multiply-add: 4
// cycles on two ports; a tile product: 52 cycles, one every 16). Operands are small numbers, so
// that no sum becomes infinite or denormal.
#include <immintrin.h>

#include <cstring>

#include "runtime/device/cpu/peak_kernels.h"

namespace ashlar {
namespace {

constexpr int64_t kSteps = 1 << 14;

int64_t FmaSse() {
  constexpr int kChains = 12;
  __m128 sums[kChains], x = _mm_set1_ps(0.999f), y = _mm_set1_ps(0.001f);
  for (int i = 0; i < kChains; ++i) sums[i] = _mm_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kSteps; ++step)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sums[i] = _mm_add_ps(_mm_mul_ps(sums[i], x), y);
  for (int i = 1; i < kChains; ++i) sums[0] = _mm_add_ps(sums[0], sums[i]);
  return _mm_cvtss_si64(sums[0]);
}

__attribute__((target("avx2,fma"))) int64_t FmaAvx2() {
  constexpr int kChains = 12;
  __m256 sums[kChains], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kSteps; ++step)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], x, y);
  for (int i = 1; i < kChains; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return _mm_cvtss_si64(
      _mm_add_ps(_mm256_castps256_ps128(sums[0]), _mm256_extractf128_ps(sums[0], 1)));
}

__attribute__((target("avx512f"))) int64_t FmaAvx512() {
  constexpr int kChains = 16;
  __m512 sums[kChains], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kSteps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], x, y);
  for (int i = 1; i < kChains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return static_cast<int64_t>(_mm512_reduce_add_ps(sums[0]));
}

// e^-x, again and again: x = n ln 2 + r, a polynomial of degree 6 in r (Taylor's, which costs what
// a better one costs), times 2^n. Values stay between 0 and 1.
constexpr float kLog2e = 1.44269504f, kLn2 = 0.693147181f;
constexpr float kExp[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};

__attribute__((target("avx2,fma"))) int64_t ExpAvx2() {
  constexpr int kChains = 8;
  __m256 values[kChains];
  for (int i = 0; i < kChains; ++i) values[i] = _mm256_set1_ps(0.1f * static_cast<float>(i));
  for (int64_t step = 0; step < kSteps; ++step)
#pragma GCC unroll 8
    for (int i = 0; i < kChains; ++i) {
      __m256 n = _mm256_round_ps(_mm256_mul_ps(values[i], _mm256_set1_ps(-kLog2e)),
                                 _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      __m256 r = _mm256_fnmsub_ps(n, _mm256_set1_ps(kLn2), values[i]);
      __m256 p = _mm256_set1_ps(kExp[0]);
      for (int c = 1; c < 7; ++c) p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(kExp[c]));
      __m256i scale = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
      values[i] = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), scale));
    }
  for (int i = 1; i < kChains; ++i) values[0] = _mm256_add_ps(values[0], values[i]);
  return static_cast<int64_t>(1e6f * _mm_cvtss_f32(_mm256_castps256_ps128(values[0])));
}

__attribute__((target("avx512f"))) int64_t ExpAvx512() {
  constexpr int kChains = 12;
  __m512 values[kChains];
  for (int i = 0; i < kChains; ++i) values[i] = _mm512_set1_ps(0.1f * static_cast<float>(i));
  for (int64_t step = 0; step < kSteps; ++step)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(values[i], _mm512_set1_ps(-kLog2e)),
                                      _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      __m512 r = _mm512_fnmsub_ps(n, _mm512_set1_ps(kLn2), values[i]);
      __m512 p = _mm512_set1_ps(kExp[0]);
      for (int c = 1; c < 7; ++c) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(kExp[c]));
      values[i] = _mm512_scalef_ps(p, n);
    }
  for (int i = 1; i < kChains; ++i) values[0] = _mm512_add_ps(values[0], values[i]);
  return static_cast<int64_t>(1e6f * _mm512_reduce_add_ps(values[0]));
}

__attribute__((target("avx512f,avx512bf16"))) int64_t DotBf16Avx512() {
  constexpr int kChains = 16;
  __m512 sums[kChains];
  // 0x3c00 is 2^-7 in bf16. The operands pass through volatile memory: a product of constants that
  // the compiler can see would be folded.
  volatile int bits = 0x3c003c00;
  __m512bh x = (__m512bh)_mm512_set1_epi32(bits), y = (__m512bh)_mm512_set1_epi32(bits);
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kSteps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], x, y);
  for (int i = 1; i < kChains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return static_cast<int64_t>(_mm512_reduce_add_ps(sums[0]));
}

__attribute__((target("avx512f,avx512vnni"))) int64_t DotInt8Avx512() {
  constexpr int kChains = 16;
  volatile int bits = 0x01020301;
  __m512i sums[kChains], x = _mm512_set1_epi32(bits), y = _mm512_set1_epi32(bits);
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_epi32(i);
  for (int64_t step = 0; step < kSteps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], x, y);
  for (int i = 1; i < kChains; ++i) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  return _mm512_reduce_add_epi32(sums[0]);
}

__attribute__((target("avx2,avxvnni"))) int64_t DotInt8Avx2() {
  constexpr int kChains = 12;
  volatile int bits = 0x01020301;
  __m256i sums[kChains], x = _mm256_set1_epi32(bits), y = _mm256_set1_epi32(bits);
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_epi32(i);
  for (int64_t step = 0; step < kSteps; ++step)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sums[i] = _mm256_dpbusd_avx_epi32(sums[i], x, y);
  for (int i = 1; i < kChains; ++i) sums[0] = _mm256_add_epi32(sums[0], sums[i]);
  return _mm256_extract_epi64(sums[0], 0);
}

// Palette 1, eight tiles of 16 rows of 64 bytes (Intel SDM volume 1, chapter 18).
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t column_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Four accumulators; 1024 bytes a tile.
__attribute__((target("amx-tile,amx-bf16"))) int64_t TileBf16() {
  alignas(64) uint16_t operand[512];
  alignas(64) float sums[256];
  for (uint16_t& element : operand) element = 0x3c00;
  TileConfig config;
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, operand, 64);
  _tile_loadd(5, operand, 64);
  _tile_loadd(6, operand, 64);
  _tile_loadd(7, operand, 64);
  for (int64_t step = 0; step < kSteps / 4; ++step) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  float sum = 0;
  _tile_stored(0, sums, 64);
  sum += sums[0];
  _tile_stored(1, sums, 64);
  sum += sums[0];
  _tile_stored(2, sums, 64);
  sum += sums[0];
  _tile_stored(3, sums, 64);
  sum += sums[0];
  _tile_release();
  return static_cast<int64_t>(sum);
}

__attribute__((target("amx-tile,amx-int8"))) int64_t TileInt8() {
  alignas(64) int8_t operand[1024];
  alignas(64) int32_t sums[256];
  std::memset(operand, 1, sizeof(operand));
  TileConfig config;
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, operand, 64);
  _tile_loadd(5, operand, 64);
  _tile_loadd(6, operand, 64);
  _tile_loadd(7, operand, 64);
  for (int64_t step = 0; step < kSteps / 4; ++step) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  int64_t sum = 0;
  _tile_stored(0, sums, 64);
  sum += sums[0];
  _tile_stored(1, sums, 64);
  sum += sums[0];
  _tile_stored(2, sums, 64);
  sum += sums[0];
  _tile_stored(3, sums, 64);
  sum += sums[0];
  _tile_release();
  return sum;
}

// Operations of kSteps rounds: chains, lanes, multiply-adds a lane.
constexpr double Operations(int chains, int lanes, int per_lane) {
  return 2.0 * chains * lanes * per_lane * kSteps;
}
// Of kSteps / 4 rounds of four tile products: 16 x 16 sums over 64 bytes.
constexpr double TileOperations(int element_bytes) {
  return 2.0 * 4 * 16 * 16 * (64 / element_bytes) * (kSteps / 4);
}

}  // namespace

const std::vector<ComputeKernel>& ComputeKernels() {
  static const auto* kernels = new std::vector<ComputeKernel>{
      {"f32", "SSE multiply, add", {}, Operations(12, 4, 1), FmaSse},
      {"f32", "AVX2 FMA", {"avx2", "fma"}, Operations(12, 8, 1), FmaAvx2},
      {"f32", "AVX-512 FMA", {"avx512f"}, Operations(16, 16, 1), FmaAvx512},
      {"f32_exp", "AVX2, degree 6", {"avx2", "fma"}, 8.0 * 8 * kSteps, ExpAvx2},
      {"f32_exp", "AVX-512, degree 6", {"avx512f"}, 12.0 * 16 * kSteps, ExpAvx512},
      {"bf16_dot", "AVX-512 VDPBF16PS", {"avx512bf16"}, Operations(16, 16, 2), DotBf16Avx512},
      {"int8_dot", "AVX-VNNI VPDPBUSD", {"avxvnni"}, Operations(12, 8, 4), DotInt8Avx2},
      {"int8_dot", "AVX-512 VPDPBUSD", {"avx512vnni"}, Operations(16, 16, 4), DotInt8Avx512},
      {"bf16_tile", "AMX TDPBF16PS", {"amx-tile", "amx-bf16"}, TileOperations(2), TileBf16},
      {"int8_tile", "AMX TDPBSSD", {"amx-tile", "amx-int8"}, TileOperations(1), TileInt8},
  };
  return *kernels;
}

}  // namespace ashlar
