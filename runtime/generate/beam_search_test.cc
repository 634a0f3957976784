// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Beam search on a made-up model, against all of its continuations.
#include "runtime/generate/beam_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/base/status.h"
#include "runtime/generate/sampler.h"
#include "runtime/memory/random.h"

namespace ashlar {
namespace {

constexpr int64_t kVocabulary = 5;
constexpr int64_t kStop = 3;

// The logits after some tokens: anything, but always the same.
std::vector<float> Logits(uint64_t model, const std::vector<int64_t>& tokens) {
  uint64_t key = RandomBits(model, 99);
  for (int64_t token : tokens) key = RandomBits(key, static_cast<uint64_t>(token));
  std::vector<float> logits(kVocabulary);
  for (int64_t i = 0; i < kVocabulary; ++i) logits[i] = 2 * RandomNormal(key, i);
  return logits;
}

// All continuations that end in the stop token or are max_tokens long, best first.
void AddAll(uint64_t model, const BeamOptions& options, Beam beam, std::vector<Beam>* all) {
  const bool stopped = !beam.tokens.empty() && beam.tokens.back() == kStop;
  if (stopped || static_cast<int64_t>(beam.tokens.size()) == options.max_tokens) {
    beam.score =
        beam.sum / std::pow(static_cast<double>(beam.tokens.size()), options.length_penalty);
    all->push_back(beam);
    return;
  }
  const std::vector<float> logits = Logits(model, beam.tokens);
  const double norm = LogSumExp(logits.data(), kVocabulary);
  for (int64_t token = 0; token < kVocabulary; ++token) {
    Beam next = beam;
    next.tokens.push_back(token);
    double log_probability = logits[token] - norm;
    if (std::count(beam.tokens.begin(), beam.tokens.end(), token))
      log_probability *= options.repetition_penalty;
    next.sum += log_probability;
    AddAll(model, options, std::move(next), all);
  }
}

std::vector<Beam> BruteForce(uint64_t model, const BeamOptions& options) {
  std::vector<Beam> all;
  AddAll(model, options, {}, &all);
  std::sort(all.begin(), all.end(), [](const Beam& a, const Beam& b) { return a.score > b.score; });
  return all;
}

// Runs a search whose beams' histories are followed by their parents alone, as caches are.
std::vector<Beam> Search(uint64_t model, const BeamOptions& options, int* steps = nullptr) {
  BeamSearch search(options);
  std::vector<std::vector<int64_t>> rows(1);
  for (int step = 0; !search.done(); ++step) {
    std::vector<std::vector<float>> logits;
    std::vector<const float*> pointers;
    for (const auto& row : rows) logits.push_back(Logits(model, row));
    for (const auto& row : logits) pointers.push_back(row.data());
    EXPECT_TRUE(search.Advance(pointers, kVocabulary).ok());
    // In place and one after the other, as a session copies its sequences.
    rows.resize(std::max(rows.size(), search.live().size()));
    for (size_t i = 0; i < search.live().size(); ++i) rows[i] = rows[search.live()[i].parent];
    rows.resize(search.live().size());
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].push_back(search.live()[i].tokens.back());
      EXPECT_EQ(rows[i], search.live()[i].tokens);
    }
    if (steps) *steps = step + 1;
  }
  return search.best();
}

TEST(BeamSearch, WithEnoughBeamsItFindsTheBestOfAll) {
  for (uint64_t model = 0; model < 20; ++model)
    for (double length_penalty : {-0.5, 0.0, 1.0, 2.0})
      for (double repetition_penalty : {1.0, 1.3}) {
        BeamOptions options;
        options.beams = 5 * 5 * 5 * 5;
        options.max_tokens = 4;
        options.length_penalty = length_penalty;
        options.repetition_penalty = repetition_penalty;
        options.stop_tokens = {kStop};
        const std::vector<Beam> expected = BruteForce(model, options);
        const std::vector<Beam> found = Search(model, options);
        ASSERT_EQ(found.size(), expected.size());
        for (size_t i = 0; i < found.size(); ++i) {
          EXPECT_NEAR(found[i].score, expected[i].score, 1e-9) << model << " " << i;
          EXPECT_EQ(found[i].stopped, found[i].tokens.back() == kStop);
        }
        EXPECT_EQ(found[0].tokens, expected[0].tokens) << model;
      }
}

TEST(BeamSearch, FewBeamsFindSomethingAndMoreOftenTheBest) {
  int hits[3] = {};
  const int64_t kBeams[3] = {1, 2, 8};
  for (uint64_t model = 0; model < 100; ++model) {
    BeamOptions options;
    options.max_tokens = 4;
    options.stop_tokens = {kStop};
    const std::vector<Beam> expected = BruteForce(model, options);
    for (int i = 0; i < 3; ++i) {
      options.beams = kBeams[i];
      const std::vector<Beam> found = Search(model, options);
      ASSERT_FALSE(found.empty());
      EXPECT_LE(found[0].score, expected[0].score + 1e-9);
      hits[i] += found[0].tokens == expected[0].tokens;
      double sum = 0;
      for (float log_probability : found[0].log_probabilities) sum += log_probability;
      EXPECT_NEAR(sum, found[0].sum, 1e-5);
    }
  }
  EXPECT_LT(hits[0], hits[1]);
  EXPECT_LE(hits[1], hits[2]);
  EXPECT_GE(hits[2], 95);
}

TEST(BeamSearch, EndsWhenNothingBetterCanCome) {
  BeamOptions options;
  options.beams = 1;
  options.max_tokens = 50;
  options.length_penalty = 0;
  options.stop_tokens = {0, 1, 2, 3};
  int steps = 0;
  const std::vector<Beam> best = Search(7, options, &steps);
  ASSERT_EQ(best.size(), 1u);
  EXPECT_LT(steps, 20);
}

TEST(BeamSearch, LogitsThatAreNoNumbersAreErrors) {
  BeamOptions options;
  const std::vector<float> nan = {1, NAN, 1}, none = {-HUGE_VALF, -HUGE_VALF};
  EXPECT_THAT(Message(BeamSearch(options).Advance({nan.data()}, 3)),
              ::testing::HasSubstr("the logit of token 1"));
  EXPECT_FALSE(BeamSearch(options).Advance({none.data()}, 2).ok());
}

}  // namespace
}  // namespace ashlar
