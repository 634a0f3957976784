// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ashlar {

uint64_t Hash64(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

struct Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher() : state_(new State) { XXH3_64bits_reset(&state_->xxh); }
Hasher::~Hasher() = default;
void Hasher::Update(std::string_view bytes) {
  XXH3_64bits_update(&state_->xxh, bytes.data(), bytes.size());
}
uint64_t Hasher::Digest() const { return XXH3_64bits_digest(&state_->xxh); }

}  // namespace ashlar
