// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Links one ELF object into a flat, position-independent image. Kernels are compiled so that they
// need no more than this: code and constants, reached relative to the instruction pointer.

#ifndef ASHLAR_CODEGEN_CPU_FLATLINKER_H
#define ASHLAR_CODEGEN_CPU_FLATLINKER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace ashlar::cpu {

/// Lays the object's code and constants into `image` and writes the offset of each name into
/// `entries`. Returns an empty text, or what the object holds that a flat image cannot: an
/// undefined symbol, writable data, a relocation other than R_X86_64_PC32 and R_X86_64_PLT32, a
/// missing name.
std::string linkFlat(llvm::StringRef object, llvm::ArrayRef<std::string> names,
                     std::vector<char> &image, std::vector<uint64_t> &entries);

} // namespace ashlar::cpu

#endif
