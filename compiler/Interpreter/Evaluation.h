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
#include "dialects/Dist/Sharding.h"

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

/// Where on a mesh a run takes place, for the ops that ask.
struct RankPlace {
  const dist::Mesh &mesh;
  int64_t rank;
};

/// One evaluation: operands, results, and the run it belongs to.
class Call {
public:
  Call(mlir::Operation *op, std::vector<ArrayPtr> operands, StateStore &states,
       const Extents &extents, const RankPlace *place)
      : states(states), extents(extents), place(place), op(op), operands(std::move(operands)) {}

  /// The operand in the op's operand list.
  const Array &operand(unsigned i) const { return *operands[i]; }
  /// The array of one of the op's operands, as its accessor returns it.
  const Array &operator[](mlir::Value value) const;
  Array &result(unsigned i) { return results[i]; }

  StateStore &states;
  const Extents &extents;
  const RankPlace *place; // null on a single device
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

using Values = llvm::DenseMap<mlir::Value, ArrayPtr>;

/// Evaluates ops one after the other, for one device.
class Evaluator {
public:
  Evaluator(StateStore &states, const EvaluateOptions &options, const Extents &extents,
            const RankPlace *place = nullptr)
      : states(states), options(options), extents(extents), place(place) {}

  /// Evaluates a block whose arguments are `arguments`; returns its terminator's operands.
  mlir::FailureOr<std::vector<ArrayPtr>> run(mlir::Block &block, std::vector<ArrayPtr> arguments);
  /// Evaluates one op, whose operands are in `values`, and puts its results there.
  mlir::LogicalResult evaluate(mlir::Operation &op, Values &values);

private:
  mlir::LogicalResult evaluateFused(graph::FusedOp op, std::vector<ArrayPtr> operands,
                                    Values &values);

  StateStore &states;
  const EvaluateOptions &options;
  const Extents &extents;
  const RankPlace *place;
};

/// The name by which callers know an argument or a result: `attribute`, or `fallback` and the
/// index.
std::string nameOf(mlir::Attribute attribute, const char *fallback, unsigned index);

/// The function's arguments, of `types` (its own, or those of the whole tensors on a mesh): given
/// or by default, converted, checked against their ranges. Binds and finishes the extents.
mlir::FailureOr<std::vector<ArrayPtr>> bindInputs(mlir::func::FuncOp function,
                                                  llvm::ArrayRef<mlir::Type> types,
                                                  llvm::ArrayRef<NamedArray> inputs,
                                                  Extents &extents, const EvaluateOptions &options);

void registerDistOps(Evaluations &table);
void registerElementwiseOps(Evaluations &table);
void registerShapeOps(Evaluations &table);
void registerNnOps(Evaluations &table);
void registerAttentionOps(Evaluations &table);
void registerStateOps(Evaluations &table);

} // namespace ashlar::interpreter

#endif
