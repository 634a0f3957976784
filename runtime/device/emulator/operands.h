// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operands of one launch, each copied to pages of its own with unmapped space around, and what
// is known of who accessed which byte of them.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/device/emulator/clocks.h"
#include "runtime/device/emulator/emulator_abi.h"
#include "runtime/device/emulator/launch.h"

namespace ashlar::emulator {

// The thread of a launch that makes an access.
struct Accessor {
  uint64_t block;  // linear
  uint32_t thread;
  uint32_t clock;
  const Clocks* known;  // what the thread is synchronised with in its block
};

class PlacedOperands {
 public:
  static absl::StatusOr<std::unique_ptr<PlacedOperands>> Create(const Launch& launch);
  ~PlacedOperands();
  PlacedOperands(const PlacedOperands&) = delete;
  PlacedOperands& operator=(const PlacedOperands&) = delete;

  // The launch's parameters with the addresses and tensor maps of the placed operands.
  const std::vector<char>& parameters() const { return parameters_; }

  // Returns an empty string and notes the access if it may be made, or says what is wrong with it
  // ("writes 4 bytes at offset 64 of operand 'y' ..."). Any thread.
  std::string Check(const void* address, size_t bytes, Access access, const Accessor& accessor);

  // Copies what the launch wrote back.
  void CopyBack() const;

 private:
  // A range of memory that one or several operands stand for.
  struct Place {
    std::string name;
    char* original;
    char* data;
    size_t bytes;
    bool read = false, write = false, keeps = false;
    // Per byte, the last write and the last read; only of what is written, and only read back.
    std::unique_ptr<std::atomic<uint64_t>[]> writes, reads;
  };

  explicit PlacedOperands(const Launch& launch) : launch_(launch) {}
  absl::Status FindPlaces();
  absl::Status Map();
  void FillParameters();
  const Place* Nearest(const char* address) const;
  std::string CheckRaces(Place& place, size_t offset, size_t bytes, Access access,
                         const Accessor& accessor);

  const Launch& launch_;
  std::vector<Place> places_;
  std::vector<size_t> place_of_operand_;
  std::vector<char> parameters_;
  char* mapping_ = nullptr;
  size_t mapped_ = 0;
};

}  // namespace ashlar::emulator
