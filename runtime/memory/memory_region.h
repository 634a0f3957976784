// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory taken in one piece: arenas, state, packed weights.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"

namespace ashlar {

// An application's own memory in place of the system's pages. Both functions are called from any
// thread.
struct Allocator {
  void* context = nullptr;
  // Returns `bytes` at a multiple of `alignment`, a power of two; null where there is no more. Need
  // not be zero.
  void* (*allocate)(void* context, uint64_t bytes, uint64_t alignment) = nullptr;
  void (*release)(void* context, void* data, uint64_t bytes) = nullptr;

  explicit operator bool() const { return allocate != nullptr; }
};

// Owns its memory, or views the caller's. Movable.
class MemoryRegion {
 public:
  static constexpr uint64_t kAlignment = 4096;

  // Anonymous pages of the system: page-aligned, zero at first, physically taken as they are
  // touched, in huge pages where the system gives them; with an allocator, what that gives.
  // ResourceExhausted names `what` and the bytes. A region of 0 bytes has no data.
  static absl::StatusOr<MemoryRegion> Allocate(uint64_t bytes, const char* what,
                                               const Allocator& allocator = {});

  // Memory that the caller keeps for as long as the region lives.
  static MemoryRegion View(void* data, uint64_t bytes);

  MemoryRegion() = default;
  ~MemoryRegion();
  MemoryRegion(MemoryRegion&& other) noexcept { *this = std::move(other); }
  MemoryRegion& operator=(MemoryRegion&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(origin_, other.origin_);
    std::swap(allocator_, other.allocator_);
    return *this;
  }

  char* data() const { return static_cast<char*>(data_); }
  uint64_t bytes() const { return bytes_; }
  // Whether nothing but zeros was in it when it was made.
  bool was_zero() const { return origin_ == Origin::kSystem; }

  // Bytes of all regions that the process owns now.
  static uint64_t LiveBytes();

 private:
  enum class Origin { kSystem, kAllocator, kCaller };

  void* data_ = nullptr;
  uint64_t bytes_ = 0;
  Origin origin_ = Origin::kSystem;
  Allocator allocator_;
};

}  // namespace ashlar
