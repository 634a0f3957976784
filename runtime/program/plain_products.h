// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The plain products of a program for GPUs: those that a kernel of the program and cuBLASLt can
// both compute. Which of the two does is the artifact's choice, one for a kernel, whatever the
// extents of a step are: a row's bits must not depend on what comes with it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// What the kernel computes, where that is a plain product; else null.
inline const fb::LibraryProductT* FindPlainProduct(const fb::DeviceKernelT& kernel) {
  return kernel.product ? kernel.product.get() : kernel.own_product.get();
}

// How many plain products an image has, and how many of them the library computes.
struct ProductCount {
  size_t plain = 0, librarys = 0;
};
ProductCount CountProducts(const fb::DeviceImageT& image);

// What computes plain products, in words, where the library does not: as there is none, or as all
// of them have been chosen so.
inline constexpr char kOwnKernels[] = "the program's own kernels";
inline constexpr char kOwnKernelsByChoice[] =
    "the program's own kernels, as the artifact has chosen";

// Makes the library, or the kernel's own code, what computes a kernel's plain product, and says how
// that was found. `kernel` has one.
void PinProduct(fb::DeviceKernelT& kernel, bool by_library, const fb::MeasurementT& measurement);

// Launches that compute the same product with as many rows.
struct ProductUse {
  uint32_t kernel = 0;
  int64_t rows = 0;
  const fb::EntryT* entry = nullptr;    // of the first of them
  const fb::LaunchT* launch = nullptr;  // the first of them
  std::vector<int64_t> extents;         // the kernel's
  int count = 0;                        // launches in a step
};

// The plain products of an entry, at these dims: by kernel, then by rows. Those without rows are
// left out. `image` says which kernels are such.
std::vector<ProductUse> FindProductUses(const fb::DeviceImageT& image, const fb::EntryT& entry,
                                        const std::vector<int64_t>& dims);

// The extents of an entry's launches where dims have the values that are given by name, and their
// bounds where they have none; of a microbatch, where a step runs in several, and of the first
// rank, where there are several: their largest. InvalidArgument for a name that no dim has,
// OutOfRange for a value out of its bounds.
absl::StatusOr<std::vector<int64_t>> LargestDims(const fb::ProgramT& program,
                                                 const fb::EntryT& entry,
                                                 const std::map<std::string, int64_t>& chosen);

// "128 x 768 x 3072": rows, columns and depth; "BF16 -> F32", "F32 (tf32) -> F32"; "bias, relu".
std::string DescribeShape(const fb::LibraryProductT& product, int64_t rows);
std::string DescribeTypes(const fb::LibraryProductT& product);
std::string DescribeEpilogue(const fb::LibraryProductT& product);

// What computes the kernel's plain product, and why: "cuBLASLt, as asked for (--cuda-products)",
// "its kernel, by the cost model: it waits for memory".
std::string DescribeChoice(const fb::DeviceKernelT& kernel);

}  // namespace ashlar
