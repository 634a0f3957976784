// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention forward on the tensor cores, softmax(scale q k^T + mask) v, without the matrix of
// scores in memory (Dao, "FlashAttention-2"): a block takes 16 x Warps rows of one sequence and key
// head, where a row is a query of one of the heads that share the key head, and goes over the keys
// in tiles, which are brought one ahead; a warp keeps its 16 rows' scores, maxima and sums in
// registers. Operands are matrices in memory or functions of the generated kernel, and are rounded
// to T, as the weights of the second product are. Operations: 2 x rows x keys x (width + value
// width) a key head.
#pragma once

#include "attention_range.cuh"
#include "fragments.h"
#include "online_softmax.cuh"
#include "tile_loader.cuh"

namespace ashlar {

template <typename Element, int WarpCount, int KeyCount, int QueryWidth, int ValueWidth>
struct MmaAttentionShape {
  using T = Element;
  static constexpr int kRows = 16 * WarpCount, kThreads = 32 * WarpCount, kKeys = KeyCount;
  static constexpr int kWidth = QueryWidth, kValueWidth = ValueWidth;
  static constexpr int kPadded = (kWidth + 15) / 16 * 16;
  static constexpr int kValuePadded = (kValueWidth + 15) / 16 * 16;
  static_assert(kKeys % 16 == 0, "whole 16 x 16 blocks");
  struct Shared {
    Tile<T, kRows, kPadded> q;
    Tile<T, kKeys, kPadded> k[2];
    Tile<T, kKeys, kValuePadded> v[2];
  };
};

/// A warp's 16 rows: a thread holds pieces of two, those of registers 0, 1 and 2, 3 of d.
template <typename Shape>
struct AttentionRows {
  using T = typename Shape::T;
  static constexpr int kKeyBlocks = Shape::kKeys / 8, kValueBlocks = Shape::kValuePadded / 8;
  uint32 q[Shape::kPadded / 16][4];
  float out[kValueBlocks][4];
  OnlineSoftmax softmax[2];

  template <typename KeyTile>
  ASHLAR_DEVICE void score(float (&s)[kKeyBlocks][4], KeyTile &tile) const {
#pragma unroll
    for (int j = 0; j < kKeyBlocks; j += 2) {
#pragma unroll
      for (int r = 0; r < 4; ++r)
        s[j][r] = s[j + 1][r] = 0.0f;
#pragma unroll
      for (int c = 0; c < Shape::kPadded / 16; ++c) {
        uint32 b[4];
        ldmatrix_x4(b, tile.at(8 * j + LdmatrixB::n(lane()), 16 * c + LdmatrixB::k(lane())));
        uint32 left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
        mma_m16n8k16(s[j], q[c], left, T());
        mma_m16n8k16(s[j + 1], q[c], right, T());
      }
    }
  }

  /// The scores become weights; what was summed up so far is brought to the new maxima.
  ASHLAR_DEVICE void weigh(float (&s)[kKeyBlocks][4]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float maximum = Max::identity();
#pragma unroll
      for (int j = 0; j < kKeyBlocks; ++j)
        maximum = max(maximum, max(s[j][2 * h], s[j][2 * h + 1]));
      float factor = softmax[h].raise(warp_reduce<Max, 4>(maximum));
#pragma unroll
      for (int w = 0; w < kValueBlocks; ++w)
        out[w][2 * h] *= factor, out[w][2 * h + 1] *= factor;
#pragma unroll
      for (int j = 0; j < kKeyBlocks; ++j)
#pragma unroll
        for (int r = 2 * h; r < 2 * h + 2; ++r) {
          s[j][r] = softmax[h].weight(s[j][r]);
          softmax[h].sum += s[j][r];
        }
    }
  }

  /// d of the scores is a of the next product: the same lane holds the same elements.
  template <typename ValueTile>
  ASHLAR_DEVICE void add(const float (&s)[kKeyBlocks][4], ValueTile &tile) {
#pragma unroll
    for (int j = 0; j < kKeyBlocks; j += 2) {
      uint32 weights[4] = {pack<T>(s[j][0], s[j][1]), pack<T>(s[j][2], s[j][3]),
                           pack<T>(s[j + 1][0], s[j + 1][1]), pack<T>(s[j + 1][2], s[j + 1][3])};
#pragma unroll
      for (int w = 0; w < kValueBlocks; w += 2) {
        uint32 b[4];
        ldmatrix_x4_transposed(b, tile.at(8 * j + LdmatrixTransposedB::k(lane()),
                                          8 * w + LdmatrixTransposedB::n(lane())));
        uint32 left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
        mma_m16n8k16(out[w], weights, left, T());
        mma_m16n8k16(out[w + 1], weights, right, T());
      }
    }
  }
};

