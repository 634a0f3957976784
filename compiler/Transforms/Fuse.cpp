// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns the groups of FusionGroups.h into graph.fused regions.

#include "compiler/Diagnostics/ErrorCodes.h"
#include "compiler/Transforms/FusionGroups.h"
#include "compiler/Transforms/Passes.h"
#include "compiler/Transforms/Weights.h"
#include "dialects/Dist/Dist.h"
#include "dialects/Graph/GraphPaths.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace ashlar {

#define GEN_PASS_DEF_FUSEPASS
#include "compiler/Transforms/Passes.h.inc"

using namespace graph;

namespace {

/// Builds the region of one group.
class RegionBuilder {
public:
  RegionBuilder(const FusionGroups &groups, FusionGroup &group) : groups(groups), group(group) {
    ops.assign(group.ops.begin(), group.ops.end());
    llvm::sort(ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  }

  /// Creates the fused op at the group's last op, which it replaces with all others.
  FusedOp build() {
    Operation *last = ops.back();
    OpBuilder builder(last);
    for (Operation *op : ops)
      for (Value result : op->getResults())
        if (llvm::any_of(groups.getRealUsers(result),
                         [&](Operation *user) { return !group.ops.contains(user); }))
          outputs.push_back(result);
    SmallVector<Type> types =
        llvm::map_to_vector(outputs, [](Value value) { return value.getType(); });
    auto fused = FusedOp::create(builder, getLocation(builder), types, getName(), ValueRange{});
    Block *block = builder.createBlock(&fused.getBody());
    for (Operation *op : ops)
      clone(op, builder, *block);
    SmallVector<Value> yielded =
        llvm::map_to_vector(outputs, [&](Value value) { return mapping.lookup(value); });
    builder.setInsertionPointToEnd(block);
    YieldOp::create(builder, fused.getLoc(), yielded);
    fused.getInputsMutable().assign(inputs);
    for (auto [from, to] : llvm::zip(outputs, fused.getResults()))
      from.replaceAllUsesWith(to);
    for (Operation *op : llvm::reverse(ops)) {
      for (Value result : op->getResults())
        eraseDeadUsers(result);
      op->erase();
    }
    return fused;
  }

private:
  void clone(Operation *op, OpBuilder &builder, Block &block) {
    auto product = dyn_cast<MatmulOp>(op);
    bool isPacked = product && group.kind == GroupKind::Product;
    for (OpOperand &operand : op->getOpOperands())
      if (!isPacked || operand.get() != product.getB() || operand.getOperandNumber() == 0)
        resolve(operand.get(), builder, block);
    builder.setInsertionPointToEnd(&block);
    Operation *copy = builder.clone(*op, mapping);
    if (isPacked)
      cast<MatmulOp>(copy).getBMutable().assign(getPackedWeight(product, block));
  }

  /// The input that is a product's weight. What else reads the same parameter, elements or the
  /// other way round, reads another layout and has an input of its own.
  Value getPackedWeight(MatmulOp product, Block &block) {
    Value &argument = packedWeights[{product.getB(), product.getTransposeB()}];
    if (!argument) {
      inputs.push_back(product.getB());
      argument = block.addArgument(product.getB().getType(), product.getB().getLoc());
    }
    return argument;
  }

  /// Erases free ops behind a value that every reader has repeated for itself.
  static void eraseDeadUsers(Value value) {
    for (Operation *user : llvm::make_early_inc_range(value.getUsers())) {
      for (Value result : user->getResults())
        eraseDeadUsers(result);
      if (isOpTriviallyDead(user))
        user->erase();
    }
  }

  /// Makes an operand available in the region: computed there, repeated there, or an input.
  void resolve(Value value, OpBuilder &builder, Block &block) {
    if (mapping.contains(value))
      return;
    Operation *op = value.getDefiningOp();
    if (op && groups.isFree(op)) {
      clone(op, builder, block);
      return;
    }
    inputs.push_back(value);
    mapping.map(value, block.addArgument(value.getType(), value.getLoc()));
  }

  /// "matmul_add_gelu": what is fused, in order; views are not worth a word.
  std::string getName() {
    std::string name;
    SmallVector<StringRef> words;
    for (Operation *op : ops)
      words.push_back(op->getName().stripDialect());
    for (size_t i = 0; i < words.size(); ++i) {
      if (i >= 6)
        return name + "_etc";
      name += (i ? "_" : "") + words[i].str();
    }
    return name;
  }

  /// The value by which a kernel goes: that of the op that gives the group its shape.
  Location getLocation(OpBuilder &builder) { return group.ops.front()->getLoc(); }

  const FusionGroups &groups;
  FusionGroup &group;
  SmallVector<Operation *> ops;
  SmallVector<Value> inputs, outputs;
  IRMapping mapping;
  llvm::DenseMap<std::pair<Value, int>, Value> packedWeights; // by weight and whether transposed
};

/// A value that a kernel writes where others expect it: not an argument, a state, a constant or a
/// view.
bool isComputed(Value value, const FusionGroups &groups) {
  Operation *op = value.getDefiningOp();
  return op && !groups.isFree(op) && !isa<ReadOp, ConstantOp>(op) && getWeightParts(value).empty();
}

/// Replaces a use by a copy (a cast to the same type) that stands before `place`.
void insertCopy(OpOperand &use, Operation *place, PathTable &paths) {
  OpBuilder builder(place);
  Value value = use.get();
  std::string path = paths.take((getPath(value.getLoc()) + ".copy").str());
  use.set(CastOp::create(builder, withPath(value.getLoc(), path), value.getType(), value));
}

struct Fuse : impl::FusePassBase<Fuse> {
  using FusePassBase::FusePassBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (machineFile.empty())
      return success();
    auto read = ReadMachineFile(machineFile);
    if (!read.ok())
      return emitError(UnknownLoc::get(context), read.status());
    machine = *std::move(read);
    return success();
  }

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function->hasAttr(kEntryAttr))
      return;
    for (Operation &op : function.getBody().front().without_terminator())
      if (!isa<GraphDialect, dist::DistDialect>(op.getDialect())) {
        op.emitOpError() << "is no graph op, and no kernel can be made of it; write entry points "
                            "in ops of the graph dialect";
        return signalPassFailure();
      }
    prepareEnds(function);
    FusionGroups groups(function, machine);
    for (const auto &group : groups.getGroups())
      RegionBuilder(groups, *group).build();
    eraseUnused(function);
  }

  /// Results and written states each need a buffer of their own. Everything is computed before the
  /// first state is written: a value that is a state's reading is copied before, and each write is
  /// a copy of its own.
  void prepareEnds(func::FuncOp function) {
    Operation *terminator = function.getBody().front().getTerminator();
    FusionGroups none(function, machine); // for what is free only
    PathTable paths(function);
    SmallVector<WriteOp> writes(function.getOps<WriteOp>());
    for (WriteOp write : writes) {
      write->moveBefore(terminator);
      if (!isa<CacheType>(write.getValue().getType()) && !isComputed(write.getValue(), none))
        insertCopy(write->getOpOperand(0), writes.front(), paths);
    }
    // Ranks exchange what lies in the arena.
    for (Operation &op : llvm::make_early_inc_range(function.getBody().front()))
      if (isa<dist::DistDialect>(op.getDialect()))
        for (OpOperand &use : op.getOpOperands())
          if (use.get().getDefiningOp() && !isComputed(use.get(), none) &&
              (!none.isFree(use.get().getDefiningOp()) ||
               isa<ConstantOp>(use.get().getDefiningOp())))
            insertCopy(use, &op, paths);
    llvm::DenseSet<Value> seen;
    for (OpOperand &use : terminator->getOpOperands())
      if (!isComputed(use.get(), none) || !seen.insert(use.get()).second)
        insertCopy(use, writes.empty() ? terminator : writes.front(), paths);
    for (WriteOp write : writes)
      if (!isa<CacheType>(write.getValue().getType()))
        insertCopy(write->getOpOperand(0), write, paths);
  }

  void eraseUnused(func::FuncOp function) {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
      if (isOpTriviallyDead(&op))
        op.erase();
  }

  MachineConstants machine;
};

} // namespace
} // namespace ashlar
