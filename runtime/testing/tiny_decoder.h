// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A "language model" of one kernel, with the entries of a decoder: the next token after id, with n
// tokens in the cache, is (3 * id + n) % 50, n counted before the step. Dims: batch 1..2,
// seq 1..16; context 24.
//
//   prefill(input_ids: i64[batch, seq]) -> logits: f32[batch, 50]
//   decode(input_ids: i64[batch, 1])    -> logits: f32[batch, 50]
#pragma once

#include <string>

#include "absl/status/status.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar::testing {

struct TinyDecoder {
  fb::ProgramT program;
  std::string code;

  // eos_token_id is a property's text: "7" or "[7, 8]"; empty for none.
  explicit TinyDecoder(const std::string& eos_token_id = "");
  absl::Status Write(const std::string& path) const;
};

}  // namespace ashlar::testing
