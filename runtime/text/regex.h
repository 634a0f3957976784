// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The regular expressions of tokenizer files, run by ICU (see regex_syntax.h).
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace ashlar {

// Immutable, so usable from any thread.
class Regex {
 public:
  using Range = std::pair<size_t, size_t>;  // characters [first, second)

  // Unimplemented for what is not supported, InvalidArgument for what is no pattern; both quote it.
  static absl::StatusOr<Regex> Compile(std::string_view pattern);
  // A pattern that matches the text itself; empty matches nothing.
  static Regex Literal(std::string_view text);

  // Finds the matches in one text after another, at less cost than a search of its own for each.
  class Finder {
   public:
    explicit Finder(const Regex& regex);
    ~Finder();
    Finder(const Finder&) = delete;
    Finder& operator=(const Finder&) = delete;
    // The matches that are not empty, from left to right. ResourceExhausted for a pattern that
    // backtracks without end in this text.
    absl::StatusOr<std::vector<Range>> Find(std::u32string_view text);

   private:
    struct State;
    std::unique_ptr<State> state_;
  };

 private:
  struct Pattern;
  Regex() = default;
  std::shared_ptr<const Pattern> pattern_;
};

}  // namespace ashlar
