// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Filters against transformers' (testdata/make_oracle.py), and draws against the distribution that
// the filters leave.
#include "runtime/generate/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

// Probabilities of all tokens after the filters.
std::vector<double> Distribution(Sampler& sampler, const std::vector<float>& logits,
                                 const std::vector<int64_t>& history = {}) {
  auto left = sampler.Filter(logits.data(), static_cast<int64_t>(logits.size()), history);
  EXPECT_TRUE(left.ok()) << left.status();
  std::vector<double> probabilities(logits.size());
  double sum = 0, most = -HUGE_VAL;
  for (const Candidate& c : **left) most = std::max(most, c.logit);
  for (const Candidate& c : **left) sum += probabilities[c.token] = std::exp(c.logit - most);
  for (double& p : probabilities) p /= sum;
  return probabilities;
}

TEST(Sampler, FiltersAsTransformersDoes) {
  auto text = ReadFile(ASHLAR_GENERATE_ORACLE "/filters.json", 1 << 24);
  ASSERT_TRUE(text.ok()) << text.status();
  const auto oracle = nlohmann::json::parse(*text);
  size_t cut = 0;
  for (const auto& given : oracle["cases"]) {
    SamplingOptions options;
    options.temperature = given["temperature"];
    options.top_k = given["top_k"];
    options.top_p = given["top_p"];
    options.min_p = given["min_p"];
    options.repetition_penalty = given["repetition_penalty"];
    ASSERT_TRUE(options.Check().ok());
    Sampler sampler(options);
    const std::vector<double> expected = given["probabilities"];
    const std::vector<double> found = Distribution(sampler, given["logits"], given["history"]);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(found[i], expected[i], 1e-6) << given.dump() << " token " << i;
      cut += expected[i] == 0;
    }
  }
  EXPECT_GT(oracle["cases"].size(), 200u);
  EXPECT_GT(cut, 500u);
}

TEST(Sampler, EqualLogitsAreKeptOrCutAsDefined) {
  const std::vector<float> logits = {1, 3, 3, 3, 0};
  SamplingOptions options;
  options.temperature = 1;
  options.top_k = 2;
  Sampler top_k(options);
  EXPECT_NEAR(Distribution(top_k, logits)[3], 1. / 3, 1e-12);  // all that equal the second
  options.top_k = 0;
  options.top_p = 0.5;
  Sampler top_p(options);
  EXPECT_EQ(Distribution(top_p, logits), (std::vector<double>{0, .5, .5, 0, 0}));
  options = {};
  Sampler greedy(options);
  EXPECT_EQ(*greedy.Choose(logits.data(), 5, {}, 0, 0), 1);
}

TEST(Sampler, ThePenaltyWorksWithoutATemperature) {
  const std::vector<float> logits = {2, 1.5, -1};
  SamplingOptions options;
  options.repetition_penalty = 2;
  Sampler sampler(options);
  EXPECT_EQ(*sampler.Choose(logits.data(), 3, {}, 0, 0), 0);
  EXPECT_EQ(*sampler.Choose(logits.data(), 3, {0, 0, 7, -1}, 0, 0), 1);
  EXPECT_EQ(*sampler.Choose(logits.data(), 3, {}, 0, 0), 0);  // nothing is remembered
}

// Pearson's statistic for `draws` of the sampler; its mean is the degrees of freedom.
double ChiSquare(Sampler& sampler, const std::vector<float>& logits, int draws, int* freedom) {
  const std::vector<double> expected = Distribution(sampler, logits);
  std::vector<int> counts(logits.size());
  for (int i = 0; i < draws; ++i) {
    auto token = sampler.Choose(logits.data(), static_cast<int64_t>(logits.size()), {},
                                static_cast<uint64_t>(i % 7), static_cast<uint64_t>(i / 7));
    EXPECT_TRUE(token.ok());
    ++counts[*token];
  }
  double sum = 0;
  *freedom = -1;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (expected[i] == 0) {
      EXPECT_EQ(counts[i], 0) << i;
      continue;
    }
    const double mean = expected[i] * draws;
    EXPECT_GT(mean, 5);
    sum += (counts[i] - mean) * (counts[i] - mean) / mean;
    ++*freedom;
  }
  return sum;
}

