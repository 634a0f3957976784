// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a device's kernels get their parameters and their grid: a block of tensor maps, addresses and
// extents (runtime/program/artifact.fbs, DeviceKernel).
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "runtime/api/launcher.h"
#include "runtime/base/math.h"
#include "runtime/program/artifact_generated.h"
#include "runtime/program/extent.h"

namespace ashlar {

inline constexpr size_t kTensorMapBytes = 128, kParameterAlignment = 64;

// Where operand i's address lies in the block.
inline size_t AddressOffset(const fb::DeviceKernelT& code, size_t i) {
  return code.tensor_maps.size() * kTensorMapBytes + i * sizeof(void*);
}

// The block with addresses and extents; the places of the tensor maps hold zeros.
inline std::vector<char> MakeParameters(const fb::DeviceKernelT& code,
                                        const PreparedLaunch& launch) {
  size_t addresses = launch.buffers.size() * 8, extents = launch.schema->extents.size() * 8;
  size_t at = AddressOffset(code, 0);
  // As large as the kernel's struct, which a map makes a multiple of its alignment.
  size_t bytes = at + addresses + extents;
  std::vector<char> block(code.tensor_maps.empty() ? bytes : RoundUp(bytes, kParameterAlignment));
  if (addresses) std::memcpy(block.data() + at, launch.buffers.data(), addresses);
  if (extents) std::memcpy(block.data() + at + addresses, launch.extents.data(), extents);
  return block;
}

// Evaluates the grid; false where there is nothing to do. That it fits a device was verified at the
// bound.
inline bool EvaluateGrid(const fb::DeviceKernelT& code, const PreparedLaunch& launch,
                         uint32_t (&grid)[3]) {
  for (size_t d = 0; d < 3; ++d) {
    int64_t blocks =
        d < code.grid.size() ? Evaluate(*code.grid[d], launch.extents.data()) : int64_t{1};
    if (blocks == 0) return false;
    grid[d] = static_cast<uint32_t>(blocks);
  }
  return true;
}

}  // namespace ashlar
