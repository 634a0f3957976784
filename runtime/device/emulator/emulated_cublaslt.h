// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cuBLASLt's functions, by its own names and types, over host memory: products summed in f32 in the
// order of the depth, and the epilogues that Ashlar asks for. They refuse what the library
// documents as wrong (sizes of attributes, shapes that do not fit, types that do not go together)
// and every byte outside of the memory that they are given. They know nothing of the library's
// algorithms or its speed, and of its combinations of types only those that its manual lists for
// f32 sums.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "runtime/device/cuda/cublaslt.h"

// A test's module exports the functions under their own names.
#ifndef ASHLAR_EMULATED_LINKAGE
#define ASHLAR_EMULATED_LINKAGE
#endif

namespace ashlar::emulator {

// The memory and the streams that products work on.
class LibraryMemory {
 public:
  virtual ~LibraryMemory() = default;
  // Where these bytes lie on the host, or null where a product may not read or write them.
  virtual char* Resolve(const void* address, size_t bytes, bool is_written) = 0;
  // Does the work in the stream's order; returns 0 or an error.
  virtual int Submit(CUstream_st* stream, std::function<void()> work) = 0;
  // An error that the call is to return; 0: none.
  virtual int GetFailure(const char* call) { return 0; }
};

// Whose memory it is, in this thread; null: nobody's, and there are no products. Whoever contains
// the functions defines it.
LibraryMemory* GetLibraryMemory();

// The emulator's: sets it, and returns what it was.
LibraryMemory* SetLibraryMemory(LibraryMemory* memory);

// The functions as a library; null where ASHLAR_CUBLASLT is empty.
std::shared_ptr<const cuda::CublasLt> EmulatedCublasLt();

using cuda::MatmulAlgorithm;
using cuda::MatmulDescriptor;
using cuda::MatmulHeuristicResult;
using cuda::MatmulPreference;
using cuda::MatrixLayout;
#define ASHLAR_EMULATED_DECLARE(result, name, ...) ASHLAR_EMULATED_LINKAGE result name(__VA_ARGS__);
ASHLAR_CUBLASLT_FUNCTIONS(ASHLAR_EMULATED_DECLARE)
#undef ASHLAR_EMULATED_DECLARE

}  // namespace ashlar::emulator
