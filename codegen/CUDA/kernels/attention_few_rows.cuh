// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention of a few rows to keys and values in memory, as a decoder's step has it: as fast as they
// can be read. A row is a query of one of the heads that share the key head; a block takes Rows of
// them. The lanes of a warp stand in groups of kLanes, and a group reads a key's row, and its
// value's, 16 bytes a lane: kAtOnce of each are asked for before the first is used. Scores are
// added up over the group by halves, so that every lane is left with a few of them; weights go
// through shared memory. Each warp has an online softmax of its own over the keys that it reads,
// and in the end those are brought to one maximum and added up in the order of the warps.
// Arithmetic is in f32. Bytes: keys x (width x sizeof(key) + value width x sizeof(value)) a key
// head.
#pragma once

#include "attention_range.cuh"
#include "matrix.cuh"
#include "online_softmax.cuh"

namespace ashlar {

/// The lanes that read a row of so many pieces: at least 8, at most a warp.
constexpr int lanes_of_pieces(int pieces) { return pieces <= 8 ? 8 : pieces <= 16 ? 16 : 32; }

template <int RowCount, typename KeyElement, int QueryWidth, typename ValueElement, int ValueWidth>
struct FewRowsAttentionShape {
  using K = KeyElement;
  using V = ValueElement;
  static constexpr int kRows = RowCount, kWarps = 8, kThreads = 32 * kWarps, kAtOnce = 4;
  static constexpr int kWidth = QueryWidth, kValueWidth = ValueWidth;
  static constexpr int kKeyVector = kVectorWidth<K>, kValueVector = kVectorWidth<V>;
  static_assert(kWidth % kKeyVector == 0 && kValueWidth % kValueVector == 0, "rows of 16 bytes");
  static constexpr int kKeyLanes = kWidth / kKeyVector, kValueLanes = kValueWidth / kValueVector;
  static constexpr int kLanes = lanes_of_pieces(kKeyLanes > kValueLanes ? kKeyLanes : kValueLanes);
  static_assert(kRows <= 8 && (kRows & (kRows - 1)) == 0, "a lane's scores are of one row");
  // 16-byte pieces of a lane.
  static constexpr int kKeyPieces = (kKeyLanes + kLanes - 1) / kLanes;
  static constexpr int kValuePieces = (kValueLanes + kLanes - 1) / kLanes;
  static constexpr int kPadded = kKeyPieces * kLanes * kKeyVector;
  static constexpr int kGroups = 32 / kLanes, kWarpKeys = kAtOnce * kGroups; // of a warp's step
  static constexpr int kKeys = kWarps * kWarpKeys;                           // of a block's
  struct Shared {
    float q[kRows][kPadded];
    float weight[kWarps][kWarpKeys][kRows];
    float factor[kWarps][kRows], maximum[kWarps][kRows], sum[kWarps][kRows];
    float out[kWarps][kRows][kValueWidth];
  };
};

/// Adds up each of N values over groups of Lanes neighbours: afterwards x[0] on, N / Lanes of them
/// (at least one), hold the sums from number lane % Lanes * N / Lanes on. Both are powers of two.
template <int N, int Lanes, int Size>
ASHLAR_DEVICE void scatter_sums(float (&x)[Size]) {
  if constexpr (Lanes > 1) {
    constexpr int kHalf = Lanes / 2;
    if constexpr (N > 1) {
      const bool is_upper = lane() & kHalf;
#pragma unroll
      for (int i = 0; i < N / 2; ++i) {
        float other = shuffle_xor(is_upper ? x[i] : x[N / 2 + i], kHalf);
        x[i] = (is_upper ? x[N / 2 + i] : x[i]) + other;
      }
      scatter_sums<N / 2, kHalf>(x);
    } else {
      x[0] += shuffle_xor(x[0], kHalf);
      scatter_sums<1, kHalf>(x);
    }
  }
}

/// Combines a value over the groups of Lanes neighbours in a warp, lane by lane.
template <typename Op, int Lanes>
ASHLAR_DEVICE float reduce_groups(float x) {
#pragma unroll
  for (int lanes = Lanes; lanes < 32; lanes *= 2)
    x = Op::combine(x, shuffle_xor(x, lanes));
  return x;
}

/// A lane's pieces of the rows of kAtOnce keys; zeros for what is not there.
template <typename Shape, typename T, int Pieces, int RowLanes>
ASHLAR_DEVICE void load_keys(Vec<T, kVectorWidth<T>> (&x)[Shape::kAtOnce][Pieces],
                             const Matrix<T, true> &rows, int32 key0, int32 end) {
#pragma unroll
  for (int u = 0; u < Shape::kAtOnce; ++u)
#pragma unroll
    for (int p = 0; p < Pieces; ++p) {
      const int32 key = key0 + u * Shape::kGroups;
      const int piece = p * Shape::kLanes + lane() % Shape::kLanes;
      if (key < end && piece < RowLanes) {
        x[u][p] = load_vector<T, kVectorWidth<T>>(rows.data + key * rows.stride +
                                                  piece * kVectorWidth<T>);
      } else {
#pragma unroll
        for (int i = 0; i < kVectorWidth<T>; ++i)
          x[u][p].element[i] = round_to<T>(0.0f);
      }
    }
}

/// What a warp has of its keys: a lane's pieces of the rows' outputs, and the softmax of the row
/// whose scores it holds.
template <typename Shape>
struct AttentionFewRows {
  using K = typename Shape::K;
  using V = typename Shape::V;
  using Shared = typename Shape::Shared;
  static constexpr int kScores = Shape::kRows * Shape::kAtOnce, kLanes = Shape::kLanes;
  static constexpr int kMine = kScores > kLanes ? kScores / kLanes : 1;
  static constexpr int kRowLanes = kLanes / Shape::kRows; // lanes with scores of one row
  static constexpr int kValues = Shape::kValuePieces * Shape::kValueVector;
  static constexpr int kTogether = Shape::kRows < 4 ? Shape::kRows : 4; // weights of a load
  float out[Shape::kRows][kValues];
  OnlineSoftmax softmax;

