// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The archive; what its members hold is npy_fuzzer's, since a checksum stands before them. The
// corpus has archives as NumPy writes them, stored and deflated.
#include "runtime/npy/npy.h"
#include "test/fuzz/fuzz.h"

std::vector<std::string> ashlar::fuzz::Seeds() { return {}; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto arrays = ashlar::ParseNpz("fuzzed", {reinterpret_cast<const char *>(data), size});
  if (!arrays.ok())
    return 0;
  for (const auto &[name, array] : *arrays) {
    uint64_t bytes = ashlar::DTypeSize(array.dtype);
    for (int64_t extent : array.shape)
      bytes *= extent;
    ashlar::fuzz::Require(bytes == array.bytes.size(), "an array has the bytes of its shape");
  }
  return 0;
}
