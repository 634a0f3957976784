// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "runtime/text/encoding.h"
#include "runtime/text/parts/post_processor.h"

namespace ashlar {

// Cuts one text or a pair so that with `special` more tokens they have at most
// `truncation.max_length`, which must leave room for those. InvalidArgument where the strategy
// names a text that there is not, or that is too short for what must go.
absl::Status Truncate(const Truncation& truncation, int64_t special,
                      std::vector<PostProcessor::Part>* parts);

}  // namespace ashlar