TEST(Sampler, DrawsFollowTheDistribution) {
  const std::vector<float> logits = {2, 0.5, 1.25, -1, 0, 1.75, -0.5, 0.25};
  for (uint64_t seed : {0, 1, 12345}) {
    for (bool filtered : {false, true}) {
      SamplingOptions options;
      options.temperature = 0.9;
      options.seed = seed;
      if (filtered) options.top_k = 6, options.top_p = 0.95, options.min_p = 0.1;
      Sampler sampler(options);
      int freedom = 0;
      const double statistic = ChiSquare(sampler, logits, 20000, &freedom);
      // Five standard deviations; the draws are the same in every run.
      EXPECT_LT(statistic, freedom + 5 * std::sqrt(2. * freedom)) << seed << filtered;
      EXPECT_GT(freedom, 2);
    }
  }
}

TEST(Sampler, ADrawDependsOnItsPlaceAlone) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> logits(1000);
  for (float& logit : logits) logit = normal(random);
  SamplingOptions options;
  options.temperature = 1;
  options.seed = 3;
  Sampler one(options), other(options);
  auto draw = [&](Sampler& sampler, uint64_t sequence, uint64_t step) {
    return *sampler.Choose(logits.data(), 1000, {}, sequence, step);
  };
  std::vector<int64_t> first, second;
  for (uint64_t step = 0; step < 20; ++step) first.push_back(draw(one, 5, step));
  for (uint64_t step = 20; step-- > 0;) second.insert(second.begin(), draw(other, 5, step));
  EXPECT_EQ(first, second);
  int equal = 0;
  for (uint64_t step = 0; step < 20; ++step) equal += draw(one, 6, step) == first[step];
  EXPECT_LT(equal, 5);
  // Numbers that are off by what another machine's may be off by: the same draws.
  for (float& logit : logits) logit += 1e-6f * normal(random);
  for (uint64_t step = 0; step < 20; ++step) EXPECT_EQ(draw(one, 5, step), first[step]);
}

TEST(Sampler, ExtremeTemperaturesAreFine) {
  const std::vector<float> logits = {3, 100, -50, 99};
  SamplingOptions options;
  options.temperature = 1e-310;
  Sampler cold(options);
  options.temperature = 1e300;
  Sampler hot(options);
  std::vector<int> counts(4);
  for (uint64_t step = 0; step < 400; ++step) {
    EXPECT_EQ(*cold.Choose(logits.data(), 4, {}, 0, step), 1);
    ++counts[*hot.Choose(logits.data(), 4, {}, 0, step)];
  }
  for (int count : counts) EXPECT_NEAR(count, 100, 50);
}

TEST(Sampler, LogitsThatAreNoNumbersAreErrors) {
  Sampler sampler({});
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  for (float bad : {nan, infinity}) {
    const std::vector<float> logits = {1, bad, 2};
    EXPECT_THAT(Message(sampler.Choose(logits.data(), 3, {}, 0, 0).status()),
                HasSubstr("the logit of token 1"));
  }
  const std::vector<float> masked = {-infinity, 1, -infinity}, none = {-infinity, -infinity};
  EXPECT_EQ(*sampler.Choose(masked.data(), 3, {}, 0, 0), 1);
  EXPECT_THAT(Message(sampler.Choose(none.data(), 2, {}, 0, 0).status()),
              HasSubstr("no token can follow"));
}

TEST(Sampler, OptionsAreChecked) {
  auto error = [](auto change) {
    SamplingOptions options;
    change(options);
    return Message(options.Check());
  };
  EXPECT_EQ(error([](auto&) {}), "");
  EXPECT_THAT(error([](auto& o) { o.temperature = -1; }), HasSubstr("temperature is -1"));
  EXPECT_THAT(error([](auto& o) { o.temperature = NAN; }), HasSubstr("temperature is nan"));
  EXPECT_THAT(error([](auto& o) { o.top_k = -1; }), HasSubstr("top_k is -1"));
  EXPECT_THAT(error([](auto& o) { o.top_p = 1.5; }), HasSubstr("top_p is 1.5"));
  EXPECT_THAT(error([](auto& o) { o.min_p = NAN; }), HasSubstr("min_p is nan"));
  EXPECT_THAT(error([](auto& o) { o.repetition_penalty = 0; }), HasSubstr("repetition_penalty"));
}

}  // namespace
}  // namespace ashlar
