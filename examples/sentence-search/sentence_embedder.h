// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sentences to vectors whose inner product says how alike they are: the whole use of the library,
// from text to numbers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/api/session.h"
#include "runtime/text/tokenizer.h"

namespace ashlar {

class SentenceEmbedder {
public:
  // `artifact` is what `ashlar compile DIR --head sentence-embedding` wrote, `vocabulary` a
  // directory with tokenizer.json or vocab.txt.
  static absl::StatusOr<std::unique_ptr<SentenceEmbedder>> Load(const std::string &artifact,
                                                                const std::string &vocabulary);

  // Returns a vector of length 1 for each sentence. Sentences beyond the artifact's bound are cut
  // at their end; any number of them is taken, in batches as large as the artifact allows.
  absl::StatusOr<std::vector<std::vector<float>>> Embed(const std::vector<std::string> &sentences);

private:
  SentenceEmbedder() = default;

  std::unique_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<Session> session_;
  int64_t max_batch_ = 1, max_length_ = 1;
};

// The inner product: for vectors of length 1 the cosine of the angle between them.
float Similarity(const std::vector<float> &a, const std::vector<float> &b);

} // namespace ashlar
