// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From logits to the next token. The filters, in this order, which is that of Hugging Face's
// `transformers`; each sees what the ones before it left:
//
//   repetition_penalty r   logits of tokens in the prompt or the continuation: l / r where l > 0,
//                          l * r elsewhere (Keskar et al. 2019); once, however often they occur
//   temperature T          l / T
//   top_k k                the k largest, and all that equal the kth
//   top_p p                the fewest, from the likeliest on, whose probabilities sum up to p or
//                          more (Holtzman et al. 2019); of equals, lower ids first
//   min_p m                those at least m times as likely as the likeliest (Nguyen et al. 2024)
//
// Without a temperature the largest logit after the penalty is taken (greedy; of equals the lowest
// id), and the other filters do nothing.
//
// What is left is drawn from by the Gumbel-max trick: the largest of l_i + g_i, g_i = -log(-log
// u_i) with u_i a function of (seed, sequence, step, token) alone. So a draw depends on nothing
// else, not on the number of threads or on what else is in the batch, and on a machine that
// computes slightly other logits it is another one only where two sums are as near as that.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar {

struct SamplingOptions {
  double temperature = 0;         // 0: greedy
  int64_t top_k = 0;              // 0: all
  double top_p = 1;               // in (0, 1]; 1: all
  double min_p = 0;               // in [0, 1]; 0: all
  double repetition_penalty = 1;  // above 0; 1: none
  uint64_t seed = 0;

  // InvalidArgument that names the field, its value and what is expected.
  absl::Status Check() const;
};

struct Candidate {
  int64_t token;
  double logit;  // after the filters, 0 for the likeliest; without a temperature the model's
};

// Not for several threads at a time; allocates nothing once warm.
class Sampler {
 public:
  // The options have been checked.
  explicit Sampler(const SamplingOptions& options) : options_(options) {}

  // What the filters leave of `count` logits, after the tokens in `history`; in no order. Valid
  // until the next call. DataLoss where a logit is not a number or infinite (minus infinity is
  // fine, a token that cannot be).
  absl::StatusOr<const std::vector<Candidate>*> Filter(const float* logits, int64_t count,
                                                       const std::vector<int64_t>& history);

  // The next token of a sequence at a step of it.
  absl::StatusOr<int64_t> Choose(const float* logits, int64_t count,
                                 const std::vector<int64_t>& history, uint64_t sequence,
                                 uint64_t step);

 private:
  void KeepTopK();
  void KeepTopP();
  void KeepMinP();

  const SamplingOptions options_;
  std::vector<Candidate> candidates_;
  std::vector<uint64_t> penalised_;  // a bit per token
};

// log(sum(exp(logits))), in double.
double LogSumExp(const float* logits, int64_t count);

// Multiplies or divides as repetition_penalty says.
inline double Penalise(double logit, double penalty) {
  return logit > 0 ? logit / penalty : logit * penalty;
}

}  // namespace ashlar
