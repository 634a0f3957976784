// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Partition/OpPartition.h"

using namespace mlir;
using namespace ashlar::dist;
using ashlar::graph::PathTable;
using ashlar::graph::ShardingRule;

namespace ashlar::distribution {
namespace {

/// Answers an op's questions with dist ops.
class Context : public graph::PartitionContext {
public:
  Context(ImplicitLocOpBuilder &builder, ValueRange local, ArrayRef<RankedTensorType> localTypes,
          const ShardingRule &rule, const FactorAxes &axes, LocalTypes &types)
      : rule(rule), axes(axes), types(types) {
    ops = &builder;
    operands = llvm::to_vector(local);
    resultTypes = llvm::to_vector(localTypes);
  }

  bool isCut(unsigned factor) const override { return !axes[factor].empty(); }

  Value getOrigin(unsigned factor) override {
    const graph::Dim &size = rule.factors[factor].size;
    Attribute dim = size.isNumber() ? Attribute(ops->getI64IntegerAttr(size.size))
                                    : Attribute(FlatSymbolRefAttr::get(size.name));
    return ShardOriginOp::create(*ops, RankedTensorType::get({}, ops->getI64Type()), dim,
                                 types.getMeshName(), getAxesAttr(factor));
  }

  Value combine(Value value, ShardingRule::Combine combine, unsigned factor) override {
    if (!isCut(factor))
      return value;
    return AllReduceOp::create(*ops, value.getType(), static_cast<ReductionKind>(combine), value,
                               types.getMeshName().getValue(), getAxesAttr(factor));
  }

private:
  AxesAttr getAxesAttr(unsigned factor) {
    return getAttr(ops->getContext(), axes[factor], types.getMesh());
  }

  const ShardingRule &rule;
  const FactorAxes &axes;
  LocalTypes &types;
};

/// Gives the ops from `first` on paths below the op's; the results keep its own.
void namePaths(Block::iterator first, Block::iterator end, ArrayRef<Value> results, Location loc,
               PathTable &paths) {
  StringRef path = graph::getPath(loc);
  for (Operation &made : llvm::make_range(first, end)) {
    if (path.empty() || llvm::any_of(made.getResults(), [&](Value value) {
          return llvm::is_contained(results, value);
        }))
      continue;
    StringRef what = made.getName().stripDialect();
    made.setLoc(graph::withPath(loc, paths.take((path + "." + what).str())));
  }
}

/// The local type of an op's result; caches are cut by their room.
Type getLocalType(Type whole, const Sharding &sharding, LocalTypes &types) {
  if (auto tensor = dyn_cast<RankedTensorType>(whole))
    return types.getLocal(tensor, sharding);
  return types.getStored(whole, sharding);
}

} // namespace

FailureOr<SmallVector<Value>>
buildLocal(Operation *op, const ShardingRule &rule, const FactorAxes &axes, ValueRange operands,
           OpBuilder &builder, LocalTypes &types, PathTable &paths,
           llvm::function_ref<void(CollectiveOpInterface)> onCollective) {
  SmallVector<Type> resultTypes;
  for (auto [type, factors] : llvm::zip(op->getResultTypes(), rule.results))
    resultTypes.push_back(getLocalType(type, getTensorSharding(rule, factors, axes), types));
  bool asks = false;
  for (auto [factor, mine] : llvm::zip(rule.factors, axes))
    asks |= factor.cut == ShardingRule::Cut::Partition && !mine.empty();
  if (!asks) {
    Operation *local = builder.clone(*op);
    local->setOperands(operands); // one value may come in two shardings
    for (auto [result, type] : llvm::zip(local->getResults(), resultTypes))
      result.setType(type);
    local->removeAttr(kShardingsAttr);
    local->removeAttr(kPinnedAttr);
    return SmallVector<Value>(local->getResults());
  }

  auto partition = dyn_cast<graph::PartitionOpInterface>(op);
  if (!partition)
    return op->emitOpError()
           << "is to be cut along a factor that it answers for itself, but it has "
              "no partition: "
           << graph::toString(rule);
  SmallVector<RankedTensorType> tensors;
  for (Type type : resultTypes)
    tensors.push_back(cast<RankedTensorType>(type));
  ImplicitLocOpBuilder ops(op->getLoc(), builder);
  Block *block = builder.getInsertionBlock();
  bool wasEmpty = block->empty();
  Block::iterator before = wasEmpty ? block->end() : std::prev(builder.getInsertionPoint());
  Context context(ops, operands, tensors, rule, axes, types);
  SmallVector<Value> results = partition.partition(context);
  for (auto [value, type] : llvm::zip(results, resultTypes))
    if (value.getType() != type)
      return op->emitOpError() << "partitions to " << value.getType() << ", expected " << type;
  Block::iterator first = wasEmpty ? block->begin() : std::next(before);
  namePaths(first, ops.getInsertionPoint(), results, op->getLoc(), paths);
  for (Operation &made : llvm::make_range(first, ops.getInsertionPoint()))
    if (auto collective = dyn_cast<CollectiveOpInterface>(made))
      onCollective(collective);
  builder.setInsertionPoint(ops.getInsertionBlock(), ops.getInsertionPoint());
  return results;
}

} // namespace ashlar::distribution
