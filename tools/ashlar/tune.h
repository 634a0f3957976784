// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Measuring the plain products of a program both ways, and choosing what computes each.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/api/product_bench.h"

namespace ashlar {

// Milliseconds of a launch in several rounds.
struct Spread {
  double median = 0, low = 0, high = 0;  // low and high: the quartiles
};
Spread SpreadOf(std::vector<double> rounds);

// A product with as many rows as a step has, and what both take for it.
struct MeasuredProduct {
  ProductUse use;
  Spread kernel, library;
  bool has_library = false;  // it has an algorithm
};

// Measures each of these products, of the program that the bench is of: kernel and library in turn,
// `rounds` times. The bench has memory for them (Reserve).
absl::StatusOr<std::vector<MeasuredProduct>> MeasureProducts(ProductBench& bench,
                                                             const std::vector<ProductUse>& uses,
                                                             int rounds);

// What is to compute a kernel's product, by what was measured of it.
struct ProductChoice {
  uint32_t kernel = 0;
  bool by_library = false;
  size_t decided_by = 0;  // the index of the measurement
};

// One choice for each kernel that was measured. Where a kernel computes products with several
// numbers of rows, the one that its launches spend the most time in decides. The library is chosen
// where the median of its times is below the kernel's lower quartile: what is within the noise
// stays with the kernel, whose bits do not depend on the library's version.
std::vector<ProductChoice> ChooseProducts(const std::vector<MeasuredProduct>& measured);

}  // namespace ashlar
