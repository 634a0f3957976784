// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/pack_panels.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

namespace ashlar {
namespace {

constexpr int64_t kBlock = 256;  // words of a stored row that are transposed at a time
constexpr int64_t kPitch =
    kBlock + 16;  // of staged columns, so that they do not fall into the same cache sets
constexpr int64_t kRow = 256;  // columns that are read at a time from rows [K, N]
constexpr int64_t kMaxWidth = 32;

constexpr int64_t kAhead = 8;  // rows [K, N] that are asked for before they are read

// Asks for `bytes` that will be read soon. Pieces of rows lie pages apart, which the hardware does
// not foresee.
void Prefetch(const char* from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) _mm_prefetch(from + i, _MM_HINT_T0);
}

// rows[r * width + c] = columns[c * kPitch + r] for c < width, r < height; all are 32-bit words, a
// row begins at a multiple of 64 bytes.
void TransposeFull(const uint32_t* columns, int64_t height, int64_t width, uint32_t* rows) {
  alignas(64) float four[4 * kMaxWidth];
  int64_t r = 0;
  for (; r + 4 <= height; r += 4) {
    for (int64_t c = 0; c < width; c += 4) {
      const float* in = reinterpret_cast<const float*>(columns + c * kPitch + r);
      __m128 x = _mm_loadu_ps(in), y = _mm_loadu_ps(in + kPitch);
      __m128 z = _mm_loadu_ps(in + 2 * kPitch), w = _mm_loadu_ps(in + 3 * kPitch);
      _MM_TRANSPOSE4_PS(x, y, z, w);
      _mm_store_ps(four + c, x);
      _mm_store_ps(four + width + c, y);
      _mm_store_ps(four + 2 * width + c, z);
      _mm_store_ps(four + 3 * width + c, w);
    }
    StreamCopy(four, rows + r * width, 4 * width * 4);
  }
  for (; r < height; ++r)
    for (int64_t c = 0; c < width; ++c) rows[r * width + c] = columns[c * kPitch + r];
}

// Stored [N, K]: a word is one f32, or a pair of bf16 of one column, which are neighbours there
// too.
void PackTransposed(const PanelPart& part, int64_t width, DType dtype) {
  int64_t per_word = 4 / DTypeSize(dtype);
  int64_t words = (part.K + per_word - 1) / per_word;
  alignas(64) uint32_t stage[kMaxWidth * kPitch];
  for (int64_t panel = part.place / width; panel * width < part.place + part.count; ++panel) {
    int64_t begin = std::max(panel * width, part.place),
            end = std::min((panel + 1) * width, part.place + part.count);
    for (int64_t w = 0; w < words; w += kBlock) {
      int64_t height = std::min(kBlock, words - w), k = w * per_word;
      int64_t elements = std::min(height * per_word, part.K - k);
      for (int64_t n = begin; n < end; ++n) {
        uint32_t* column = stage + (n - begin) * kPitch;
        column[height - 1] = 0;  // the second half of a last, odd pair
        part.reader->Read((part.first + n - part.place) * part.stride + k, elements, dtype, column);
      }
      uint32_t* rows = part.out + (panel * words + w) * width;
      if (end - begin == width) {
        TransposeFull(stage, height, width, rows);
        continue;
      }
      for (int64_t r = 0; r < height; ++r)
        for (int64_t n = begin; n < end; ++n)
          rows[r * width + n - panel * width] = stage[(n - begin) * kPitch + r];
    }
  }
}

// Calls f(panel, column in the panel, place in the run, count) for each panel's share of columns
// [n, n + count).
template <typename F>
void ForEachPanel(int64_t n, int64_t count, int64_t width, F&& f) {
  for (int64_t done = 0; done < count;) {
    int64_t column = (n + done) % width, share = std::min(width - column, count - done);
    f((n + done) / width, column, done, share);
    done += share;
  }
}

// Rows [K, N] where they lie, `pitch` elements apart: the part begins and ends with whole panels of
// f32.
void PackRowsF32(const PanelPart& part, const float* data, int64_t pitch) {
  constexpr int64_t kWidth = 32;
  for (int64_t k = 0; k < part.K; ++k) {
    const float* row = data + k * pitch + part.first;
    if (k + kAhead < part.K)
      Prefetch(reinterpret_cast<const char*>(row + kAhead * pitch),
               part.count * static_cast<int64_t>(sizeof(float)));
    uint32_t* out = part.out + (part.place / kWidth * part.K + k) * kWidth;
    for (int64_t n = 0; n < part.count; n += kWidth, out += part.K * kWidth)
      StreamCopy(row + n, out, sizeof(float) * kWidth);
  }
}

// As above, pairs of rows of bf16; K is even.
void PackRowsBF16(const PanelPart& part, const uint16_t* data, int64_t pitch) {
  constexpr int64_t kWidth = 16;
  int64_t pairs = part.K / 2;
  for (int64_t p = 0; p < pairs; ++p) {
    const uint16_t* even = data + 2 * p * pitch + part.first;
    const uint16_t* odd = even + pitch;
    if (2 * p + 1 + kAhead < part.K) {
      int64_t bytes = part.count * static_cast<int64_t>(sizeof(uint16_t));
      Prefetch(reinterpret_cast<const char*>(even + kAhead * pitch), bytes);
      Prefetch(reinterpret_cast<const char*>(odd + kAhead * pitch), bytes);
    }
    uint32_t* out = part.out + (part.place / kWidth * pairs + p) * kWidth;
    for (int64_t n = 0; n < part.count; n += kWidth, out += pairs * kWidth)
      for (int64_t half = 0; half < kWidth; half += 8) {
        __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(even + n + half));
        __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(odd + n + half));
        _mm_stream_si128(reinterpret_cast<__m128i*>(out + half), _mm_unpacklo_epi16(a, b));
        _mm_stream_si128(reinterpret_cast<__m128i*>(out + half + 4), _mm_unpackhi_epi16(a, b));
      }
  }
}

