// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/checkpoint/safetensors.h"
#include "runtime/testing/checkpoint_builder.h"
#include "runtime/testing/tiny_program.h"
#include "test/fuzz/fuzz.h"

std::vector<std::string> ashlar::fuzz::Seeds() {
  testing::CheckpointBuilder builder;
  builder.Add("empty", DType::kF16, {0, 4}, std::string());
  builder.Add("scalar", DType::kF32, {}, std::vector<float>{1});
  return {testing::TinyCheckpoint(), builder.Build()};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace ashlar;
  auto header = ParseSafetensorsHeader("fuzzed", {reinterpret_cast<const char *>(data), size});
  if (!header.ok())
    return 0;
  uint64_t end = header->header_bytes;
  for (const TensorInfo &tensor : header->tensors) {
    uint64_t bytes = DTypeSize(tensor.dtype);
    for (int64_t extent : tensor.shape)
      bytes *= extent;
    fuzz::Require(tensor.offset == end && tensor.bytes == bytes,
                  "tensors lie one behind the other, with the bytes of their shapes");
    end += bytes;
  }
  fuzz::Require(end == size, "the tensors are the file");
  return 0;
}
