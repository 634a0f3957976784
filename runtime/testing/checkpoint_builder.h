// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes safetensors files for tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/base/dtype.h"

namespace ashlar::testing {

class CheckpointBuilder {
 public:
  // Appends a tensor with these raw bytes.
  void Add(const std::string& name, DType dtype, const std::vector<int64_t>& shape,
           const std::string& bytes);
  // Appends a float tensor, rounded to the dtype (F32, F16 or BF16).
  void Add(const std::string& name, DType dtype, const std::vector<int64_t>& shape,
           const std::vector<float>& values);

  // The file's bytes.
  std::string Build() const;

 private:
  std::string header_, data_;
};

}  // namespace ashlar::testing
