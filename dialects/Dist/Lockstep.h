// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks the functions of all ranks together and matches their collectives, as a communicator does:
// an op waits until every rank of its group has issued it as its next op of that group; a started
// one lets its rank go on until dist.wait; a send waits for its receive. The interpreter computes
// along this walk, verifyCollectives only looks.

#ifndef ASHLAR_DIALECTS_DIST_LOCKSTEP_H
#define ASHLAR_DIALECTS_DIST_LOCKSTEP_H

#include "dialects/Dist/Dist.h"

namespace ashlar::dist {

/// A collective that a rank has reached.
struct Issued {
  int64_t rank;
  CollectiveOpInterface op;
};

/// What a rank runs, one after the other.
using RankFunctions = llvm::SmallVector<mlir::func::FuncOp, 1>;

/// The functions that each rank runs: the one whose dist.ranks names it, or that has no such
/// attribute; of the stages of a pipeline all of its own, in their order. Fails, at the function,
/// where a rank has two otherwise, or none.
mlir::FailureOr<std::vector<RankFunctions>>
assignRanks(llvm::ArrayRef<mlir::func::FuncOp> functions, const Mesh &mesh);

/// Calls `evaluate` for every op of a rank that is no collective (dist.wait once its collective is
/// done), in its order, and `exchange` for every group that has met, its members in the order of
/// their place (for a send and its receive: sender, receiver). Fails with an error that names both
/// places where two ranks of a group issue different ops, and where ranks wait for each other.
mlir::LogicalResult
walkRanks(const Mesh &mesh, llvm::ArrayRef<RankFunctions> functionsOfRank,
          llvm::function_ref<mlir::LogicalResult(int64_t, mlir::Operation *)> evaluate,
          llvm::function_ref<mlir::LogicalResult(llvm::ArrayRef<Issued>)> exchange);

/// Checks that every rank's collectives match, for functions that run together.
mlir::LogicalResult verifyCollectives(llvm::ArrayRef<mlir::func::FuncOp> functions,
                                      const Mesh &mesh);

} // namespace ashlar::dist

#endif
