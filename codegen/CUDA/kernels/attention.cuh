// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention forward, softmax(scale q k^T + mask) v, without the matrix of scores in memory (Dao,
// "FlashAttention-2"): a block takes 16 x Warps queries of one head and goes over the keys in tiles
// of TileKeys, which cp.async loads one ahead; a warp keeps its 16 rows' scores, maxima and sums in
// registers. Causal: query i sees the keys up to i + keys - queries. Grouped queries: query head h
// reads key head h / (heads / key_heads). A query that sees no key gives zeros.
// Operations: 4 x queries x keys x width a head, half of it when causal.
#pragma once

#include "fragments.h"
#include "online_softmax.cuh"
#include "tiles.cuh"

namespace ashlar {

template <typename T>
struct AttentionParameters {
  const T *q; // batch x heads x queries x width
  const T *k; // batch x key_heads x keys x width
  const T *v; // batch x key_heads x keys x width
  T *y;       // batch x heads x queries x width
  int32 queries, keys, heads, key_heads;
  float scale;
};

template <typename Element, int Width, int WarpCount, int Keys, bool IsCausal>
struct AttentionShape {
  using T = Element;
  static constexpr int kWidth = Width, kWarps = WarpCount, kKeys = Keys;
  static constexpr int kQueries = 16 * kWarps, kThreads = 32 * kWarps;
  static constexpr bool kCausal = IsCausal;
  static_assert(kWidth % 16 == 0 && kKeys % 16 == 0, "whole 16 x 16 blocks");
  struct Shared {
    Tile<T, kQueries, kWidth> q;
    Tile<T, kKeys, kWidth> k[2], v[2];
  };
};

/// A warp's 16 queries: a thread holds pieces of two rows, those of registers 0, 1 and 2, 3 of d.
template <typename Shape>
struct AttentionRows {
  static constexpr int kKeyBlocks = Shape::kKeys / 8, kWidthBlocks = Shape::kWidth / 8;
  uint32 q[Shape::kWidth / 16][4];
  float out[kWidthBlocks][4];
  OnlineSoftmax softmax[2];

  /// Folds the keys from key0 on in. Keys from `keys` on are masked, and where causal those beyond
  /// first_visible + row, the last that a row sees. `scale` includes log2(e).
  template <typename TileOfKeys>
  ASHLAR_DEVICE void fold(TileOfKeys &k_tile, TileOfKeys &v_tile, int key0, int keys,
                          int first_visible, float scale) {
    using T = typename Shape::T;
    float s[kKeyBlocks][4];
#pragma unroll
    for (int j = 0; j < kKeyBlocks; j += 2) {
#pragma unroll
      for (int r = 0; r < 4; ++r)
        s[j][r] = s[j + 1][r] = 0.0f;
#pragma unroll
      for (int c = 0; c < Shape::kWidth / 16; ++c) {
        uint32 b[4];
        ldmatrix_x4(b, k_tile.at(8 * j + LdmatrixB::n(lane()), 16 * c + LdmatrixB::k(lane())));
        uint32 left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
        mma_m16n8k16(s[j], q[c], left, T());
        mma_m16n8k16(s[j + 1], q[c], right, T());
      }
    }
    float maximum[2] = {Max::identity(), Max::identity()};
#pragma unroll
    for (int j = 0; j < kKeyBlocks; ++j)
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        int key = key0 + 8 * j + MmaD::col(lane(), r);
        bool visible = key < keys;
        if constexpr (Shape::kCausal)
          visible &= key <= first_visible + MmaD::row(lane(), r);
        s[j][r] = visible ? s[j][r] * scale : Max::identity();
        maximum[r / 2] = max(maximum[r / 2], s[j][r]);
      }
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float factor = softmax[h].raise(warp_reduce<Max, 4>(maximum[h]));
#pragma unroll
      for (int w = 0; w < kWidthBlocks; ++w)
        out[w][2 * h] *= factor, out[w][2 * h + 1] *= factor;
    }
#pragma unroll
    for (int j = 0; j < kKeyBlocks; ++j)
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        s[j][r] = softmax[r / 2].weight(s[j][r]);
        softmax[r / 2].sum += s[j][r];
      }
    // d of the scores is a of the next product: the same lane holds the same elements.
