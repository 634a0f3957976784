// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From kernel texts to code: by clang++ and a flat link for the emulator, by NVRTC for a device. No
// device is needed for either.

#ifndef ASHLAR_CODEGEN_CUDA_KERNELCOMPILER_H
#define ASHLAR_CODEGEN_CUDA_KERNELCOMPILER_H

#include "absl/status/statusor.h"
#include "codegen/CUDA/KernelCache.h"
#include "codegen/CUDA/Kernels.h"
#include "codegen/CUDA/Nvrtc.h"

#include <memory>
#include <string>
#include <string_view>

namespace ashlar::cuda {

/// Whether `arch` stands for the emulator: "emulator" for what every GPU runs, "emulator_90a" for
/// the kernels of sm_90a.
bool isEmulator(std::string_view arch);

/// Whether `arch` is one of the emulator's or one that NVRTC may know, "sm_80", "sm_90a".
bool isArch(std::string_view arch);

/// What kernels of this architecture are made of.
Generation getGeneration(std::string_view arch);

/// Compiles for one architecture. Usable from several threads.
class KernelCompiler {
public:
  /// Fails where the architecture's compiler is missing; says what to install.
  static absl::StatusOr<std::unique_ptr<KernelCompiler>> create(std::string arch,
                                                                KernelCache cache);

  /// The text's kernel `symbol`. InvalidArgument with the compiler's messages where it is wrong.
  absl::StatusOr<CompiledKernel> compile(const std::string &text, const std::string &symbol) const;

  const std::string &getArch() const { return arch; }

private:
  KernelCompiler(std::string arch, KernelCache cache)
      : arch(std::move(arch)), cache(std::move(cache)) {}
  absl::StatusOr<CompiledKernel> compileHost(const std::string &text,
                                             const std::string &symbol) const;
  absl::StatusOr<CompiledKernel> compileDevice(const std::string &text,
                                               const std::string &symbol) const;

  std::string arch;
  KernelCache cache;
  std::string identity; // of compiler and device library
  std::unique_ptr<Nvrtc> nvrtc;
};

} // namespace ashlar::cuda

#endif
