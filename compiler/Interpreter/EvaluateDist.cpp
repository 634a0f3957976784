// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What dist ops compute: on one rank, and between the ranks of a group. Collectives add up in the
// order of the ranks, in double.

#include "compiler/Interpreter/Evaluation.h"
#include "compiler/Interpreter/Ranks.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::interpreter {

Array takePart(const Array &array, unsigned dim, Range range) {
  std::vector<int64_t> shape = array.shape;
  shape[dim] = range.size;
  Array part(array.elementType, shape);
  int64_t outer = array.count(0, dim), inner = array.count(dim + 1, array.shape.size());
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < range.size * inner; ++i)
      part.copyElement(o * range.size * inner + i, array,
                       (o * array.shape[dim] + range.begin) * inner + i);
  return part;
}

Array joinParts(ArrayRef<ArrayPtr> parts, unsigned dim) {
  std::vector<int64_t> shape = parts.front()->shape;
  shape[dim] = 0;
  for (const ArrayPtr &part : parts)
    shape[dim] += part->shape[dim];
  Array joined(parts.front()->elementType, shape);
  int64_t outer = joined.count(0, dim), inner = joined.count(dim + 1, shape.size());
  int64_t row = shape[dim] * inner, offset = 0;
  for (const ArrayPtr &part : parts) {
    int64_t size = part->shape[dim] * inner;
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < size; ++i)
        joined.copyElement(o * row + offset + i, *part, o * size + i);
    offset += size;
  }
  return joined;
}

namespace {

template <typename Number>
void combine(ReductionKind kind, std::vector<Number> &sum, const std::vector<Number> &other) {
  for (size_t i = 0; i < sum.size(); ++i)
    sum[i] = kind == ReductionKind::Sum   ? sum[i] + other[i]
             : kind == ReductionKind::Max ? std::max(sum[i], other[i])
                                          : std::min(sum[i], other[i]);
}

FailureOr<Array> combine(Operation *op, ReductionKind kind, ArrayRef<ArrayPtr> inputs) {
  Array sum = *inputs.front();
  for (const ArrayPtr &input : inputs.drop_front()) {
    if (input->shape != sum.shape)
      return op->emitOpError() << "combines " << describe(sum) << " and " << describe(*input);
    combine(kind, sum.floats, input->floats);
    combine(kind, sum.integers, input->integers);
  }
  return sum;
}

ArrayPtr share(Array array) { return std::make_shared<const Array>(std::move(array)); }

/// The arrays of a group, in the order of its ranks.
struct Inputs {
  ArrayRef<ArrayPtr> arrays;
  const Mesh &mesh;
  ArrayRef<int64_t> ranks;

  size_t size() const { return arrays.size(); }
  /// What member `index` gets of a dimension that is cut over the group.
  ArrayPtr takeCut(const Array &array, unsigned dim, AxesAttr axes, size_t index) const {
    return share(
        takePart(array, dim, getShard(array.shape[dim], mesh, getAxes(axes, mesh), ranks[index])));
  }
};
using Outputs = std::vector<ArrayPtr>;

LogicalResult exchangeAllReduce(AllReduceOp op, Inputs inputs, Outputs &outputs) {
  auto sum = combine(op, op.getReduction(), inputs.arrays);
  if (failed(sum))
    return failure();
  outputs.assign(inputs.size(), share(std::move(*sum)));
  return success();
}

LogicalResult exchangeReduceScatter(ReduceScatterOp op, Inputs inputs, Outputs &outputs) {
  auto sum = combine(op, op.getReduction(), inputs.arrays);
  if (failed(sum))
    return failure();
  for (size_t i = 0; i < inputs.size(); ++i)
    outputs.push_back(inputs.takeCut(*sum, op.getAxis(), op.getAxes(), i));
  return success();
}

LogicalResult exchangeAllGather(AllGatherOp op, Inputs inputs, Outputs &outputs) {
  outputs.assign(inputs.size(), share(joinParts(inputs.arrays, op.getAxis())));
  return success();
}

LogicalResult exchangeAllToAll(AllToAllOp op, Inputs inputs, Outputs &outputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::vector<ArrayPtr> parts;
    for (const ArrayPtr &input : inputs.arrays)
      parts.push_back(inputs.takeCut(*input, op.getSplit(), op.getAxes(), i));
    outputs.push_back(share(joinParts(parts, op.getJoin())));
  }
  return success();
}

