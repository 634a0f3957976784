// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates graph functions plainly: whole arrays, one op after the other, each as its definition
// in the .td files reads. It is the oracle that every other way of running a graph is compared
// with, so it is slow and obviously right.
//
//   StateStore states(loadFromCheckpoint(checkpoint));
//   auto outputs = evaluate(function, {{"input_ids", ids}}, states, {});
//
// Errors are diagnostics at the op that cannot be evaluated (or at the function, for its inputs).

#ifndef ASHLAR_COMPILER_INTERPRETER_INTERPRETER_H
#define ASHLAR_COMPILER_INTERPRETER_INTERPRETER_H

#include "compiler/Interpreter/Array.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

#include <functional>
#include <map>

namespace ashlar::interpreter {

class Evaluations;

struct EvaluateOptions {
  Precision precision = Precision::F64;
  /// Extents of dimensions that no input binds.
  llvm::StringMap<int64_t> dims;
  /// What ops are evaluated by (Evaluation.h), where it is not their definitions.
  const Evaluations *evaluations = nullptr;
};

/// A value with the name callers use (graph.name; argN and resultN where a function has none).
struct NamedArray {
  std::string name;
  ArrayPtr array;
};

/// Gives a state's first value, or fails with a diagnostic.
using StateInitializer = std::function<mlir::FailureOr<ArrayPtr>(graph::StateOp)>;

/// What outlives a step. A state is asked of the initializer when it is first read; what is written
/// is kept.
class StateStore {
public:
  /// Session states start as zero; parameters come from `parameters` (null: reading one is an
  /// error).
  explicit StateStore(StateInitializer parameters = nullptr) : parameters(std::move(parameters)) {}

  mlir::FailureOr<ArrayPtr> get(graph::StateOp state);
  void set(llvm::StringRef name, ArrayPtr value) { values[name.str()] = std::move(value); }
  /// Forgets session states, as a new session does.
  void resetSession(mlir::ModuleOp module);

private:
  StateInitializer parameters;
  std::map<std::string, ArrayPtr> values;
};

/// Runs a function. Inputs are found by name; one that is left out takes its graph.default. Extents
/// of named dimensions follow from the inputs' shapes and must lie within their bounds. Returns the
/// results in order.
mlir::FailureOr<std::vector<NamedArray>> evaluate(mlir::func::FuncOp function,
                                                  llvm::ArrayRef<NamedArray> inputs,
                                                  StateStore &states,
                                                  const EvaluateOptions &options);

} // namespace ashlar::interpreter

#endif
