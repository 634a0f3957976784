// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a caller of the CUDA target chooses for all kernels.

#ifndef ASHLAR_CODEGEN_CUDA_CUDAOPTIONS_H
#define ASHLAR_CODEGEN_CUDA_CUDAOPTIONS_H

#include "compiler/CostModel/DevicePeaks.h"

namespace ashlar::cuda {

/// Which plain products cuBLASLt computes where the machine has it: none, all, or those that the
/// device computes longer than it waits for memory, by the cost model.
enum class LibraryUse { Never, Always, Auto };

struct CudaOptions {
  bool usesTf32 = false; // products of f32 weights on the tensor cores, in tf32
  LibraryUse products = LibraryUse::Never;
  /// The device of the cost model; null: that of the target's architectures (getDevice).
  const DevicePeaks *device = nullptr;
};

} // namespace ashlar::cuda

#endif
