// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the cost model knows of a machine, as numbers: measured once, kept in a file.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/device/cpu/thread_pool.h"

namespace ashlar {

// Per second; bytes for memory, operations for arithmetic.
struct Rate {
  double one_core = 0, all_cores = 0;
};

// The values that stand here are those of an ordinary core: what compiling goes by unless it is
// given a file, so that its result does not depend on where it runs.
struct MachineConstants {
  std::string cpu = "an ordinary core";
  std::string date;           // of the measurement, "2026-11-21"
  int threads = 1;            // that "all cores" are
  Rate f32 = {200e9, 200e9};  // operations of fused multiply-adds on registers
  Rate bf16_dot, bf16_tile;   // of products of bf16, by dot products and by tiles; 0: has none
  Rate exp = {2e9, 2e9};      // evaluations of a polynomial exponential on registers
  Rate read = {20e9, 20e9};   // from memory
  Rate copy = {20e9, 20e9};   // from memory to memory; bytes read and bytes written both count
  Rate cache = {40e9, 40e9};  // read from the last-level cache
  double cache_bytes = 16e6;  // its size
  double launch_seconds = 2e-6;
};

// Measures this machine with pools of one thread and of all; takes two to four seconds.
// Unavailable when memory for the passes cannot be had.
absl::StatusOr<MachineConstants> MeasureMachine(Executor& one, Executor& all);

// The file is one JSON object. Reading: every field must be there, numbers positive and finite;
// else InvalidArgument that names the file and the field, and says what was found. Only the two
// rates of a kind of bf16 products may both be 0, or the field may be missing, which says the same:
// the CPU is not known to have them, and predictions go by f32.
absl::StatusOr<MachineConstants> ReadMachineFile(const std::string& path);
absl::Status WriteMachineFile(const std::string& path, const MachineConstants& machine);
std::string ToJson(const MachineConstants& machine);

// Where a measurement for this many threads is kept: ashlar/machine-<threads>.json in
// $XDG_CACHE_HOME, else in ~/.cache; "" where neither is set.
std::string CachedMachinePath(int threads);

}  // namespace ashlar
