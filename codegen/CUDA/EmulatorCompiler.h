// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles kernel text for the emulator with the clang++ that was found when Ashlar was configured.
// The result is a shared object with no undefined symbols and no needed libraries, for tests, or
// the object that a flat image is made of.

#ifndef ASHLAR_CODEGEN_CUDA_EMULATORCOMPILER_H
#define ASHLAR_CODEGEN_CUDA_EMULATORCOMPILER_H

#include "absl/status/statusor.h"

#include <string>
#include <string_view>

namespace ashlar {

enum class EmulatorOutput { kSharedObject, kObject };

/// Returns the bytes of the ELF file; an object has no line tables. Each ASHLAR_KERNEL(name, ...)
/// is a function `name` in it, to be called by ashlar::emulator::Emulator, and a constant
/// `name_threads`, its threads of a block. FailedPrecondition where there is no clang++ (says what
/// to install); InvalidArgument with the compiler's messages where the text is wrong.
absl::StatusOr<std::string>
compileForEmulator(std::string_view kernelText,
                   EmulatorOutput output = EmulatorOutput::kSharedObject);

/// What compiles, and how: results of equal texts are equal where this is. FailedPrecondition as
/// above.
absl::StatusOr<std::string> identifyEmulatorCompiler();

} // namespace ashlar

#endif
