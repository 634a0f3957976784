// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel costs: its arithmetic and its traffic against the machine's rates (Williams,
// Waterman and Patterson, 2009), and what it takes to start it. One model for decisions at compile
// time and for the predictions that profiles are held against.
//
//   compute = product flops / (share * peak) + elementwise flops / (f32 peak / 2)
//             + transcendentals / exp peak;  the peak is f32's, or, for products of weights of
//             bf16, that of the instructions that the code multiplies them by
//   memory  = sum over (weights, arena, state) of bytes / (cache or memory bandwidth)
//   seconds = launch + max(compute, memory) + exposed * min(compute, memory)
//
// Kernels ask for what they read ahead of time, and most of the smaller part hides behind the
// larger; `exposed` is what does not. Rates are those of the cores that have work: of n items on t
// threads, n / ceil(n / t) threads are busy. Fusion's decisions take the larger part alone: they
// compare, and what is exposed only adds to what they save.

#ifndef ASHLAR_COMPILER_COSTMODEL_ROOFLINE_H
#define ASHLAR_COMPILER_COSTMODEL_ROOFLINE_H

#include "runtime/device/cpu/machine_constants.h"
#include "runtime/program/work.h"

#include <string>
#include <vector>

namespace ashlar {

/// Shares of the rate of multiply-adds on registers that generated products reach with operands in
/// cache, and the part of the lesser of arithmetic and traffic that does not hide behind the
/// greater: properties of codegen/CPU, not of the machine. Found on the products of BERT-base,
/// MiniLM and GPT-2 at 1 to 1,024 rows, f32, on two cores with AVX-512 (median error 5 %);
/// tools/bench/predict.py prints what they give on another machine (2026-11-21).
struct CodeShares {
  double weightProduct = 0.75; // with packed weights
  double valueProduct = 0.45;  // of values, as in attention: short sums, operands packed on the way
  double exposed = 0.3;
  /// What the code multiplies bf16 weights by, and the share of it that products reach.
  Rate MachineConstants::*bf16 = &MachineConstants::f32;
  double bf16Product = 0.75;
};

/// The shares for code with these extensions ("avx512bf16", "amx-bf16", as an image's features name
/// them). That of dot products was found on BERT-base, on two cores of a Zen 4 (steps of 128 and of
/// 1,024 tokens within 4 %, 2026-11-22); that of tiles is what plain loops reached in a trial (40 to
/// 48 %), measured on no model yet.
CodeShares getShares(const std::vector<std::string> &features);

/// What of a step's data stays in the last-level cache from one step, or kernel, to the next.
struct Residency {
  bool weights = false, arena = false, state = false;
};

/// Each kind stays when it fits, together with what is used more often, into half of the cache;
/// the other half is for what the model does not see. The arena is used most often, then state.
Residency getResidency(double weightBytes, double arenaBytes, double stateBytes,
                       const MachineConstants &machine);

enum class Limit { Compute, Memory, Launch };
const char *getName(Limit limit);

struct Prediction {
  double computeSeconds = 0, memorySeconds = 0, launchSeconds = 0;
  double exposed = 0; // of the lesser of the first two, as a share
  double busy = 1;    // threads that have work, as a share of all

  double getSeconds() const;
  /// The largest of the three.
  Limit getLimit() const;
};

Prediction predict(const Work &work, const Residency &residency, const MachineConstants &machine,
                   const CodeShares &shares = {});

/// Says in words why one launch of this work took `measuredSeconds`: it is near an empty launch, or
/// bound by memory (with the bandwidth that it reached), or by arithmetic (with its share of the
/// peak), and whether threads had no work. Empty work gives "nothing to do".
std::string explain(const Work &work, const Residency &residency, double measuredSeconds,
                    const MachineConstants &machine, const CodeShares &shares = {});

/// One core's seconds for arithmetic outside of products and for traffic, with a launch.
double getSeconds(double flops, double bytes, const MachineConstants &machine);

/// Whether a consumer should compute a producer's elements again, each `repeats` times, instead of
/// reading what a kernel of its own has stored. `flops` and `bytes` are the producer's alone,
/// `storedBytes` the size of its result. Only ratios matter.
bool isRecomputingCheaper(double flops, double bytes, double repeats, double storedBytes,
                          const MachineConstants &machine);

} // namespace ashlar

#endif
