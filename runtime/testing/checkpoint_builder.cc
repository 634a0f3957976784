// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/testing/checkpoint_builder.h"

#include "runtime/base/status.h"

namespace ashlar::testing {

void CheckpointBuilder::Add(const std::string& name, DType dtype, const std::vector<int64_t>& shape,
                            const std::string& bytes) {
  header_ += StrCat(header_.empty() ? "" : ",", '"', name, "\":{\"dtype\":\"", DTypeName(dtype),
                    "\",\"shape\":[", StrJoin(shape, ","), "],\"data_offsets\":[", data_.size(),
                    ",", data_.size() + bytes.size(), "]}");
  data_ += bytes;
}

void CheckpointBuilder::Add(const std::string& name, DType dtype, const std::vector<int64_t>& shape,
                            const std::vector<float>& values) {
  std::string bytes(values.size() * DTypeSize(dtype), '\0');
  if (!ConvertElements(DType::kF32, values.data(), dtype, bytes.data(), values.size()).ok())
    bytes.clear();
  Add(name, dtype, shape, bytes);
}

std::string CheckpointBuilder::Build() const {
  std::string json = "{" + header_ + "}";
  uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + json + data_;
}

}  // namespace ashlar::testing
