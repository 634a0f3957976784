// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text of the device library, kept in the compiler: generated kernels include it by name, and
// no file of it is needed where they are compiled.

#ifndef ASHLAR_CODEGEN_CUDA_KERNELSOURCES_H
#define ASHLAR_CODEGEN_CUDA_KERNELSOURCES_H

#include <string>
#include <vector>

namespace ashlar {

struct KernelSource {
  std::string name; // as in #include "name"
  std::string text;
};

/// All files of codegen/CUDA/kernels and the emulator's interface.
const std::vector<KernelSource> &getKernelSources();

} // namespace ashlar

#endif
