// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled kernels on disk, by a hash of everything that they were made from: the text, the device
// library, the architecture and the compiler. A file that cannot be read, is cut or was changed is
// as if it were not there; one that cannot be written is not kept.

#ifndef ASHLAR_CODEGEN_CUDA_KERNELCACHE_H
#define ASHLAR_CODEGEN_CUDA_KERNELCACHE_H

#include <cstdint>
#include <optional>
#include <string>

namespace ashlar::cuda {

/// A kernel's code for one architecture: a cubin, or host code for the emulator.
struct CompiledKernel {
  std::string code;
  uint64_t entry = 0; // where the function begins in host code
  uint32_t sharedBytes = 0;
  uint32_t registers = 0, spillBytes = 0; // of a cubin
};

class KernelCache {
public:
  /// The directory that the environment variable ASHLAR_KERNEL_CACHE names (empty: no cache), or
  /// else ashlar/kernels in the user's cache directory.
  static KernelCache open();
  explicit KernelCache(std::string directory) : directory(std::move(directory)) {}

  std::optional<CompiledKernel> find(const std::string &key) const;
  void keep(const std::string &key, const CompiledKernel &kernel) const;

private:
  std::string getPath(const std::string &key) const;

  std::string directory; // empty: no cache
};

} // namespace ashlar::cuda

#endif
