// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/session_test_base.h"

namespace ashlar::testing {

std::vector<float> SomeX(int64_t rows) {
  std::vector<float> x(rows * kTinyK);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(static_cast<int>(i * 13 % 17) - 8) / 8;
  return x;
}

std::vector<float> Expected(const std::vector<float>& x, const std::vector<int64_t>& factor,
                            const std::vector<int64_t>& position) {
  std::vector<float> weight = TinyWeight(), bias = TinyBias(), out;
  for (size_t r = 0; r < factor.size(); ++r)
    for (int n = 0; n < kTinyN; ++n) {
      float sum = bias[n];
      for (int k = 0; k < kTinyK; ++k) sum += x[r * kTinyK + k] * weight[k * kTinyN + n];
      out.push_back(sum * static_cast<float>(factor[r]) + static_cast<float>(position[r]) +
                    static_cast<float>(n) / 8);
    }
  return out;
}

std::vector<float> Floats(const Tensor& tensor) {
  return std::vector<float>(tensor.as<float>(), tensor.as<float>() + tensor.elements());
}

}  // namespace ashlar::testing
