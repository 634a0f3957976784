// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The machines that code is made for: an instruction set, LLVM's view of it, and the register
// blocking and arithmetic chosen for it.

#ifndef ASHLAR_CODEGEN_CPU_CPUMODEL_H
#define ASHLAR_CODEGEN_CPU_CPUMODEL_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ashlar::cpu {

/// How products of bf16 weights are computed.
enum class Bf16Product {
  Widen, // the weights are widened, the sums are f32 fused multiply-adds
  Dot,   // the left operand is rounded to bf16; AVX512_BF16's dot products of pairs
  Tile   // the left operand is rounded to bf16; AMX tiles
};

struct CpuModel {
  std::string name;      // what --cpu takes
  std::string base;      // LLVM's CPU whose instructions are used: x86-64-v3 or x86-64-v4
  std::string tune;      // LLVM's CPU that instructions are scheduled for
  int64_t lanes;         // f32 elements of a vector register
  int64_t accumulators;  // registers that hold sums in a register tile
  int64_t tileRegisters; // registers of a row of the tile, at most
  /// The steps of depth whose part of two panels stays in cache while rows pass over it.
  int64_t depthBlock = 128;
  /// Whether memory delivers most when one run of packed weights is read after the other, by the
  /// hardware's prefetching alone; else when many are, with lines asked for ahead of time.
  bool readsOneStream = false;
  Bf16Product bf16 = Bf16Product::Widen;
  /// Whether the instructions of `bf16` are expanded into those of the base: the same loops and
  /// layouts on a machine that lacks them, for tests.
  bool emulated = false;
  std::vector<std::string> extensions; // LLVM's features that are used beyond the base
  std::vector<std::string> features;   // what the machine must have, as the artifact lists it
};

/// Panels of packed weights and keys are this wide on every CPU.
inline constexpr int64_t kPanel = 32;

/// The model for a name that --cpu takes: "native", an x86-64 CPU that LLVM knows ("x86-64-v3",
/// "sapphirerapids", "znver5", ...) or one of the models for tests. Empty, with a reason in
/// `error`, for a name that is unknown or a CPU that lacks AVX2.
std::optional<CpuModel> findCpuModel(llvm::StringRef name, std::string &error);

/// Two names stand for every model of their kind: the least CPUs with AVX2 and with AVX-512.
inline constexpr llvm::StringLiteral kLeastCpus[] = {"x86-64-v3", "x86-64-v4"};
/// The models whose extensions are emulated.
inline constexpr llvm::StringLiteral kEmulatedCpus[] = {"znver5-emulated",
                                                        "sapphirerapids-emulated"};

} // namespace ashlar::cpu

#endif
