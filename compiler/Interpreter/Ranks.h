// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates partitioned functions on all ranks of a mesh in one process: the proof that a plan
// computes what the graph says. Whole tensors go in and come out.
//
//   auto states = makeRankStates(module, loadFromCheckpoint(checkpoint));
//   auto outputs = evaluateOnRanks({function}, {{"input_ids", ids}}, states, {});

#ifndef ASHLAR_COMPILER_INTERPRETER_RANKS_H
#define ASHLAR_COMPILER_INTERPRETER_RANKS_H

#include "compiler/Interpreter/Interpreter.h"
#include "dialects/Dist/Dist.h"

namespace ashlar::interpreter {

/// The elements of a range of one dimension.
Array takePart(const Array &array, unsigned dim, dist::Range range);
/// Arrays one behind the other along a dimension; the inverse.
Array joinParts(llvm::ArrayRef<ArrayPtr> parts, unsigned dim);

/// A store per rank of the module's mesh; where ranks have several stages of a pipeline, those of
/// every rank's first stage and then the others. Parameters are asked for whole, and each rank
/// keeps its part as the state's dist.sharding says; what pads it is not a number, so that reading
/// it shows.
std::vector<StateStore> makeRankStates(mlir::ModuleOp module, StateInitializer parameters);

/// Runs the functions (one for all ranks, or stages that name theirs) on every rank. Inputs are
/// whole and cut as the arguments' dist.sharding says; results are put together likewise, and where
/// several ranks hold one element they must agree to the bit. Results of several functions follow
/// one another.
mlir::FailureOr<std::vector<NamedArray>>
evaluateOnRanks(llvm::ArrayRef<mlir::func::FuncOp> functions, llvm::ArrayRef<NamedArray> inputs,
                std::vector<StateStore> &states, const EvaluateOptions &options);

/// What the ranks of a matched group give and get, in the order of `ranks`. The op is the first
/// rank's (of a message the sender's); an output is null where a rank gets nothing.
mlir::LogicalResult exchange(mlir::Operation *op, const dist::Mesh &mesh,
                             llvm::ArrayRef<int64_t> ranks, llvm::ArrayRef<ArrayPtr> inputs,
                             std::vector<ArrayPtr> &outputs);

} // namespace ashlar::interpreter

#endif
