// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention forward in f32 arithmetic, softmax(scale q k^T + mask) v with an online softmax
// (Milakov and Gimelshein, 2018): a block takes Rows rows of one sequence and key head, where a row
// is a query of one of the heads that share the key head, so that keys and values are read once for
// all of them. Lanes neighbouring threads share a row; each takes every Lanes-th key of a tile,
// then every Lanes-th group of four columns of the result. Keys and values are matrices in memory,
// read 16 bytes at a time where their rows allow, or functions of the generated kernel, as masks
// are. Operations: 2 x rows x keys x (width + value width) a key head.
#pragma once

#include "attention_range.cuh"
#include "matrix.cuh"
#include "online_softmax.cuh"
#include "reduce.cuh"

namespace ashlar {

template <int RowCount, int LaneCount, int KeyCount, int QueryWidth, int ValueWidth>
struct FmaAttentionShape {
  static constexpr int kRows = RowCount, kLanes = LaneCount, kKeys = KeyCount;
  static constexpr int kThreads = kRows * kLanes;
  static constexpr int kWidth = QueryWidth, kValueWidth = ValueWidth;
  static constexpr int kPadded = (kWidth + 3) / 4 * 4, kValuePadded = (kValueWidth + 3) / 4 * 4;
  static constexpr int kGroups = (kValuePadded / 4 + kLanes - 1) / kLanes; // of a thread's columns
  static_assert(kThreads % 32 == 0 && kLanes <= 32 && kKeys % kLanes == 0, "whole warps and turns");
  // Rows are padded so that neighbouring ones begin in other banks.
  struct Shared {
    float q[kRows][kPadded + 4];
    float k[kKeys][kPadded + 4];
    float v[kKeys][kValuePadded + 4];
    float weight[kRows][kKeys + 1];
  };
};

/// tile[r][c] = operand(first + r, c) for c < Width, 0 up to the padding and for rows that are not
/// there.
template <int Threads, int Rows, int Width, int Padded, int Stride, typename Operand>
ASHLAR_DEVICE void fill_tile(float (&tile)[Rows][Stride], const Operand &operand, int32 first,
                             int32 there) {
#pragma unroll 4
  for (int i = thread_index(); i < Rows * Padded; i += Threads) {
    int row = i / Padded, column = i % Padded;
    tile[row][column] = row < there && column < Width ? operand(first + row, column) : 0.0f;
  }
}
/// The same from memory, 16 bytes at a time.
template <int Threads, int Rows, int Width, int Padded, int Stride, typename T>
ASHLAR_DEVICE void fill_tile(float (&tile)[Rows][Stride], const Matrix<T, true> &matrix,
                             int32 first, int32 there) {
  constexpr int kPiece = kVectorWidth<T>, kPieces = Width / kPiece;
  static_assert(Width % kPiece == 0 && Width == Padded, "whole pieces");
#pragma unroll 4
  for (int i = thread_index(); i < Rows * kPieces; i += Threads) {
    int row = i / kPieces, column = i % kPieces * kPiece;
    float x[kPiece];
    load_row(x, matrix, first + row, column, row < there ? Width : 0);
#pragma unroll
    for (int c = 0; c < kPiece; c += 4)
      store_vector<float, 4>(&tile[row][column + c], {x[c], x[c + 1], x[c + 2], x[c + 3]});
  }
}

/// The grid is (tiles of rows, key heads, sequences). query(row, d); key(j, d) and value(j, d)
/// are matrices or functions; sees(row, j) for keys in the range; finish(row, column, value) and
/// logsumexp(row, value) store.
template <typename Shape, typename Query, typename Key, typename Value, typename Sees,
          typename Finish, typename LogSumExp>
ASHLAR_DEVICE void attention_fma(const AttentionRange &range, float scale, const Query &query,
                                 const Key &key, const Value &value, Sees sees, Finish finish,
                                 LogSumExp logsumexp) {
  auto &space = shared<typename Shape::Shared>();
  const int row0 = block_x() * Shape::kRows;
  const int row = thread_index() / Shape::kLanes, lane_of_row = thread_index() % Shape::kLanes;
  fill_tile<Shape::kThreads, Shape::kRows, Shape::kWidth, Shape::kPadded>(space.q, query, row0,
                                                                          range.rows - row0);

  OnlineSoftmax softmax;
  float out[Shape::kGroups][4];
#pragma unroll
  for (int g = 0; g < Shape::kGroups; ++g)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      out[g][i] = 0.0f;
  for (int key0 = range.first; key0 < range.end; key0 += Shape::kKeys) {
    block_sync(); // the keys and values before have been read
    fill_tile<Shape::kThreads, Shape::kKeys, Shape::kWidth, Shape::kPadded>(space.k, key, key0,
                                                                            range.end - key0);
    fill_tile<Shape::kThreads, Shape::kKeys, Shape::kValueWidth, Shape::kValuePadded>(
        space.v, value, key0, range.end - key0);
    block_sync();

    float s[Shape::kKeys / Shape::kLanes], maximum = Max::identity();
#pragma unroll
    for (int t = 0; t < Shape::kKeys / Shape::kLanes; ++t) {
      int j = t * Shape::kLanes + lane_of_row;
      bool visible = row0 + row < range.rows && key0 + j < range.end && sees(row0 + row, key0 + j);
      float sum = 0.0f;
      if (visible) {
#pragma unroll 4
        for (int d = 0; d < Shape::kPadded; d += 4) {
          Vec<float, 4> x = load_vector<float, 4>(&space.q[row][d]);
          Vec<float, 4> y = load_vector<float, 4>(&space.k[j][d]);
#pragma unroll
          for (int i = 0; i < 4; ++i)
            sum = fma(x.element[i], y.element[i], sum);
        }
      }
      s[t] = visible ? sum * (scale * kLog2E) : Max::identity();
      maximum = max(maximum, s[t]);
    }
    float factor = softmax.raise(warp_reduce<Max, Shape::kLanes>(maximum));
    float sum = 0.0f;
#pragma unroll
    for (int t = 0; t < Shape::kKeys / Shape::kLanes; ++t) {
      float weight = softmax.weight(s[t]);
      space.weight[row][t * Shape::kLanes + lane_of_row] = weight;
      sum += weight;
    }
    softmax.sum += warp_reduce<Sum, Shape::kLanes>(sum);
    warp_sync(); // a row's weights are its own warp's
#pragma unroll
    for (int g = 0; g < Shape::kGroups; ++g)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        out[g][i] *= factor;
    int there = range.end - key0 < Shape::kKeys ? range.end - key0 : Shape::kKeys;
    for (int j = 0; j < there; ++j) {
      float weight = space.weight[row][j];
#pragma unroll
      for (int g = 0; g < Shape::kGroups; ++g) {
        int column = (g * Shape::kLanes + lane_of_row) * 4;
        if (column >= Shape::kValuePadded)
          break;
        Vec<float, 4> y = load_vector<float, 4>(&space.v[j][column]);
#pragma unroll
        for (int i = 0; i < 4; ++i)
          out[g][i] = fma(weight, y.element[i], out[g][i]);
      }
    }
    warp_sync(); // the weights have been read
  }
  if (row0 + row >= range.rows)
    return;
  float inverse = softmax.sum > 0.0f ? 1.0f / softmax.sum : softmax.sum;
#pragma unroll
  for (int g = 0; g < Shape::kGroups; ++g)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      int column = (g * Shape::kLanes + lane_of_row) * 4 + i;
      if (column < Shape::kValueWidth)
        finish(row0 + row, column, out[g][i] * inverse);
    }
  if (lane_of_row == 0)
    logsumexp(row0 + row, softmax.maximum * kLn2 + log(softmax.sum));
}

} // namespace ashlar