LogicalResult exchangePermute(PermuteOp op, Inputs inputs, Outputs &outputs) {
  for (const ArrayPtr &input : inputs.arrays)
    outputs.push_back(share(Array(input->elementType, input->shape)));
  for (size_t i = 0; i < op.getPairs().size(); i += 2)
    outputs[op.getPairs()[i + 1]] = inputs.arrays[op.getPairs()[i]];
  return success();
}

LogicalResult exchangeBroadcast(BroadcastOp op, Inputs inputs, Outputs &outputs) {
  outputs.assign(inputs.size(), inputs.arrays[op.getRoot()]);
  return success();
}

LogicalResult exchangeMessage(SendOp, Inputs inputs, Outputs &outputs) {
  outputs = {nullptr, inputs.arrays.front()};
  return success();
}

using Exchange = std::function<LogicalResult(Operation *, Inputs, Outputs &)>;

template <typename Op>
void add(llvm::StringMap<Exchange> &table, LogicalResult (*function)(Op, Inputs, Outputs &)) {
  table[Op::getOperationName()] = [function](Operation *op, Inputs inputs, Outputs &outputs) {
    return function(cast<Op>(op), inputs, outputs);
  };
}

const llvm::StringMap<Exchange> &getExchanges() {
  static const llvm::StringMap<Exchange> table = [] {
    llvm::StringMap<Exchange> made;
    add(made, exchangeAllReduce);
    add(made, exchangeReduceScatter);
    add(made, exchangeAllGather);
    add(made, exchangeAllToAll);
    add(made, exchangePermute);
    add(made, exchangeBroadcast);
    add(made, exchangeMessage);
    return made;
  }();
  return table;
}

//===----------------------------------------------------------------------===//
// On one rank
//===----------------------------------------------------------------------===//

LogicalResult requirePlace(Operation *op, Call &call) {
  if (call.place)
    return success();
  return op->emitOpError() << "has a meaning on a rank of a mesh only; evaluate it on ranks";
}

LogicalResult evaluateAllSlice(AllSliceOp op, Call &call) {
  if (failed(requirePlace(op, call)))
    return failure();
  const Mesh &mesh = call.place->mesh;
  const Array &x = call.operand(0);
  Range part = getShard(x.shape[op.getAxis()], mesh, getAxes(op.getAxes(), mesh), call.place->rank);
  call.result(0) = takePart(x, op.getAxis(), part);
  return success();
}

LogicalResult evaluateShardOrigin(ShardOriginOp op, Call &call) {
  if (failed(requirePlace(op, call)))
    return failure();
  std::optional<int64_t> extent;
  if (auto number = dyn_cast<IntegerAttr>(op.getDim()))
    extent = number.getInt();
  else
    extent = call.extents.find(cast<FlatSymbolRefAttr>(op.getDim()).getValue());
  if (!extent)
    return op.emitOpError() << "needs the extent of " << op.getDim() << ", which no input gives";
  const Mesh &mesh = call.place->mesh;
  call.result(0).integers[0] =
      getShard(*extent, mesh, getAxes(op.getAxes(), mesh), call.place->rank).begin;
  return success();
}

LogicalResult evaluateWait(WaitOp, Call &call) {
  call.shared = std::make_shared<const Array>(call.operand(0));
  return success();
}

} // namespace

LogicalResult exchange(Operation *op, const Mesh &mesh, ArrayRef<int64_t> ranks,
                       ArrayRef<ArrayPtr> inputs, std::vector<ArrayPtr> &outputs) {
  auto found = getExchanges().find(op->getName().getStringRef());
  if (found == getExchanges().end())
    return op->emitError() << "the interpreter has no evaluation of '" << op->getName() << "'";
  return found->second(op, {inputs, mesh, ranks}, outputs);
}

void registerDistOps(Evaluations &table) {
  table.add<AllSliceOp>(evaluateAllSlice);
  table.add<ShardOriginOp>(evaluateShardOrigin);
  table.add<WaitOp>(evaluateWait);
}

} // namespace ashlar::interpreter
