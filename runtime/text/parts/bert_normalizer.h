// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// BERT's normalization: "Héllo,\t世界" uncased becomes "hello,  世  界 ".
#pragma once

#include <optional>

#include "runtime/text/parts/normalizer.h"

namespace ashlar {

struct BertNormalization {
  bool clean_text = true;  // control characters, NUL and U+FFFD out, whitespace to blanks
  bool split_cjk = true;   // a blank before and after each Chinese character
  bool lowercase = true;   // character by character
  std::optional<bool> strip_accents;  // NFD without its nonspacing marks; unset: as lowercase
};

class BertNormalizer : public Normalizer {
 public:
  explicit BertNormalizer(BertNormalization how) : how_(how) {}
  static absl::StatusOr<BertNormalization> Read(const JsonField& field);

  // In the order in which the fields stand, accents before lower case.
  absl::Status Apply(AlignedText* text) const override;

 private:
  BertNormalization how_;
};

}  // namespace ashlar
