// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tokenizer does to a text before it is cut: case, accents, Unicode's normal forms, blanks.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/aligned_text.h"
#include "runtime/text/json_field.h"

namespace ashlar {

// Immutable, so usable from any thread.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // ResourceExhausted where the text would become too long (kMaxNormalizedCharacters), or a
  // pattern backtracks without end.
  virtual absl::Status Apply(AlignedText* text) const = 0;
};

// Reads the `normalizer` of a tokenizer.json: BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC,
// NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip, StripAccents. Null where there is
// none.
absl::StatusOr<std::unique_ptr<const Normalizer>> ReadNormalizer(const JsonField& field);

// One after the other.
class NormalizerSequence : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<const Normalizer>> parts)
      : parts_(std::move(parts)) {}
  absl::Status Apply(AlignedText* text) const override;

 private:
  std::vector<std::unique_ptr<const Normalizer>> parts_;
};

// Removes the characters for which `keep` is false.
template <typename Predicate>
void KeepIf(Predicate keep, AlignedText* text) {
  size_t kept = 0;
  for (size_t i = 0; i < text->size(); ++i) {
    if (!keep(text->chars[i])) continue;
    text->chars[kept] = text->chars[i];
    text->spans[kept++] = text->spans[i];
  }
  text->chars.resize(kept);
  text->spans.resize(kept);
}

// Each character's lower case, whatever stands beside it.
void Lowercase(AlignedText* text);

// Each character to the characters that stand for its bytes (see byte_characters.h).
absl::Status SpellBytes(AlignedText* text);

}  // namespace ashlar
