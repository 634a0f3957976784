// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel costs: the larger of its arithmetic and its traffic (Williams, Waterman and
// Patterson, 2009), and what it takes to start it. Fusion compares such sums; only ratios matter,
// so the constants are those of an ordinary core.

#ifndef ASHLAR_COMPILER_COSTMODEL_ROOFLINE_H
#define ASHLAR_COMPILER_COSTMODEL_ROOFLINE_H

#include "dialects/Graph/GraphDims.h"

namespace ashlar {

struct Machine {
  double flopsPerSecond = 100e9; // arithmetic outside of products, one core
  double bytesPerSecond = 20e9;
  double launchSeconds = 2e-6;
};

/// Operations and bytes of a piece of work.
struct Work {
  double flops = 0;
  double bytes = 0;
};

inline double getSeconds(const Work &work, const Machine &machine = {}) {
  return std::max(work.flops / machine.flopsPerSecond, work.bytes / machine.bytesPerSecond) +
         machine.launchSeconds;
}

/// Whether a consumer should compute a producer's elements again, each `repeats` times, instead of
/// reading what a kernel of its own has stored. `producer` is the work of the producer alone,
/// `storedBytes` the size of its result.
inline bool isRecomputingCheaper(const Work &producer, double repeats, double storedBytes,
                                 const Machine &machine = {}) {
  double recompute = producer.flops * repeats / machine.flopsPerSecond;
  double store = getSeconds({producer.flops, producer.bytes + storedBytes}, machine) +
                 storedBytes * repeats / machine.bytesPerSecond;
  return recompute < store;
}

} // namespace ashlar

#endif