bool HoldsWholePanels(const PanelPart& part, int64_t width) {
  return part.place % width == 0 && part.count % width == 0;
}

}  // namespace

void StreamCopy(const void* from, void* to, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 16)
    _mm_stream_si128(
        reinterpret_cast<__m128i*>(static_cast<char*>(to) + i),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const char*>(from) + i)));
}

void PackF32(const PanelPart& part, bool transposed) {
  constexpr int64_t kWidth = 32;
  if (transposed) return PackTransposed(part, kWidth, DType::kF32);
  int64_t pitch;
  const void* data = part.reader->Rows(DType::kF32, part.stride, &pitch);
  if (data && HoldsWholePanels(part, kWidth))
    return PackRowsF32(part, static_cast<const float*>(data), pitch);
  alignas(64) float row[kRow];
  for (int64_t k = 0; k < part.K; ++k)
    for (int64_t n = 0; n < part.count; n += kRow) {
      int64_t count = std::min(kRow, part.count - n);
      part.reader->Read(k * part.stride + part.first + n, count, DType::kF32, row);
      ForEachPanel(part.place + n, count, kWidth,
                   [&](int64_t panel, int64_t column, int64_t from, int64_t share) {
                     uint32_t* out = part.out + (panel * part.K + k) * kWidth + column;
                     if (share == kWidth)
                       StreamCopy(row + from, out, sizeof(float) * kWidth);
                     else
                       std::memcpy(out, row + from, share * sizeof(float));
                   });
    }
}

void PackMatrix(const float* matrix, int64_t N, int64_t K, char* out) {
  constexpr int64_t kWidth = 32;
  class Reader : public TensorReader {
   public:
    explicit Reader(const float* data) : data_(data) {}
    void Read(int64_t begin, int64_t count, DType, void* to) const override {
      std::memcpy(to, data_ + begin, count * sizeof(float));
    }

   private:
    const float* data_;
  } const reader(matrix);
  if (N % kWidth != 0)
    std::memset(out + N / kWidth * kWidth * K * sizeof(float), 0, kWidth * K * sizeof(float));
  PackF32({&reader, K, /*stride=*/K, /*first=*/0, N, /*place=*/0, reinterpret_cast<uint32_t*>(out)},
          /*transposed=*/true);
  _mm_sfence();  // stores past the cache are in order before what follows
}

void PackBF16(const PanelPart& part, bool transposed) {
  constexpr int64_t kWidth = 16;
  if (transposed) return PackTransposed(part, kWidth, DType::kBF16);
  int64_t pitch;
  const void* data = part.reader->Rows(DType::kBF16, part.stride, &pitch);
  if (data && HoldsWholePanels(part, kWidth) && part.K % 2 == 0)
    return PackRowsBF16(part, static_cast<const uint16_t*>(data), pitch);
  uint16_t even[kRow], odd[kRow];
  alignas(64) uint32_t words[kWidth];
  int64_t pairs = (part.K + 1) / 2;
  for (int64_t p = 0; p < pairs; ++p)
    for (int64_t n = 0; n < part.count; n += kRow) {
      int64_t count = std::min(kRow, part.count - n), at = 2 * p * part.stride + part.first + n;
      part.reader->Read(at, count, DType::kBF16, even);
      if (2 * p + 1 < part.K)
        part.reader->Read(at + part.stride, count, DType::kBF16, odd);
      else
        std::memset(odd, 0, sizeof(odd));
      ForEachPanel(part.place + n, count, kWidth,
                   [&](int64_t panel, int64_t column, int64_t from, int64_t share) {
                     uint32_t* out = part.out + (panel * pairs + p) * kWidth + column;
                     for (int64_t i = 0; i < share; ++i)
                       words[i] = even[from + i] | static_cast<uint32_t>(odd[from + i]) << 16;
                     if (share == kWidth)
                       StreamCopy(words, out, sizeof(words));
                     else
                       std::memcpy(out, words, share * sizeof(uint32_t));
                   });
    }
}

}  // namespace ashlar
