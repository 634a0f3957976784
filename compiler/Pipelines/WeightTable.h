// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a program keeps outside of the arena: weights (packed as kernels read them, each combination
// of parts and layout once), constants and states.

#ifndef ASHLAR_COMPILER_PIPELINES_WEIGHTTABLE_H
#define ASHLAR_COMPILER_PIPELINES_WEIGHTTABLE_H

#include "codegen/Target.h"
#include "compiler/Pipelines/CacheUse.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Program/Program.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <map>

namespace ashlar {

/// Returns the name, with a number behind it where a symbol of the module has it.
std::string getUnusedName(mlir::ModuleOp module, llvm::StringRef name);

class WeightTable {
public:
  WeightTable(mlir::ModuleOp module, const Target &target)
      : module(module), builder(module.getBody(), module.getBody()->end()),
        hasPanels(target.hasPanels()), caches(target.hasPanels()) {}

  /// Finds which parameters products read in panels, so that lookups in the same tables read them
  /// too, and how attention reads its caches. To be called with every entry point first.
  mlir::LogicalResult collectLayouts(mlir::func::FuncOp function);

  /// From now on weights and states are those of a stage of a pipeline, in regions of their own.
  void setStage(std::optional<int64_t> number) { stage = number; }

  /// The layout in which a region reads its input (Target.h): of a weight, or of a cache; empty for
  /// row-major.
  std::string getLayout(mlir::Value input, mlir::BlockArgument use);

  /// The bytes in panels of a parameter that is gathered and packed as it comes; 0 for other
  /// values.
  int64_t getGatheredBytes(mlir::Value value) const;

  /// Where the weight (in this layout), constant or state lies; the op is created where it is new.
  mlir::FailureOr<program::OperandAttr> getWeight(mlir::Value value, llvm::StringRef layout,
                                                  mlir::BlockArgument use);
  program::OperandAttr getConstant(graph::ConstantOp constant);
  mlir::FailureOr<program::OperandAttr> getState(mlir::FlatSymbolRefAttr name,
                                                 llvm::StringRef layout, mlir::Operation *user);
  /// The symbol of that state's op.
  std::string getStateSymbol(llvm::StringRef name) const;

private:
  /// What the ranks of a stage, or all where there are none, have for themselves.
  struct Regions {
    llvm::StringMap<program::OperandAttr> weights, states;
    int64_t weightBytes = 0, stateBytes = 0;
  };
  Regions &getRegions() { return regions[stage.value_or(-1)]; }
  mlir::IntegerAttr getStageAttr() {
    return stage ? builder.getI64IntegerAttr(*stage) : mlir::IntegerAttr();
  }
  program::OperandAttr place(program::Space space, int64_t &end, int64_t bytes);

  mlir::ModuleOp module;
  mlir::OpBuilder builder;
  bool hasPanels; // or product weights are stored [n, k] as they are
  std::optional<int64_t> stage;
  std::map<int64_t, Regions> regions;
  CacheLayouts caches;
  llvm::DenseMap<mlir::Attribute, program::OperandAttr> constants;
  llvm::StringSet<> panelTables; // parameters [N, K] that some product reads in panels
  int64_t constantBytes = 0;
};

} // namespace ashlar

#endif
