// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/npy/npy.h"

#include "test/fuzz/fuzz.h"

namespace ashlar::fuzz {
namespace {

std::string Image(DType dtype, const std::vector<int64_t> &shape, std::string_view data) {
  return *NpyImage(dtype, shape, data.data());
}

} // namespace

std::vector<std::string> Seeds() {
  return {Image(DType::kF32, {2, 3}, std::string(24, '\1')), Image(DType::kI64, {}, "abcdefgh"),
          Image(DType::kBool, {0, 5}, "")};
}

} // namespace ashlar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace ashlar;
  auto array = ParseNpy("fuzzed", {reinterpret_cast<const char *>(data), size});
  if (!array.ok())
    return 0;
  uint64_t bytes = DTypeSize(array->dtype);
  for (int64_t extent : array->shape)
    bytes *= extent;
  fuzz::Require(bytes == array->bytes.size(), "an array has the bytes of its shape");
  auto image = NpyImage(array->dtype, array->shape, array->bytes.data());
  if (!image.ok())
    return 0; // of a type that is only read
  auto again = ParseNpy("written", *image);
  fuzz::Require(again.ok() && again->shape == array->shape && again->bytes == array->bytes,
                "what was written is what was read");
  return 0;
}
