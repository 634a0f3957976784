// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's array files: .npy (versions 1 to 3) in and out, .npz in (members stored or deflated, as
// np.savez and np.savez_compressed write them). Files are not trusted: sizes are checked against
// what is there before memory is taken, and every error names the file (and member) with what was
// expected and found.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/dtype.h"

namespace ashlar {

// Row-major elements, owned.
struct NpyArray {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::string bytes;
};

// Parses a .npy image; `name` is for errors. Integers of 8 to 64 bits, bool, f16, f32, f64, little
// endian; arrays in Fortran order are brought into row-major order.
absl::StatusOr<NpyArray> ParseNpy(const std::string& name, std::string_view image);

absl::StatusOr<NpyArray> ReadNpy(const std::string& path);

// The arrays of a .npz with their names, in the file's order; members that are not .npy are left
// out.
absl::StatusOr<std::vector<std::pair<std::string, NpyArray>>> ReadNpz(const std::string& path);
absl::StatusOr<std::vector<std::pair<std::string, NpyArray>>> ParseNpz(const std::string& name,
                                                                       std::string_view image);

// Writes a row-major array as .npy version 1, atomically. NumPy has no bf16: it is written as f32,
// exactly.
absl::Status WriteNpy(const std::string& path, DType dtype, const std::vector<int64_t>& shape,
                      const void* data);

// The image that WriteNpy writes.
absl::StatusOr<std::string> NpyImage(DType dtype, const std::vector<int64_t>& shape,
                                     const void* data);

}  // namespace ashlar
