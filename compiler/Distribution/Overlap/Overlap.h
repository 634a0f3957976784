// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which collectives of a function run beside its arithmetic, and from where on.
//
// Ranks have one link, which takes transfers one after the other. A collective whose result is
// wanted at once, as that of a row-parallel product, is waited for where it stands: a border, at
// which neither arithmetic nor another transfer goes on. One with arithmetic between what it is
// made of and who first reads it (a parameter that is gathered for its use, a result) may run
// beside that: it is started so late that the arithmetic still hides it, between two borders, so
// that no border waits for it, and waited for at its first reader. Where nothing hides all of it,
// it stands where most is hidden. From the last reader to the first, each takes what room the later
// ones have left.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_OVERLAP_OVERLAP_H
#define ASHLAR_COMPILER_DISTRIBUTION_OVERLAP_OVERLAP_H

#include "compiler/Distribution/Costs.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace ashlar::distribution {

/// A collective, and before which op it starts.
struct EarlyStart {
  dist::CollectiveOpInterface op;
  mlir::Operation *before;
  double seconds = 0, hidden = 0; // of those seconds, beside arithmetic
};

/// Those of a function that gain by it, in the order in which they are needed. At most 16 are under
/// way at any place.
std::vector<EarlyStart> planOverlap(mlir::func::FuncOp function, Costs &costs);

/// Turns the collectives into starts, which stand there with what their operands are read and
/// viewed by, and a dist.wait at the first reader of each.
void startEarly(llvm::ArrayRef<EarlyStart> starts, Costs &costs);

} // namespace ashlar::distribution

#endif
