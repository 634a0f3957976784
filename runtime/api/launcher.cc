// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/launcher.h"

#include <cstring>

namespace ashlar {

absl::Status Launcher::CopyRows(char* to, int64_t to_stride, const char* from, int64_t from_stride,
                                int64_t row_bytes, int64_t rows) {
  for (int64_t row = 0; row < rows && row_bytes > 0; ++row)
    std::memcpy(to + row * to_stride, from + row * from_stride, row_bytes);
  return absl::OkStatus();
}

absl::Status Launcher::Store(char* to, int64_t value) {
  std::memcpy(to, &value, sizeof(value));
  return absl::OkStatus();
}

}  // namespace ashlar