  /// The group's lane, the number of its first score, and that one's row.
  static ASHLAR_DEVICE int lane_of_group() { return lane() % kLanes; }
  static ASHLAR_DEVICE int first() { return lane_of_group() * kScores / kLanes; }
  static ASHLAR_DEVICE int row() { return first() / Shape::kAtOnce; }
  /// Whether the lane is the first of those that hold the same scores, or scores of the same row.
  static ASHLAR_DEVICE bool is_owner() {
    return lane_of_group() % (kLanes > kScores ? kLanes / kScores : 1) == 0;
  }
  static ASHLAR_DEVICE bool is_leader() {
    return lane() < kLanes && lane_of_group() % kRowLanes == 0;
  }

  ASHLAR_DEVICE void clear() {
#pragma unroll
    for (int r = 0; r < Shape::kRows; ++r)
#pragma unroll
      for (int i = 0; i < kValues; ++i)
        out[r][i] = 0.0f;
  }

  /// s = products of the rows with the keys, the lane's part of them, in the end its kMine sums.
  ASHLAR_DEVICE void
  score(float (&s)[kScores], const Shared &space,
        const Vec<K, Shape::kKeyVector> (&k)[Shape::kAtOnce][Shape::kKeyPieces]) const {
#pragma unroll
    for (int i = 0; i < kScores; ++i)
      s[i] = 0.0f;
#pragma unroll
    for (int p = 0; p < Shape::kKeyPieces; ++p) {
      const int column = (p * kLanes + lane_of_group()) * Shape::kKeyVector;
      float key[Shape::kAtOnce][Shape::kKeyVector];
#pragma unroll
      for (int u = 0; u < Shape::kAtOnce; ++u)
#pragma unroll
        for (int i = 0; i < Shape::kKeyVector; ++i)
          key[u][i] = to_float(k[u][p].element[i]);
#pragma unroll
      for (int r = 0; r < Shape::kRows; ++r)
#pragma unroll
        for (int c = 0; c < Shape::kKeyVector; c += 4) {
          const Vec<float, 4> q = load_vector<float, 4>(&space.q[r][column + c]);
#pragma unroll
          for (int u = 0; u < Shape::kAtOnce; ++u)
#pragma unroll
            for (int i = 0; i < 4; ++i)
              s[r * Shape::kAtOnce + u] =
                  fma(q.element[i], key[u][c + i], s[r * Shape::kAtOnce + u]);
        }
    }
    scatter_sums<kScores, kLanes>(s);
  }

