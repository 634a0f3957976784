// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops that do nothing but the one thing whose limit is asked for: multiply-adds on registers or
// tiles, or passes over memory. The functions carry their own target attributes, so that one
// program holds all of them and calls those that the CPU has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ashlar {

// One way to compute. `run` does `operations` (a multiply-add is two) and returns something that
// cannot be had without them.
struct ComputeKernel {
  std::string kind;         // "f32", "f32_exp", "bf16_dot", "int8_dot", "bf16_tile", "int8_tile"
  std::string instruction;  // what it consists of
  std::vector<std::string> features;  // in LLVM's spelling; all are needed
  double operations;
  int64_t (*run)();
};

// All of them, on any CPU; several of a kind compete, and the best counts.
const std::vector<ComputeKernel>& ComputeKernels();

// One way to pass over memory: `bytes` is a multiple of kMemoryGranule, the pointers are aligned to
// it. A read ignores `to`.
struct MemoryKernel {
  std::string kind;  // "read", "copy"
  std::string instruction;
  std::vector<std::string> features;
  int64_t (*run)(const char* from, char* to, int64_t bytes);
};

inline constexpr int64_t kMemoryGranule = 4096;

const std::vector<MemoryKernel>& MemoryKernels();

}  // namespace ashlar
