// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of a few rows, as a decoder's step has them: as fast as the weights can be read. A warp
// takes one column of each product, all rows of it: its lanes read the weight's row 16 bytes at a
// time, and a butterfly adds up what they have. Arithmetic is in f32; with 16-bit weights the left
// operand is rounded to their type, as the tensor cores have it. Bytes: columns x depth x
// sizeof(weight) a product.
#pragma once

#include "matrix.cuh"
#include "reduce.cuh"

namespace ashlar {

template <typename T>
ASHLAR_DEVICE float round_left(float x) {
  return to_float(round_to<T>(x));
}

template <int MaxRows, int ProductCount, int ThreadCount>
struct FewRowsShape {
  static constexpr int kRows = MaxRows, kProducts = ProductCount, kThreads = ThreadCount;
  static constexpr int kColumns = kThreads / 32; // of a block
};

/// The grid is (groups of kColumns columns). `epilogue(row, column, product)` gets one element of
/// each product.
template <typename Shape, typename Left, typename T, bool Aligned, typename Epilogue>
ASHLAR_DEVICE void product_few_rows(const Left &left,
                                    const Matrix<T, Aligned> (&weights)[Shape::kProducts],
                                    int32 rows, int32 columns, int32 depth, Epilogue epilogue) {
  constexpr int kWidth = kVectorWidth<T>;
  const int column = block_x() * Shape::kColumns + warp();
  if (column >= columns)
    return;
  float sum[Shape::kProducts][Shape::kRows];
#pragma unroll
  for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
    for (int r = 0; r < Shape::kRows; ++r)
      sum[p][r] = 0.0f;
#pragma unroll 2
  for (int k = lane() * kWidth; k < depth; k += 32 * kWidth) {
    float w[Shape::kProducts][kWidth];
#pragma unroll
    for (int p = 0; p < Shape::kProducts; ++p)
      load_row(w[p], weights[p], column, k, depth);
#pragma unroll
    for (int r = 0; r < Shape::kRows; ++r) {
      if (r >= rows)
        break;
      float x[kWidth];
      load_row(x, left, r, k, depth);
#pragma unroll
      for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
        for (int i = 0; i < kWidth; ++i)
          sum[p][r] = fma(round_left<T>(x[i]), w[p][i], sum[p][r]);
    }
  }
#pragma unroll
  for (int r = 0; r < Shape::kRows; ++r) {
    float product[Shape::kProducts][1];
#pragma unroll
    for (int p = 0; p < Shape::kProducts; ++p)
      product[p][0] = warp_reduce<Sum>(sum[p][r]);
    if (lane() == r && r < rows)
      epilogue(r, column, product);
  }
}

} // namespace ashlar
