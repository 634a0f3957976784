// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Short ways to make and pass on absl::Status. Messages are built from any streamable parts:
//
//   return DataLoss(path, ": tensor '", name, "' ends at byte ", end, ", the file has ", size);
//
// Abseil's own StrCat is not used because Debian's Abseil does not accept std::string_view.
#pragma once

#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar {

// A stream of text in the classic locale, whatever locale the application has chosen for its own.
// Where memory is used up it throws, in place of losing the rest of the text.
class MessageStream : public std::ostringstream {
 public:
  MessageStream() {
    imbue(std::locale::classic());
    exceptions(std::ios::badbit);
  }
};

// Returns the parts printed one after the other; numbers as in C.
template <typename... Parts>
std::string StrCat(const Parts&... parts) {
  MessageStream out;
  (out << ... << parts);
  return out.str();
}

// Returns the items printed with `separator` between them.
template <typename Items>
std::string StrJoin(const Items& items, std::string_view separator) {
  MessageStream out;
  bool first = true;
  for (const auto& item : items) {
    if (!first) out << separator;
    first = false;
    out << item;
  }
  return out.str();
}

// Returns "[2, 3, 4]".
std::string ShapeToString(const std::vector<int64_t>& shape);

// Returns `text` fit for a message: at most `limit` bytes, control and non-ASCII bytes as \xNN.
std::string Printable(std::string_view text, size_t limit = 80);

// Returns "<call> <path>: <what errno says>", with the code that errno stands for.
absl::Status ErrnoError(int error, std::string_view call, std::string_view path);

// Returns `status` with "<context>: " before its message; it keeps its error code.
absl::Status Annotate(const absl::Status& status, std::string_view context);

// The message as a std type.
std::string Message(const absl::Status& status);

// The caller asked for what cannot be: wrong name, shape, option.
template <typename... Parts>
absl::Status InvalidArgument(const Parts&... parts) {
  return absl::InvalidArgumentError(StrCat(parts...));
}
template <typename... Parts>
absl::Status NotFound(const Parts&... parts) {
  return absl::NotFoundError(StrCat(parts...));
}
// A file is not what it should be: cut, changed, hostile.
template <typename... Parts>
absl::Status DataLoss(const Parts&... parts) {
  return absl::DataLossError(StrCat(parts...));
}
// A bound of the program was passed: a dimension, a context.
template <typename... Parts>
absl::Status OutOfRange(const Parts&... parts) {
  return absl::OutOfRangeError(StrCat(parts...));
}
// Right in itself, but not on this machine or with these files.
template <typename... Parts>
absl::Status FailedPrecondition(const Parts&... parts) {
  return absl::FailedPreconditionError(StrCat(parts...));
}
template <typename... Parts>
absl::Status ResourceExhausted(const Parts&... parts) {
  return absl::ResourceExhaustedError(StrCat(parts...));
}
template <typename... Parts>
absl::Status Unimplemented(const Parts&... parts) {
  return absl::UnimplementedError(StrCat(parts...));
}

}  // namespace ashlar

#define ASHLAR_STATUS_CONCAT_(a, b) a##b
#define ASHLAR_STATUS_CONCAT(a, b) ASHLAR_STATUS_CONCAT_(a, b)

// Evaluates an absl::Status and returns it from the function unless it is OK.
#define ASHLAR_RETURN_IF_ERROR(expression)                                                    \
  do {                                                                                        \
    if (absl::Status ashlar_status = (expression); !ashlar_status.ok()) return ashlar_status; \
  } while (false)

// ASHLAR_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
#define ASHLAR_ASSIGN_OR_RETURN(declaration, expression) \
  ASHLAR_ASSIGN_OR_RETURN_(ASHLAR_STATUS_CONCAT(ashlar_result_, __LINE__), declaration, expression)
#define ASHLAR_ASSIGN_OR_RETURN_(result, declaration, expression) \
  auto result = (expression);                                     \
  if (!result.ok()) return result.status();                       \
  declaration = *std::move(result)
