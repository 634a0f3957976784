// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/generate/beam_search.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "runtime/base/status.h"
#include "runtime/generate/sampler.h"

namespace ashlar {

BeamSearch::BeamSearch(BeamOptions options) : options_(std::move(options)), live_(1) {}

bool BeamSearch::Better(const Extension& a, const Extension& b) {
  if (a.sum != b.sum) return a.sum > b.sum;
  return a.parent != b.parent ? a.parent < b.parent : a.token < b.token;
}

// Merges the best continuations of one beam into those of the step.
absl::Status BeamSearch::Extend(int64_t parent, const float* logits, int64_t vocabulary,
                                size_t most) {
  const Beam& beam = live_[parent];
  for (int64_t i = 0; i < vocabulary; ++i)
    if (std::isnan(logits[i]) || logits[i] == HUGE_VALF)
      return DataLoss("the logit of token ", i, " is ", logits[i], ", no finite number");
  const double norm = LogSumExp(logits, vocabulary);
  std::unordered_set<int64_t> penalised;
  if (options_.repetition_penalty != 1) {
    penalised.insert(options_.prompt.begin(), options_.prompt.end());
    penalised.insert(beam.tokens.begin(), beam.tokens.end());
  }
  for (int64_t token = 0; token < vocabulary; ++token) {
    const double plain = logits[token] - norm;
    if (!(plain > -HUGE_VAL)) continue;
    const double penalty = penalised.count(token) ? options_.repetition_penalty : 1;
    const Extension extension = {parent, token, beam.sum + Penalise(plain, penalty),
                                 static_cast<float>(plain)};
    if (extensions_.size() == most) {  // a heap with the worst on top
      if (!Better(extension, extensions_.front())) continue;
      std::pop_heap(extensions_.begin(), extensions_.end(), Better);
      extensions_.pop_back();
    }
    extensions_.push_back(extension);
    std::push_heap(extensions_.begin(), extensions_.end(), Better);
  }
  return absl::OkStatus();
}

Beam BeamSearch::Child(const Extension& extension) const {
  Beam child = live_[extension.parent];
  child.tokens.push_back(extension.token);
  child.log_probabilities.push_back(extension.log_probability);
  child.sum = extension.sum;
  child.parent = extension.parent;
  child.stopped = std::find(options_.stop_tokens.begin(), options_.stop_tokens.end(),
                            extension.token) != options_.stop_tokens.end();
  return child;
}

void BeamSearch::Complete(Beam beam) {
  beam.score =
      beam.sum / std::pow(static_cast<double>(beam.tokens.size()), options_.length_penalty);
  auto place = std::upper_bound(best_.begin(), best_.end(), beam,
                                [](const Beam& a, const Beam& b) { return a.score > b.score; });
  best_.insert(place, std::move(beam));
  if (static_cast<int64_t>(best_.size()) > options_.beams) best_.pop_back();
}

bool BeamSearch::CanImprove() const {
  if (static_cast<int64_t>(best_.size()) < options_.beams) return true;
  double possible = -HUGE_VAL;
  for (const Beam& beam : live_) {
    const int64_t length = options_.length_penalty > 0 ? options_.max_tokens
                                                       : static_cast<int64_t>(beam.tokens.size());
    possible = std::max(possible,
                        beam.sum / std::pow(static_cast<double>(length), options_.length_penalty));
  }
  return possible > best_.back().score;
}

// The first child of a beam takes its place, so that its state need not move; others fill up.
void BeamSearch::PlaceByParent(std::vector<Beam> children) {
  const size_t count = children.size();
  std::vector<Beam> placed(count);
  std::vector<bool> taken(count);
  std::vector<Beam> homeless;
  for (Beam& child : children) {
    const size_t home = static_cast<size_t>(child.parent);
    if (home < count && !taken[home]) {
      taken[home] = true;
      placed[home] = std::move(child);
    } else {
      homeless.push_back(std::move(child));
    }
  }
  size_t place = 0;
  for (Beam& child : homeless) {
    while (taken[place]) ++place;
    taken[place] = true;
    placed[place] = std::move(child);
  }
  live_ = std::move(placed);
}

absl::Status BeamSearch::Advance(const std::vector<const float*>& rows, int64_t vocabulary) {
  const size_t beams = static_cast<size_t>(options_.beams);
  const size_t most = std::max<size_t>(2, 1 + options_.stop_tokens.size()) * beams;
  extensions_.clear();
  for (size_t i = 0; i < live_.size(); ++i)
    ASHLAR_RETURN_IF_ERROR(Extend(static_cast<int64_t>(i), rows[i], vocabulary, most));
  if (extensions_.empty()) return DataLoss("no token can follow: all logits are minus infinity");
  std::sort(extensions_.begin(), extensions_.end(), Better);
  std::vector<Beam> children;
  for (size_t i = 0; i < extensions_.size() && children.size() < beams; ++i) {
    Beam child = Child(extensions_[i]);
    const bool full = static_cast<int64_t>(child.tokens.size()) >= options_.max_tokens;
    if (!child.stopped && !full)
      children.push_back(std::move(child));
    else if (i < beams)
      Complete(std::move(child));
  }
  PlaceByParent(std::move(children));
  if (!CanImprove()) live_.clear();
  return absl::OkStatus();
}

}  // namespace ashlar
