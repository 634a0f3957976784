// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a kernel that was compiled for the emulator, as a CUDA device would, and finds what a device
// would not say: accesses outside of the operands (each operand gets pages of its own for the
// launch, so that its neighbours in the arena are out of reach), unsynchronised accesses, barriers
// that not all threads reach, asynchronous copies that nobody waited for, misaligned accesses.
// README.md says what it cannot find.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/device/cpu/executor.h"

namespace ashlar::emulator {

// The function that a kernel is compiled to; `parameters` points to its parameter block.
using KernelFunction = void (*)(const void* parameters);

enum class OperandAccess { kRead, kWrite, kReadWrite };

// The place of an address that only tensor maps hold.
inline constexpr size_t kNoParameter = ~size_t{0};

// A buffer and the place in the parameter block where the kernel finds its address.
struct Operand {
  std::string name;
  void* data = nullptr;
  size_t bytes = 0;
  OperandAccess access = OperandAccess::kRead;
  size_t parameter_offset = 0;
  bool keeps = false;  // what of it a launch does not write stays; else that becomes 0xff
};

// A tensor map in the parameter block: rows x columns elements of `operand`, from its beginning.
struct TensorMapParameter {
  size_t parameter_offset = 0;
  int operand = 0;  // index into Launch::operands
  uint64_t rows = 0, columns = 0;
  uint64_t row_stride = 0;  // bytes, a multiple of 16
  uint32_t box_rows = 0, box_columns = 0;
  uint32_t element_bytes = 2;
  uint32_t swizzle_bytes = 128;  // 0: none
};

struct Launch {
  std::string kernel;  // for messages
  KernelFunction function = nullptr;
  uint32_t grid[3] = {1, 1, 1};
  uint32_t threads = 1;       // of a block; a multiple of 32, at most 1024
  uint32_t shared_bytes = 0;  // at most kMaxSharedBytes
  std::vector<char> parameters;
  std::vector<Operand> operands;
  std::vector<TensorMapParameter> tensor_maps;

  // Returns "file:line" of an address in the kernel's code, or an empty string.
  std::function<std::string(const void* pc)> locate;
};

inline constexpr uint32_t kMaxThreads = 1024;
inline constexpr uint32_t kMaxSharedBytes = 227 * 1024;

class FiberStacks;

// Keeps what launches have in common. One launch at a time.
class Emulator {
 public:
  // The pool outlives the emulator.
  explicit Emulator(Executor& pool);
  ~Emulator();

  // Runs the launch to its end; blocks run in any order, the threads of a block in a fixed one.
  // Operands that are only written are filled with NaN patterns first. Operands of the same range
  // share their memory; ranges that overlap in any other way are InvalidArgument, as is a launch
  // that no device would take.
  //
  // An error of the kernel is FailedPrecondition and names the kernel, the block, the thread, the
  // operand and the offset, and the line where `locate` knows it: of the failing blocks, the first.
  // The operands' contents are then as they were before.
  absl::Status Run(const Launch& launch);

 private:
  absl::Status MakeStacks(size_t threads);

  Executor& pool_;
  std::vector<std::unique_ptr<FiberStacks>> stacks_;  // per worker of the pool
};

}  // namespace ashlar::emulator
