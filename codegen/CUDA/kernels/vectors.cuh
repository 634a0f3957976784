// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows in registers, read and written 16 bytes at a time: thread t of `Threads` holds vectors t,
// t + Threads, ... of the row. Where the row's length is no multiple of the vector, rows are not
// aligned and elements move one at a time.
#pragma once

#include "device.h"

namespace ashlar {

template <typename T, int Threads, int Vectors>
struct RowRegisters {
  static constexpr int kWidth = kVectorWidth<T>;
  static constexpr int kMaxColumns = Threads * Vectors * kWidth;
  float value[Vectors][kWidth];

  static ASHLAR_DEVICE int column(int vector) {
    return (vector * Threads + static_cast<int>(thread_index())) * kWidth;
  }

  /// Columns from `columns` on hold `fill`.
  ASHLAR_DEVICE void load(const T *row, int columns, float fill) {
    if (columns > kMaxColumns)
      fail("finds that the row has more columns than its threads hold");
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      int begin = column(v);
      if (columns % kWidth == 0) {
        Vec<T, kWidth> loaded;
        if (begin < columns)
          loaded = load_vector<T, kWidth>(row + begin);
#pragma unroll
        for (int i = 0; i < kWidth; ++i)
          value[v][i] = begin < columns ? to_float(loaded.element[i]) : fill;
      } else {
#pragma unroll
        for (int i = 0; i < kWidth; ++i)
          value[v][i] = begin + i < columns ? to_float(row[begin + i]) : fill;
      }
    }
  }

  ASHLAR_DEVICE void store(T *row, int columns) const {
#pragma unroll
    for (int v = 0; v < Vectors; ++v) {
      int begin = column(v);
      if (columns % kWidth == 0) {
        if (begin >= columns)
          continue;
        Vec<T, kWidth> rounded;
#pragma unroll
        for (int i = 0; i < kWidth; ++i)
          rounded.element[i] = round_to<T>(value[v][i]);
        store_vector<T, kWidth>(row + begin, rounded);
      } else {
#pragma unroll
        for (int i = 0; i < kWidth; ++i)
          if (begin + i < columns)
            row[begin + i] = round_to<T>(value[v][i]);
      }
    }
  }

  /// Calls f(value, column) for the columns of the row.
  template <typename F>
  ASHLAR_DEVICE void each(int columns, F f) {
#pragma unroll
    for (int v = 0; v < Vectors; ++v)
#pragma unroll
      for (int i = 0; i < kWidth; ++i)
        if (column(v) + i < columns)
          f(value[v][i], v, i);
  }
};

} // namespace ashlar
