// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What follows a product on the tensor cores: a fragment's register holds two neighbours of a row,
// and a warp's rows lie in eight groups of lanes, so that reading residuals and storing results
// from there moves pieces of eight bytes. A warp puts 16 rows of its accumulators into shared
// memory and reads them back by rows: then its lanes take neighbouring groups of `Lanes` elements.
#pragma once

#include "device.h"

namespace ashlar {

/// Shared memory of one warp. Rows are padded by eight floats: rows of fragments that are written
/// at once lie in different banks.
template <int Products, int Columns>
struct EpilogueSpace {
  float element[Products][16][Columns + 8];
};

/// Calls `epilogue(row, column, product)` for rows and columns of the matrix that a warp's 16 rows
/// of accumulators are, from (row0, column0) on. `put(space)` stores the warp's fragments. The
/// space may be used again at once.
template <int Lanes, int Products, int Columns, typename Put, typename Epilogue>
ASHLAR_DEVICE void warp_epilogue(EpilogueSpace<Products, Columns> &space, int32 row0, int32 rows,
                                 int32 column0, int32 columns, Put put, Epilogue epilogue) {
  static_assert(Lanes == 1 || Lanes == 4, "one element, or a load of four");
  put(space);
  warp_sync();
  constexpr int kGroups = Columns / Lanes; // of a row
#pragma unroll 2
  for (int item = lane(); item < 16 * kGroups; item += 32) {
    int row = item / kGroups, column = item % kGroups * Lanes;
    if (row0 + row >= rows || column0 + column >= columns)
      continue;
    float product[Products][Lanes];
#pragma unroll
    for (int p = 0; p < Products; ++p) {
      Vec<float, Lanes> loaded = load_vector<float, Lanes>(&space.element[p][row][column]);
#pragma unroll
      for (int l = 0; l < Lanes; ++l)
        product[p][l] = loaded.element[l];
    }
    epilogue(row0 + row, column0 + column, product);
  }
  warp_sync();
}

} // namespace ashlar
