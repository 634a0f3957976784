// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/status.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "absl/strings/cord.h"
#include "runtime/base/error_code.h"

namespace ashlar {

std::string ShapeToString(const std::vector<int64_t>& shape) {
  return StrCat("[", StrJoin(shape, ", "), "]");
}

std::string Printable(std::string_view text, size_t limit) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == limit) return out + "...";
    unsigned char c = text[i];
    if (c >= 0x20 && c < 0x7f) {
      out += text[i];
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\x%02x", c);
      out += escaped;
    }
  }
  return out;
}

absl::Status ErrnoError(int error, std::string_view call, std::string_view path) {
  std::string message = StrCat(call, " ", path, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return WithCode(ErrorCode::kFileMissing, absl::NotFoundError(message));
    case EACCES:
    case EPERM:
    case EROFS:
      return WithCode(ErrorCode::kNoPermission, absl::PermissionDeniedError(message));
    case ENOMEM:
      return WithCode(ErrorCode::kOutOfMemory, absl::ResourceExhaustedError(message));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return WithCode(ErrorCode::kDiskFull, absl::ResourceExhaustedError(message));
    case EMFILE:
    case ENFILE:
      return WithCode(ErrorCode::kTooManyFiles, absl::ResourceExhaustedError(message));
    default:
      return WithCode(ErrorCode::kSystemCall, absl::UnknownError(message));
  }
}

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), StrCat(context, ": ", Message(status)));
  status.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
    annotated.SetPayload(type, payload);
  });
  return annotated;
}

std::string Message(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

}  // namespace ashlar
