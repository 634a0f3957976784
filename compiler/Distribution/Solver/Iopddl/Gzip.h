// Reads files that may be gzip-compressed.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_IOPDDL_GZIP_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_IOPDDL_GZIP_H

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ashlar::solver {

/// Returns what `data` decompresses to, or an error where it is damaged, ends too early, or
/// decompresses to more than `mostBytes`.
absl::StatusOr<std::string> gunzip(absl::string_view data, size_t mostBytes);

/// Returns a file's content ("-" is the standard input), decompressed if it begins with gzip's two
/// magic bytes.
absl::StatusOr<std::string> readMaybeGzipped(const std::string &path, size_t mostBytes = size_t(1)
                                                                                         << 30);

} // namespace ashlar::solver

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_IOPDDL_GZIP_H
