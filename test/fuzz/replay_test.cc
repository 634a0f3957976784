// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A fuzzer as a test: every input that is kept (among them one for each defect that was found), and
// some thousand mutations of them, the same ones in every run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "test/fuzz/fuzz.h"

namespace ashlar::fuzz {
namespace {

void Replay(const std::string &input) {
  // On the heap and exactly as long as it is, so that a sanitizer sees reads beyond it.
  std::vector<uint8_t> bytes(input.begin(), input.end());
  EXPECT_EQ(LLVMFuzzerTestOneInput(bytes.data(), bytes.size()), 0);
}

std::vector<std::string> KeptInputs() {
  std::vector<std::string> inputs = Seeds();
  for (std::string &input : ReadTree(ASHLAR_FUZZ_CORPUS, ""))
    inputs.push_back(std::move(input));
  return inputs;
}

// One to four changes of the kinds that break readers.
std::string Mutate(std::string input, const std::vector<std::string> &others,
                   std::mt19937 &random) {
  auto below = [&](size_t bound) { return bound == 0 ? 0 : random() % bound; };
  for (size_t changes = 1 + below(4); changes > 0; --changes) {
    size_t at = below(input.size() + 1);
    const std::string &other = others[below(others.size())];
    switch (below(7)) {
    case 0: // a bit
      if (at < input.size())
        input[at] ^= static_cast<char>(1u << below(8));
      break;
    case 1: // a byte of those that mean something at many places
      if (at < input.size())
        input[at] = "\0\xff\x7f\x80\"{}[],:-0919\n"[below(17)];
      break;
    case 2: // cut
      input.resize(at);
      break;
    case 3: // a piece left out
      input.erase(at, below(32));
      break;
    case 4: // a piece twice
      input.insert(at, input.substr(below(input.size() + 1), below(64)));
      break;
    case 5: // a piece of another input
      input.insert(at, other.substr(below(other.size() + 1), below(64)));
      break;
    case 6: // spliced
      input = input.substr(0, at) + other.substr(below(other.size() + 1));
      break;
    }
  }
  return input;
}

TEST(Replay, KeptInputs) {
  std::vector<std::string> inputs = KeptInputs();
  ASSERT_FALSE(inputs.empty());
  for (const std::string &input : inputs)
    Replay(input);
  Replay("");
}

// ASHLAR_FUZZ_MUTATIONS: how many in place of 2,000.
TEST(Replay, Mutations) {
  const char *wanted = std::getenv("ASHLAR_FUZZ_MUTATIONS");
  int count = wanted != nullptr ? std::atoi(wanted) : 2000;
  std::vector<std::string> inputs = KeptInputs();
  ASSERT_FALSE(inputs.empty());
  std::mt19937 random(1);
  for (int i = 0; i < count; ++i)
    Replay(Mutate(inputs[random() % inputs.size()], inputs, random));
}

} // namespace
} // namespace ashlar::fuzz