/// The grid is (tiles of rows, key heads, sequences). query(row, d), key(j, d) and value(j, d) are
/// matrices or functions; takes_part(j) and sees(row, j) for keys in the range; all rows see the
/// keys before `all_see`. finish(row, column, value) and logsumexp(row, value) store.
template <typename Shape, typename Query, typename Key, typename Value, typename TakesPart,
          typename Sees, typename Finish, typename LogSumExp>
ASHLAR_DEVICE void attention_mma(const AttentionRange &range, int32 all_see, float scale,
                                 const Query &query, const Key &key, const Value &value,
                                 TakesPart takes_part, Sees sees, Finish finish,
                                 LogSumExp logsumexp) {
  using T = typename Shape::T;
  auto &space = shared<typename Shape::Shared>();
  const int row0 = block_x() * Shape::kRows, warp_row = warp() * 16;
  const int steps =
      range.end > range.first ? (range.end - range.first + Shape::kKeys - 1) / Shape::kKeys : 0;
  TileLoader<Shape::kThreads, T, Shape::kKeys, Shape::kPadded, Key> keys{key};
  TileLoader<Shape::kThreads, T, Shape::kKeys, Shape::kValuePadded, Value> values{value};
  auto begin = [&](int step) {
    if (step < steps) {
      int key0 = range.first + step * Shape::kKeys;
      keys.begin(space.k[step % 2], key0, range.end, 0, Shape::kWidth);
      values.begin(space.v[step % 2], key0, range.end, 0, Shape::kValueWidth);
    }
    copy_async_commit();
  };
  auto end = [&](int step) {
    if (step < steps) {
      keys.end(space.k[step % 2]);
      values.end(space.v[step % 2]);
    }
  };
  TileLoader<Shape::kThreads, T, Shape::kRows, Shape::kPadded, Query> queries{query};
  queries.begin(space.q, row0, range.rows, 0, Shape::kWidth);
  queries.end(space.q);
  begin(0);
  end(0);

  AttentionRows<Shape> rows;
#pragma unroll
  for (int w = 0; w < Shape::kValuePadded / 8; ++w)
#pragma unroll
    for (int r = 0; r < 4; ++r)
      rows.out[w][r] = 0.0f;
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<0>();
    block_sync(); // the step's tiles are there, and those of the step before are read
    begin(step + 1);
    if (step == 0) {
#pragma unroll
      for (int c = 0; c < Shape::kPadded / 16; ++c)
        ldmatrix_x4(rows.q[c],
                    space.q.at(warp_row + LdmatrixA::row(lane()), 16 * c + LdmatrixA::col(lane())));
    }
    float s[Shape::kKeys / 8][4];
    rows.score(s, space.k[step % 2]);
    const int key0 = range.first + step * Shape::kKeys;
    const bool is_whole = key0 + Shape::kKeys <= all_see;
#pragma unroll
    for (int j = 0; j < Shape::kKeys / 8; ++j)
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int at = key0 + 8 * j + MmaD::col(lane(), c);
        const bool takes = is_whole || (at < range.end && takes_part(at));
#pragma unroll
        for (int r = c; r < 4; r += 2) {
          const int row = row0 + warp_row + MmaD::row(lane(), r);
          bool visible = is_whole || (takes && row < range.rows && sees(row, at));
          s[j][r] = visible ? s[j][r] * (scale * kLog2E) : Max::identity();
        }
      }
    rows.weigh(s);
    rows.add(s, space.v[step % 2]);
    end(step + 1);
  }
  copy_async_wait<0>();
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    float sum = warp_reduce<Sum, 4>(rows.softmax[h].sum);
    float inverse = sum > 0.0f ? 1.0f / sum : sum;
    const int row = row0 + warp_row + MmaD::row(lane(), 2 * h);
    if (row >= range.rows)
      continue;
#pragma unroll
    for (int w = 0; w < Shape::kValuePadded / 8; ++w)
#pragma unroll
      for (int c = 0; c < 2; ++c)
        if (int column = 8 * w + MmaD::col(lane(), c); column < Shape::kValueWidth)
          finish(row, column, rows.out[w][2 * h + c] * inverse);
    if (lane() % 4 == 0)
      logsumexp(row, rows.softmax[h].maximum * kLn2 + log(sum));
  }
}

} // namespace ashlar
