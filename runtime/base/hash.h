// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The project's 64-bit hash (XXH3): checksums of sections and headers. Not cryptographic.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace ashlar {

uint64_t Hash64(std::string_view bytes, uint64_t seed = 0);

// Hash64 (seed 0) of bytes that come in pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  void Update(std::string_view bytes);
  uint64_t Digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ashlar
