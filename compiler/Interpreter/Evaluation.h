// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How an op gets its evaluation: one entry in a table, made by the family's file. There is no
// switch over ops.
//
//   void registerShapeOps(Evaluations &table) {
//     table.add<graph::SliceOp>([](graph::SliceOp op, Call &call) { ... call.result(0) ...; return
//     success(); });
//   }
//
// An evaluation finds its results allocated (zeros, of the type's element type at the extents of
// this run) and fills them in double or int64; the interpreter rounds them afterwards.

#ifndef ASHLAR_COMPILER_INTERPRETER_EVALUATION_H
#define ASHLAR_COMPILER_INTERPRETER_EVALUATION_H

#include "compiler/Interpreter/Interpreter.h"

namespace ashlar::interpreter {

/// The extents of a module's dimensions in one run.
class Extents {
public:
  /// Binds the names of `type` to the extents of `shape`. Fails, saying what conflicts, on a
  /// different extent, rank or number.
  mlir::LogicalResult bind(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> shape,
                           llvm::function_ref<mlir::InFlightDiagnostic()> emitError);
  /// Computes derived dimensions, checks every bound extent against its dimension's bounds.
  mlir::LogicalResult finish(mlir::ModuleOp module,
                             llvm::function_ref<mlir::InFlightDiagnostic()> emitError);
  void set(llvm::StringRef name, int64_t extent) { extents[name] = extent; }
  std::optional<int64_t> find(llvm::StringRef name) const;
  /// The shape of a tensor or cache in this run; fails on a dimension that nothing binds.
  mlir::FailureOr<std::vector<int64_t>>
  shapeOf(mlir::Type type, llvm::function_ref<mlir::InFlightDiagnostic()> emitError) const;

private:
  llvm::StringMap<int64_t> extents;
};

/// One evaluation: operands, results, and the run it belongs to.
class Call {
public:
  Call(mlir::Operation *op, std::vector<ArrayPtr> operands, StateStore &states)
      : states(states), op(op), operands(std::move(operands)) {}

  /// The operand in the op's operand list.
  const Array &operand(unsigned i) const { return *operands[i]; }
  /// The array of one of the op's operands, as its accessor returns it.
  const Array &operator[](mlir::Value value) const;
  Array &result(unsigned i) { return results[i]; }

  StateStore &states;
  std::vector<Array> results;
  /// When set, the (only) result is this array, without a copy.
  ArrayPtr shared;

private:
  mlir::Operation *op;
  std::vector<ArrayPtr> operands;
};

class Evaluations {
public:
  using Function = std::function<mlir::LogicalResult(mlir::Operation *, Call &)>;

  template <typename Op, typename Callable>
  void add(Callable evaluate) {
    table[Op::getOperationName()] = [evaluate](mlir::Operation *op, Call &call) {
      return evaluate(mlir::cast<Op>(op), call);
    };
  }
  const Function *find(mlir::OperationName op) const;

  /// The evaluations of all families.
  static const Evaluations &all();

private:
  llvm::StringMap<Function> table;
};

void registerElementwiseOps(Evaluations &table);
void registerShapeOps(Evaluations &table);
void registerNnOps(Evaluations &table);
void registerAttentionOps(Evaluations &table);
void registerStateOps(Evaluations &table);

} // namespace ashlar::interpreter

#endif
