// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decides which ops of a function become one kernel. A group grows from an op that gives it its
// shape (a product, an attention, an append, or any other op that computes) to the ops behind it
// and before it, as long as every value that others need is one of its results. Ops behind it over
// the same elements only ever save traffic; ops before it may have to be computed several times,
// and the cost model decides whether that is cheaper than storing what they make.
//
// "Free" ops (slices, reshapes, transposes, broadcasts, splat constants, index counts) belong to no
// group; each group that reads through one repeats it.

#ifndef ASHLAR_COMPILER_TRANSFORMS_FUSIONGROUPS_H
#define ASHLAR_COMPILER_TRANSFORMS_FUSIONGROUPS_H

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/device/cpu/machine_constants.h"
#include "llvm/ADT/SetVector.h"

#include <memory>
#include <vector>

namespace ashlar {

enum class GroupKind { Product, Attention, Append, Rows };

struct FusionGroup {
  GroupKind kind;
  llvm::SetVector<mlir::Operation *> ops;
};

class FusionGroups {
public:
  /// Where the cost model is asked, it is asked for this machine.
  FusionGroups(mlir::func::FuncOp function, const MachineConstants &machine);

  /// The groups; together they hold every op that computes.
  const std::vector<std::unique_ptr<FusionGroup>> &getGroups() const { return groups; }

  /// Whether the op is repeated where it is needed.
  bool isFree(mlir::Operation *op) const;

  /// The ops that read the value, directly or through free ops.
  llvm::SmallVector<mlir::Operation *> getRealUsers(mlir::Value value) const;

private:
  FusionGroup *start(GroupKind kind, mlir::Operation *op);
  void add(FusionGroup *group, mlir::Operation *op);
  bool isAssigned(mlir::Operation *op) const { return groupOf.count(op); }

  void formProducts();
  void formAttention();
  void formAppends();
  void formRows();

  void growConsumers(FusionGroup *group, mlir::Value frontier);
  mlir::Operation *getNextConsumer(FusionGroup *group, mlir::Value frontier) const;
  bool readsElsewhere(FusionGroup *group, mlir::Operation *op) const;
  bool joinSiblings(FusionGroup *group, mlir::Value value, graph::MatmulOp product,
                    llvm::SetVector<mlir::Operation *> &chain);
  void pullProducers(FusionGroup *group, mlir::Operation *op);
  bool canPull(FusionGroup *group, mlir::Operation *producer, mlir::Operation *consumer);
  void forceOperandsOfProducts();
  void forceOperandsOfAttention();
  void forceOperandsOfRegions();

  mlir::func::FuncOp function;
  MachineConstants machine;
  std::vector<std::unique_ptr<FusionGroup>> groups;
  llvm::DenseMap<mlir::Operation *, FusionGroup *> groupOf;
  llvm::DenseSet<mlir::Operation *>
      forced; // free by kind, but some kernel cannot read through them
};

} // namespace ashlar

#endif
