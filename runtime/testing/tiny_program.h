// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A complete program in a few kilobytes, for tests of everything that loads, binds or runs one.
// Dims: batch 1..4, seq 1..8. Entries:
//
//   forward(x: f32[batch, seq, 5], factor: i64[batch, seq] = 1,
//           position: i64[batch, seq] = index, at most 9)
//     -> logits: f32[batch, seq, 33] = (x W + bias) * factor + position + table
//   step(value: i64[batch]) -> total: i64[batch]
//     keeps running totals; at most 6 steps (CounterLimit)
//
// W is [a.weight^T | b.weight] (f32 [20, 5] and bf16 [5, 13]) in PanelF32, bias is a.bias (f16
// [20]) and b.bias (f32 [13]), table is a constant: table[n] = n / 8.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar::testing {

inline constexpr int64_t kTinyK = 5;
inline constexpr int64_t kTinyN = 33;

struct TinyProgram {
  fb::ProgramT program;
  std::string code;
  std::string constants;

  // The weights come from a checkpoint whose header hash is program.checkpoint_hash.
  TinyProgram();
  absl::Status Write(const std::string& path) const;
};

// The tiny program's checkpoint: values that are exact in every dtype. Bytes of a
// model.safetensors.
std::string TinyCheckpoint();

// Its weights as the mathematics has them: W [5][33] and bias [33].
std::vector<float> TinyWeight();
std::vector<float> TinyBias();

// Helpers to make the schema's objects.
std::unique_ptr<fb::ExtentT> MakeExtent(std::vector<uint16_t> dims, int64_t scale = 1,
                                        int64_t divisor = 1);
std::unique_ptr<fb::ValueT> MakeValue(const std::string& name, fb::DType dtype, uint64_t offset,
                                      uint64_t bytes);
std::unique_ptr<fb::DimT> MakeDim(const std::string& name, int64_t maximum);  // from 1
std::unique_ptr<fb::StateT> MakeState(const std::string& name, uint64_t offset,
                                      uint64_t bytes);  // I64
std::unique_ptr<fb::WorkT> MakeWork(fb::WorkKind kind, std::unique_ptr<fb::ExtentT> amount);
std::unique_ptr<fb::OperandT> MakeOperand(fb::Space space, uint64_t offset, uint64_t bytes);
std::unique_ptr<fb::LaunchT> MakeLaunch(uint32_t kernel, const std::string& path);

// Makes the tiny program one for the emulator (with no code that it could run), whose first kernel,
// (x, weight, bias, product), is described as a product that a library computes.
fb::LibraryProductT& DescribeProduct(fb::ProgramT& program);

// Appends a kernel of kernels.c to the program and its code; its last extent is the size of its
// grid.
void AddKernel(fb::ProgramT& program, std::string& code, const std::string& name,
               std::vector<fb::Access> operands, uint16_t extents, uint64_t scratch_bytes);

// Makes the tiny program a pipeline of so many ranks, one behind the other along the mesh's last
// axis, each with `chunks` stages. A stage runs all of it, on weights and states of its own; those
// behind which its ranks have another one give no outputs.
void CutIntoStages(fb::ProgramT& program, int places, int chunks);

}  // namespace ashlar::testing
