// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The patterns of tokenizer files are written for Oniguruma. ICU's regular expressions are close,
// but differ in points that tokenizers touch:
//
//   what            in Oniguruma                            here, for ICU
//   \s              the property White_Space                spelled out (ICU leaves \v and U+0085)
//   \w              letters, marks, digits, connectors      spelled out
//   \h              a hexadecimal digit                     spelled out (ICU: a blank)
//   ^ $             at every line                           ICU's flags for that
//   x{2,3}+         the repetition repeated                 (?:x{2,3})+ (ICU: possessive)
//   [a[b]&&c]       nested sets, intersections              the same, literals escaped
//   x{, x{a}        a literal brace                         escaped
//
// Groups that do not capture, case-insensitive ones ((?i:...)), atomic groups, lookahead and
// lookbehind, lazy and possessive repetition, alternation, properties (\p{L}, \p{Han}) and escapes
// are taken. Anything else (back references, conditionals, absent operators, ...) is Unimplemented
// with its place in the pattern.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ashlar {

absl::StatusOr<std::string> TranslateOniguruma(std::string_view pattern);

}  // namespace ashlar
