// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory taken from the system in one piece: arenas, state, packed weights.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"

namespace ashlar {

// Owns anonymous pages: page-aligned, zero at first, physically taken as they are touched, in huge
// pages where the system gives them. Movable.
class MemoryRegion {
 public:
  // ResourceExhausted names `what` and the bytes. A region of 0 bytes has no data.
  static absl::StatusOr<MemoryRegion> Allocate(uint64_t bytes, const char* what);

  MemoryRegion() = default;
  ~MemoryRegion();
  MemoryRegion(MemoryRegion&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryRegion& operator=(MemoryRegion&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  char* data() const { return static_cast<char*>(data_); }
  uint64_t bytes() const { return bytes_; }

  // Bytes of all regions that the process holds now.
  static uint64_t LiveBytes();

 private:
  void* data_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace ashlar
