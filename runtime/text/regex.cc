// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/regex.h"

#include <unicode/regex.h>

#include "runtime/base/status.h"
#include "runtime/text/regex_syntax.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

// In ICU's units of 10000 steps: what one text may take. Patterns of tokenizers take a few steps a
// character.
int32_t StepLimit(size_t characters) { return static_cast<int32_t>(5000 + characters / 100); }

}  // namespace

struct Regex::Pattern {
  std::string source;
  std::u32string literal;  // where there is no pattern
  std::unique_ptr<icu::RegexPattern> pattern;
};

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern) {
  auto translated = TranslateOniguruma(pattern);
  const std::string quoted = StrCat("pattern '", Printable(pattern, 200), "'");
  if (!translated.ok()) return Annotate(translated.status(), quoted);
  auto compiled = std::make_shared<Pattern>();
  compiled->source = quoted;
  UErrorCode error = U_ZERO_ERROR;
  UParseError place;
  compiled->pattern.reset(icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(*translated),
                                                     UREGEX_MULTILINE | UREGEX_UNIX_LINES, place,
                                                     error));
  if (U_FAILURE(error) || !compiled->pattern)
    return InvalidArgument(quoted, ": not a regular expression: ", u_errorName(error));
  Regex regex;
  regex.pattern_ = std::move(compiled);
  return regex;
}

Regex Regex::Literal(std::string_view text) {
  auto literal = std::make_shared<Pattern>();
  literal->literal = DecodeUtf8(text);
  Regex regex;
  regex.pattern_ = std::move(literal);
  return regex;
}

struct Regex::Finder::State {
  std::shared_ptr<const Pattern> pattern;
  std::unique_ptr<icu::RegexMatcher> matcher;
  icu::UnicodeString text;  // what the matcher reads
};

Regex::Finder::Finder(const Regex& regex) : state_(std::make_unique<State>()) {
  state_->pattern = regex.pattern_;
}

Regex::Finder::~Finder() = default;

absl::StatusOr<std::vector<Regex::Range>> Regex::Finder::Find(std::u32string_view text) {
  std::vector<Range> matches;
  const Pattern& pattern = *state_->pattern;
  if (!pattern.pattern) {
    for (size_t at = 0; !pattern.literal.empty();) {
      at = text.find(pattern.literal, at);
      if (at == std::u32string_view::npos) break;
      matches.emplace_back(at, at + pattern.literal.size());
      at += pattern.literal.size();
    }
    return matches;
  }
  UErrorCode error = U_ZERO_ERROR;
  state_->text = icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                               static_cast<int32_t>(text.size()));
  if (!state_->matcher) {
    state_->matcher.reset(pattern.pattern->matcher(state_->text, error));
  } else {
    state_->matcher->reset(state_->text);
  }
  if (U_SUCCESS(error)) state_->matcher->setTimeLimit(StepLimit(text.size()), error);
  // From places in UTF-16 to characters: both only go forward.
  size_t character = 0;
  int32_t unit = 0;
  auto place = [&](int32_t target) {
    for (; unit < target; ++character) unit += text[character] > 0xFFFF ? 2 : 1;
    return character;
  };
  while (U_SUCCESS(error) && state_->matcher->find(error) && U_SUCCESS(error)) {
    const int32_t begin = state_->matcher->start(error), end = state_->matcher->end(error);
    if (begin == end) continue;
    const size_t first = place(begin);
    matches.emplace_back(first, place(end));
  }
  if (U_FAILURE(error))
    return ResourceExhausted(pattern.source, ": ICU gave up on a text of ", text.size(),
                             " characters: ", u_errorName(error));
  return matches;
}

}  // namespace ashlar
