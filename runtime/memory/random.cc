// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/random.h"

#include "runtime/base/hash.h"

namespace ashlar {

uint64_t RandomKey(uint64_t seed, std::string_view tensor) { return Hash64(tensor, seed); }

}  // namespace ashlar
