// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Unicode's four normal forms, of aligned text, with the characters that Unicode 11.0 had (see
// unicode.h): later ones stay as they are.
#pragma once

#include "absl/status/status.h"
#include "runtime/text/aligned_text.h"

namespace ashlar {

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

// Internal when ICU's data are missing.
absl::Status NormalizeUnicode(UnicodeForm form, AlignedText* text);

}  // namespace ashlar