  /// The lane's scores become weights, which all lanes of the warp may read afterwards, as the
  /// factors that bring what was summed up so far to the new maxima.
  ASHLAR_DEVICE void weigh(const float (&s)[kScores], Shared &space) {
    float maximum = Max::identity();
#pragma unroll
    for (int i = 0; i < kMine; ++i)
      maximum = max(maximum, s[i]);
    maximum = reduce_groups<Max, kLanes>(warp_reduce<Max, kRowLanes>(maximum));
    const float factor = softmax.raise(maximum);
    if (is_owner()) {
#pragma unroll
      for (int i = 0; i < kMine; ++i) {
        const float weight = softmax.weight(s[i]);
        const int u = first() % Shape::kAtOnce + i;
        space.weight[warp()][u * Shape::kGroups + lane() / kLanes][row()] = weight;
        softmax.sum += weight;
      }
    }
    if (is_leader())
      space.factor[warp()][row()] = factor;
    warp_sync();
  }

  ASHLAR_DEVICE void
  add(const Shared &space,
      const Vec<V, Shape::kValueVector> (&v)[Shape::kAtOnce][Shape::kValuePieces]) {
#pragma unroll
    for (int r = 0; r < Shape::kRows; ++r) {
      const float factor = space.factor[warp()][r];
#pragma unroll
      for (int i = 0; i < kValues; ++i)
        out[r][i] *= factor;
    }
#pragma unroll
    for (int u = 0; u < Shape::kAtOnce; ++u) {
      float value[kValues];
#pragma unroll
      for (int i = 0; i < kValues; ++i)
        value[i] = to_float(v[u][i / Shape::kValueVector].element[i % Shape::kValueVector]);
      const float *weights = space.weight[warp()][u * Shape::kGroups + lane() / kLanes];
#pragma unroll
      for (int r = 0; r < Shape::kRows; r += kTogether) {
        const auto weight = load_vector<float, kTogether>(weights + r);
#pragma unroll
        for (int t = 0; t < kTogether; ++t)
#pragma unroll
          for (int i = 0; i < kValues; ++i)
            out[r + t][i] = fma(weight.element[t], value[i], out[r + t][i]);
      }
    }
    warp_sync(); // the weights have been read
  }

