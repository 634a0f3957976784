// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Beam search, without a model: what to keep, given logits for each sequence that is alive.
//
//   BeamSearch search(options);
//   while (!search.done()) {
//     // logits for each of search.live(), whose beams may have changed places
//     search.Advance(rows, vocabulary);
//   }
//   search.best()
//
// A step takes the best 2 * beams continuations of all live beams by the sum of log-probabilities
// (with e stop tokens, max(2, 1 + e) * beams). Those among the first `beams` that end in a stop
// token, or at max_tokens, are complete: they are kept while they are among the best `beams` by
//
//   sum of log-probabilities / (tokens, the stop token included) ^ length_penalty
//
// The best `beams` of the rest live on. The search ends when no live beam can become better than
// the worst that is kept: by its sum so far at the length that favours it most, max_tokens if
// length_penalty > 0, its own length elsewhere. These are the rules of Hugging Face's
// `transformers` with early_stopping="never". With as many beams as there are continuations it
// finds the best.
//
// repetition_penalty applies to log-probabilities here, as there.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace ashlar {

struct BeamOptions {
  int64_t beams = 1;
  int64_t max_tokens = 1;
  double length_penalty = 1;
  double repetition_penalty = 1;
  std::vector<int64_t> stop_tokens;
  std::vector<int64_t> prompt;  // only counts for the repetition penalty
};

struct Beam {
  std::vector<int64_t> tokens;
  std::vector<float> log_probabilities;  // of the tokens, without the penalty
  double sum = 0;                        // of log-probabilities, with the penalty
  int64_t parent = 0;                    // which of the live beams it continues
  bool stopped = false;                  // ends in a stop token
  double score = 0;                      // of complete beams
};

class BeamSearch {
 public:
  explicit BeamSearch(BeamOptions options);

  // At first one, with no tokens. After a step beam i continues what was beam live()[i].parent
  // before, and i is its parent's place for the best child of each.
  const std::vector<Beam>& live() const { return live_; }

  // One step; `rows[i]` has the logits after live()[i]. DataLoss for logits that are not numbers.
  absl::Status Advance(const std::vector<const float*>& rows, int64_t vocabulary);

  bool done() const { return live_.empty(); }

  // The complete beams, best first; at most `beams`, known when done().
  const std::vector<Beam>& best() const { return best_; }

 private:
  struct Extension {
    int64_t parent, token;
    double sum;
    float log_probability;
  };
  static bool Better(const Extension& a, const Extension& b);
  absl::Status Extend(int64_t parent, const float* logits, int64_t vocabulary, size_t most);
  Beam Child(const Extension& extension) const;
  void Complete(Beam beam);
  bool CanImprove() const;
  void PlaceByParent(std::vector<Beam> children);

  const BeamOptions options_;
  std::vector<Beam> live_, best_;
  std::vector<Extension> extensions_;  // of the step, best first
};

}  // namespace ashlar
