// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <utility>

#include "runtime/device/emulator/emulated_cublaslt.h"

namespace ashlar::emulator {
namespace {

thread_local LibraryMemory* t_memory = nullptr;

}  // namespace

LibraryMemory* GetLibraryMemory() { return t_memory; }
LibraryMemory* SetLibraryMemory(LibraryMemory* memory) { return std::exchange(t_memory, memory); }

std::shared_ptr<const cuda::CublasLt> EmulatedCublasLt() {
  cuda::CublasLtFunctions functions;
#define ASHLAR_EMULATED_FILL(result, name, ...) functions.name = &name;
  ASHLAR_CUBLASLT_FUNCTIONS(ASHLAR_EMULATED_FILL)
#undef ASHLAR_EMULATED_FILL
  return cuda::CublasLt::From(functions);
}

}  // namespace ashlar::emulator
