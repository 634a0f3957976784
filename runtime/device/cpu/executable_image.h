// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Machine code made callable: copied into fresh pages that are then read-and-execute only, never
// writable again.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"

namespace ashlar {

// A kernel computes the work items [begin, end) of its grid (see artifact.fbs).
using KernelFunction = void (*)(void* const* buffers, const int64_t* extents, int64_t begin,
                                int64_t end, void* scratch);

// Calls a kernel. The function sanitizer is told not to look at it: that reads a word before the
// code, which generated code does not have.
#if defined(__clang__)
__attribute__((no_sanitize("function")))
#endif
inline void CallKernel(KernelFunction kernel, void* const* buffers, const int64_t* extents,
                       int64_t begin, int64_t end, void* scratch) {
  kernel(buffers, extents, begin, end, scratch);
}

class ExecutableImage {
 public:
  // `code` is flat and position-independent; its first byte lands on a page boundary.
  static absl::StatusOr<std::shared_ptr<const ExecutableImage>> Create(std::string_view code);
  ~ExecutableImage();
  ExecutableImage(const ExecutableImage&) = delete;
  ExecutableImage& operator=(const ExecutableImage&) = delete;

  // The function that begins at `offset`, which the caller has checked to be inside; valid as long
  // as the image. Kernels for a CPU are KernelFunctions.
  template <typename Function = KernelFunction>
  Function Entry(uint64_t offset) const {
    return reinterpret_cast<Function>(static_cast<char*>(pages_) + offset);
  }

 private:
  ExecutableImage(void* pages, size_t size) : pages_(pages), size_(size) {}
  void* pages_;
  size_t size_;
};

}  // namespace ashlar