#pragma unroll
    for (int j = 0; j < kKeyBlocks; j += 2) {
      uint32 weights[4] = {pack<T>(s[j][0], s[j][1]), pack<T>(s[j][2], s[j][3]),
                           pack<T>(s[j + 1][0], s[j + 1][1]), pack<T>(s[j + 1][2], s[j + 1][3])};
#pragma unroll
      for (int w = 0; w < kWidthBlocks; w += 2) {
        uint32 b[4];
        ldmatrix_x4_transposed(b, v_tile.at(8 * j + LdmatrixTransposedB::k(lane()),
                                            8 * w + LdmatrixTransposedB::n(lane())));
        uint32 left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
        mma_m16n8k16(out[w], weights, left, T());
        mma_m16n8k16(out[w + 1], weights, right, T());
      }
    }
  }
};

/// The grid is (tiles of queries, heads, batch).
template <typename Shape>
ASHLAR_DEVICE void attention(const AttentionParameters<typename Shape::T> &p) {
  using T = typename Shape::T;
  auto &space = shared<typename Shape::Shared>();
  const int query0 = block_x() * Shape::kQueries;
  const int key_head = block_y() / (p.heads / p.key_heads);
  const int64 query_rows = (int64(block_z()) * p.heads + block_y()) * p.queries;
  const int64 key_rows = (int64(block_z()) * p.key_heads + key_head) * p.keys;
  const T *q = p.q + query_rows * Shape::kWidth;
  const T *k = p.k + key_rows * Shape::kWidth, *v = p.v + key_rows * Shape::kWidth;

  // Keys that the block's last query sees.
  int end = p.keys;
  if constexpr (Shape::kCausal) {
    int seen = query0 + Shape::kQueries + p.keys - p.queries;
    end = seen < 0 ? 0 : seen < end ? seen : end;
  }
  const int steps = (end + Shape::kKeys - 1) / Shape::kKeys;
  auto load = [&](int step) {
    if (step < steps) {
      int key0 = step * Shape::kKeys;
      load_tile<Shape::kThreads>(space.k[step % 2], k, Shape::kWidth, key0, p.keys, 0,
                                 Shape::kWidth);
      load_tile<Shape::kThreads>(space.v[step % 2], v, Shape::kWidth, key0, p.keys, 0,
                                 Shape::kWidth);
    }
    copy_async_commit();
  };
  load_tile<Shape::kThreads>(space.q, q, Shape::kWidth, query0, p.queries, 0, Shape::kWidth);
  load(0);

  AttentionRows<Shape> rows;
  const int warp_row = warp() * 16;
  const int first_visible = query0 + warp_row + p.keys - p.queries;
#pragma unroll
  for (int w = 0; w < Shape::kWidth / 8; ++w)
#pragma unroll
    for (int r = 0; r < 4; ++r)
      rows.out[w][r] = 0.0f;
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<0>();
    block_sync(); // the step's tiles are there, and those of the step before are read
    load(step + 1);
    if (step == 0) {
#pragma unroll
      for (int c = 0; c < Shape::kWidth / 16; ++c)
        ldmatrix_x4(rows.q[c],
                    space.q.at(warp_row + LdmatrixA::row(lane()), 16 * c + LdmatrixA::col(lane())));
    }
    rows.fold(space.k[step % 2], space.v[step % 2], step * Shape::kKeys, p.keys, first_visible,
              p.scale * kLog2E);
  }
  copy_async_wait<0>();
  block_sync(); // the queries have been read: each warp's result takes the place of its own

#pragma unroll
  for (int h = 0; h < 2; ++h) {
    float sum = warp_reduce<Sum, 4>(rows.softmax[h].sum);
    float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
#pragma unroll
    for (int w = 0; w < Shape::kWidth / 8; ++w)
      store_vector<T, 2>(
          space.q.at(warp_row + MmaD::row(lane(), 2 * h), 8 * w + MmaD::col(lane(), 0)),
          {round_to<T>(rows.out[w][2 * h] * inverse),
           round_to<T>(rows.out[w][2 * h + 1] * inverse)});
  }
  warp_sync();
  store_tile<32, 16>(space.q, warp_row, p.y + query_rows * Shape::kWidth, Shape::kWidth,
                     query0 + warp_row, p.queries, 0, Shape::kWidth, lane());
}

} // namespace ashlar
