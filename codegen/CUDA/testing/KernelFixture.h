// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For tests: compiles kernel text for the emulator, loads it and launches it over vectors.

#ifndef ASHLAR_CODEGEN_CUDA_TESTING_KERNELFIXTURE_H
#define ASHLAR_CODEGEN_CUDA_TESTING_KERNELFIXTURE_H

#include "runtime/device/emulator/launch.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace ashlar {

/// A compiled kernel text in memory.
class LoadedKernels {
public:
  /// Aborts with the compiler's messages where the text does not compile. Equal texts are compiled
  /// once in a process.
  static const LoadedKernels &get(const std::string &text);

  emulator::KernelFunction function(const std::string &name) const;
  uint32_t threads(const std::string &name) const;
  uint32_t sharedBytes(const std::string &name) const; // 0 where the text does not say
  /// "norm.cuh:40", or empty where llvm-symbolizer is not there.
  std::string locate(const void *pc) const;

private:
  uint32_t number(const std::string &symbol) const;

  std::string path_;
  void *handle_ = nullptr;
};

/// A launch of kernel `name` with `parameters`, whose operands are added one by one.
class TestLaunch {
public:
  template <typename Parameters>
  TestLaunch(const std::string &text, const std::string &name, const Parameters &parameters) {
    prepare(text, name);
    launch.parameters.assign(reinterpret_cast<const char *>(&parameters),
                             reinterpret_cast<const char *>(&parameters + 1));
  }

  template <typename T>
  TestLaunch &operand(const std::string &name, std::vector<T> &values,
                      emulator::OperandAccess access, size_t parameterOffset) {
    launch.operands.push_back(
        {name, values.data(), values.size() * sizeof(T), access, parameterOffset});
    return *this;
  }
  TestLaunch &grid(uint32_t x, uint32_t y = 1, uint32_t z = 1) {
    launch.grid[0] = x, launch.grid[1] = y, launch.grid[2] = z;
    return *this;
  }
  TestLaunch &shared(uint32_t bytes) {
    launch.shared_bytes = bytes;
    return *this;
  }
  absl::Status run();

  emulator::Launch launch;

private:
  void prepare(const std::string &text, const std::string &name);
};

inline constexpr auto kRead = emulator::OperandAccess::kRead;
inline constexpr auto kWrite = emulator::OperandAccess::kWrite;
inline constexpr auto kReadWrite = emulator::OperandAccess::kReadWrite;

/// The host's view of 16-bit elements; rounds to nearest even through another path than the
/// kernels.
struct Bf16 {
  uint16_t bits = 0;
  Bf16() = default;
  explicit Bf16(float x);
  explicit operator float() const;
};
struct F16 {
  uint16_t bits = 0;
  F16() = default;
  explicit F16(float x);
  explicit operator float() const;
};

/// `count` values of a normal distribution, rounded to T.
template <typename T>
std::vector<T> randomValues(size_t count, unsigned seed, float scale = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<T> values(count);
  for (T &value : values)
    value = T(normal(generator));
  return values;
}

/// ||a - b|| / ||b||; NaN anywhere gives NaN.
template <typename T>
double relativeError(const std::vector<T> &a, const std::vector<double> &b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    double d = double(float(a[i])) - b[i];
    difference += d * d;
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / (norm > 0 ? norm : 1));
}

} // namespace ashlar

#endif