  /// What the warp has goes to shared memory.
  ASHLAR_DEVICE void leave(Shared &space) const {
    const float sum = reduce_groups<Sum, kLanes>(warp_reduce<Sum, kRowLanes>(softmax.sum));
    if (is_leader()) {
      space.maximum[warp()][row()] = softmax.maximum;
      space.sum[warp()][row()] = sum;
    }
#pragma unroll
    for (int r = 0; r < Shape::kRows; ++r)
#pragma unroll
      for (int i = 0; i < kValues; i += 4) {
        const int piece = i / Shape::kValueVector * kLanes + lane_of_group();
        Vec<float, 4> total;
#pragma unroll
        for (int c = 0; c < 4; ++c)
          total.element[c] = reduce_groups<Sum, kLanes>(out[r][i + c]);
        if (lane() < kLanes && piece < Shape::kValueLanes)
          store_vector<float, 4>(
              &space.out[warp()][r][piece * Shape::kValueVector + i % Shape::kValueVector], total);
      }
  }
};

/// The grid is (tiles of rows, key heads, sequences). query(row, d) is a function, keys and values
/// have a row a position; sees(row, j) for keys in the range; finish(row, column, value) and
/// logsumexp(row, value) store.
template <typename Shape, typename Query, typename Sees, typename Finish, typename LogSumExp>
ASHLAR_DEVICE void attention_few_rows(const AttentionRange &range, float scale, Query query,
                                      const Matrix<typename Shape::K, true> &keys,
                                      const Matrix<typename Shape::V, true> &values, Sees sees,
                                      Finish finish, LogSumExp logsumexp) {
  using Rows = AttentionFewRows<Shape>;
  auto &space = shared<typename Shape::Shared>();
  const int row0 = block_x() * Shape::kRows;
  for (int i = thread_index(); i < Shape::kRows * Shape::kPadded; i += Shape::kThreads) {
    const int row = i / Shape::kPadded, column = i % Shape::kPadded;
    space.q[row][column] =
        row0 + row < range.rows && column < Shape::kWidth ? query(row0 + row, column) : 0.0f;
  }
  block_sync();

  Rows rows;
  rows.clear();
  for (int step = range.first + warp() * Shape::kWarpKeys; step < range.end; step += Shape::kKeys) {
    const int key0 = step + lane() / Shape::kLanes; // and every kGroups-th behind it
    Vec<typename Shape::K, Shape::kKeyVector> k[Shape::kAtOnce][Shape::kKeyPieces];
    Vec<typename Shape::V, Shape::kValueVector> v[Shape::kAtOnce][Shape::kValuePieces];
    load_keys<Shape, typename Shape::K, Shape::kKeyPieces, Shape::kKeyLanes>(k, keys, key0,
                                                                             range.end);
    load_keys<Shape, typename Shape::V, Shape::kValuePieces, Shape::kValueLanes>(v, values, key0,
                                                                                 range.end);
    float s[Rows::kScores];
    rows.score(s, space, k);
    const int row = row0 + Rows::row();
#pragma unroll
    for (int i = 0; i < Rows::kMine; ++i) {
      const int key = key0 + (Rows::first() % Shape::kAtOnce + i) * Shape::kGroups;
      const bool visible = row < range.rows && key < range.end && sees(row, key);
      s[i] = visible ? s[i] * (scale * kLog2E) : Max::identity();
    }
    rows.weigh(s, space);
    rows.add(space, v);
  }
  rows.leave(space);
  block_sync();

  if (static_cast<int>(thread_index()) < Shape::kRows) {
    const int row = thread_index();
    float maximum = Max::identity(), sum = 0.0f;
#pragma unroll
    for (int w = 0; w < Shape::kWarps; ++w)
      maximum = max(maximum, space.maximum[w][row]);
#pragma unroll
    for (int w = 0; w < Shape::kWarps; ++w) {
      const float own = space.maximum[w][row];
      const float factor = own == Max::identity() ? 0.0f : exp2(own - maximum);
      sum = fma(factor, space.sum[w][row], sum);
      space.factor[w][row] = factor;
    }
    space.sum[0][row] = sum;
    if (row0 + row < range.rows)
      logsumexp(row0 + row, maximum * kLn2 + log(sum));
  }
  block_sync();
  for (int i = thread_index(); i < Shape::kRows * Shape::kValueWidth; i += Shape::kThreads) {
    const int row = i / Shape::kValueWidth, column = i % Shape::kValueWidth;
    if (row0 + row >= range.rows)
      break;
    float total = 0.0f;
#pragma unroll
    for (int w = 0; w < Shape::kWarps; ++w)
      total = fma(space.factor[w][row], space.out[w][row][column], total);
    const float sum = space.sum[0][row];
    finish(row0 + row, column, sum > 0.0f ? total / sum : sum);
  }
}

} // namespace ashlar
