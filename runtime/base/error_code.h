// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stable codes of errors: an absl::Status carries one as a payload, so that a program may tell
// errors apart and a person may look them up (`ashlar explain E0507`). error_codes.def lists them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace ashlar {

enum class ErrorCode : int {
#define ASHLAR_ERROR(number, name, title, page) k##name = number,
#include "runtime/base/error_codes.def"
#undef ASHLAR_ERROR
};

struct ErrorPage {
  ErrorCode code;
  std::string_view title;  // a few words
  std::string_view page;   // what happened and what to do, in lines
};

// All codes, by number.
const std::vector<ErrorPage>& ErrorPages();

// "E0507".
std::string ErrorName(ErrorCode code);
// The inverse; also takes "e507" and "507". Nothing for what is no code.
std::optional<ErrorCode> ParseErrorName(std::string_view name);

// Returns the status with this code, unless it is OK or has one: what was known where the error
// arose counts.
absl::Status WithCode(ErrorCode code, absl::Status status);

// The status's code: its own, else that of its absl::StatusCode. Not for OK.
ErrorCode CodeOf(const absl::Status& status);

}  // namespace ashlar
