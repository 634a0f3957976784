// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/error_code.h"

#include <charconv>
#include <cstdio>

#include "absl/strings/cord.h"

namespace ashlar {
namespace {

constexpr char kPayload[] = "ashlar.error_code";

std::optional<ErrorCode> FindCode(int number) {
  for (const ErrorPage& page : ErrorPages())
    if (static_cast<int>(page.code) == number) return page.code;
  return std::nullopt;
}

std::optional<int> ParseNumber(std::string_view text) {
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

const std::vector<ErrorPage>& ErrorPages() {
  static const auto* pages = new std::vector<ErrorPage>{
#define ASHLAR_ERROR(number, name, title, page) {ErrorCode::k##name, title, page},
#include "runtime/base/error_codes.def"
#undef ASHLAR_ERROR
  };
  return *pages;
}

std::string ErrorName(ErrorCode code) {
  char text[16];
  std::snprintf(text, sizeof(text), "E%04d", static_cast<int>(code));
  return text;
}

std::optional<ErrorCode> ParseErrorName(std::string_view name) {
  if (!name.empty() && (name[0] == 'E' || name[0] == 'e')) name.remove_prefix(1);
  std::optional<int> number = ParseNumber(name);
  return number ? FindCode(*number) : std::nullopt;
}

absl::Status WithCode(ErrorCode code, absl::Status status) {
  if (status.ok() || status.GetPayload(kPayload)) return status;
  const std::string number = std::to_string(static_cast<int>(code));
  status.SetPayload(kPayload, absl::Cord(absl::string_view(number)));
  return status;
}

ErrorCode CodeOf(const absl::Status& status) {
  if (auto payload = status.GetPayload(kPayload)) {
    std::optional<int> number = ParseNumber(std::string(*payload));
    if (std::optional<ErrorCode> code = number ? FindCode(*number) : std::nullopt) return *code;
  }
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return ErrorCode::kInvalidArgument;
    case absl::StatusCode::kNotFound:
      return ErrorCode::kNotFound;
    case absl::StatusCode::kDataLoss:
      return ErrorCode::kDataLoss;
    case absl::StatusCode::kOutOfRange:
      return ErrorCode::kOutOfRange;
    case absl::StatusCode::kFailedPrecondition:
      return ErrorCode::kFailedPrecondition;
    case absl::StatusCode::kResourceExhausted:
      return ErrorCode::kResourceExhausted;
    case absl::StatusCode::kUnimplemented:
      return ErrorCode::kUnimplemented;
    case absl::StatusCode::kPermissionDenied:
      return ErrorCode::kNoPermission;
    case absl::StatusCode::kCancelled:
      return ErrorCode::kCancelled;
    case absl::StatusCode::kDeadlineExceeded:
      return ErrorCode::kDeadlineExceeded;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace ashlar
