// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/generate/sampler.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/status.h"
#include "runtime/memory/random.h"

namespace ashlar {
namespace {

bool Likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

// No g is larger, for u = 1 - 2^-53.
constexpr double kLargestGumbel = 37;

double Gumbel(uint64_t key, int64_t token) {
  // 52 bits and a half: with one more, the largest u would be rounded to 1, and g be infinite.
  const double u =
      (static_cast<double>(RandomBits(key, static_cast<uint64_t>(token)) >> 12) + 0.5) * 0x1p-52;
  return -std::log(-std::log(u));
}

}  // namespace

absl::Status SamplingOptions::Check() const {
  // Written so that what is not a number fails.
  if (!(temperature >= 0) || std::isinf(temperature))
    return InvalidArgument("temperature is ", temperature, ", expected 0 (greedy) or more");
  if (top_k < 0) return InvalidArgument("top_k is ", top_k, ", expected 0 (all tokens) or more");
  if (!(top_p > 0 && top_p <= 1))
    return InvalidArgument("top_p is ", top_p, ", expected a probability above 0, at most 1");
  if (!(min_p >= 0 && min_p <= 1)) return InvalidArgument("min_p is ", min_p, ", expected 0..1");
  if (!(repetition_penalty > 0) || std::isinf(repetition_penalty))
    return InvalidArgument("repetition_penalty is ", repetition_penalty,
                           ", expected a number above 0; 1 changes nothing");
  return absl::OkStatus();
}

double LogSumExp(const float* logits, int64_t count) {
  double most = -HUGE_VAL, sum = 0;
  for (int64_t i = 0; i < count; ++i) most = std::max<double>(most, logits[i]);
  for (int64_t i = 0; i < count; ++i) sum += std::exp(logits[i] - most);
  return most + std::log(sum);
}

void Sampler::KeepTopK() {
  if (options_.top_k == 0 || options_.top_k >= static_cast<int64_t>(candidates_.size())) return;
  auto kth = candidates_.begin() + (options_.top_k - 1);
  std::nth_element(candidates_.begin(), kth, candidates_.end(), Likelier);
  const double least = kth->logit;
  candidates_.erase(std::partition(kth + 1, candidates_.end(),
                                   [&](const Candidate& c) { return c.logit == least; }),
                    candidates_.end());
}

void Sampler::KeepTopP() {
  if (options_.top_p >= 1) return;
  std::sort(candidates_.begin(), candidates_.end(), Likelier);
  double all = 0, sum = 0;
  for (const Candidate& c : candidates_) all += std::exp(c.logit);
  size_t kept = 0;
  while (kept < candidates_.size() && sum < options_.top_p * all)
    sum += std::exp(candidates_[kept++].logit);
  candidates_.resize(kept);
}

void Sampler::KeepMinP() {
  if (options_.min_p == 0) return;
  const double least = std::log(options_.min_p);  // the likeliest has 0
  candidates_.erase(std::remove_if(candidates_.begin(), candidates_.end(),
                                   [&](const Candidate& c) { return c.logit < least; }),
                    candidates_.end());
}

absl::StatusOr<const std::vector<Candidate>*> Sampler::Filter(const float* logits, int64_t count,
                                                              const std::vector<int64_t>& history) {
  candidates_.clear();
  const bool penalise = options_.repetition_penalty != 1;
  auto bit = [](int64_t token) { return uint64_t{1} << (token % 64); };
  if (penalise) {
    penalised_.assign((count + 63) / 64, 0);
    for (int64_t token : history)
      if (token >= 0 && token < count) penalised_[token / 64] |= bit(token);
  }
  const bool greedy = options_.temperature == 0;
  Candidate best = {-1, -HUGE_VAL};
  for (int64_t i = 0; i < count; ++i) {
    double logit = logits[i];
    if (std::isnan(logit) || logit == HUGE_VAL)
      return DataLoss("the logit of token ", i, " is ", logit, ", no finite number");
    if (penalise && (penalised_[i / 64] & bit(i)))
      logit = Penalise(logit, options_.repetition_penalty);
    if (logit > best.logit) best = {i, logit};
    if (!greedy && logit > -HUGE_VAL) candidates_.push_back({i, logit});
  }
  if (best.token < 0)
    return DataLoss("no token can follow: all ", count, " logits are minus infinity");
  if (greedy) {
    candidates_.assign(1, best);
    return &candidates_;
  }
  // The difference first, so that no temperature is so low that all become infinite.
  for (Candidate& c : candidates_) c.logit = (c.logit - best.logit) / options_.temperature;
  KeepTopK();
  KeepTopP();
  KeepMinP();
  return &candidates_;
}

absl::StatusOr<int64_t> Sampler::Choose(const float* logits, int64_t count,
                                        const std::vector<int64_t>& history, uint64_t sequence,
                                        uint64_t step) {
  ASHLAR_RETURN_IF_ERROR(Filter(logits, count, history).status());
  const uint64_t key = RandomBits(RandomBits(RandomBits(options_.seed, 0), sequence), step);
  double best = -HUGE_VAL;
  int64_t token = candidates_.front().token;
  for (const Candidate& c : candidates_) {
    if (c.logit + kLargestGumbel < best) continue;
    const double sum = c.logit + Gumbel(key, c.token);
    if (sum > best || (sum == best && c.token < token)) {
      best = sum;
      token = c.token;
    }
  }
  return token;
}

}  // namespace ashlar
