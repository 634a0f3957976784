// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Transforms/FusionGroups.h"

#include "compiler/CostModel/Roofline.h"
#include "compiler/Transforms/Weights.h"
#include "dialects/Dist/Dist.h"

using namespace mlir;

namespace ashlar {

using namespace graph;

static Dims dimsOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? getDims(type) : Dims();
}

/// Ops that may follow in a row kernel without changing which rows it has.
static bool isRowOp(Operation *op) {
  return isa<ElementwiseOpInterface, SoftmaxOp, LayerNormOp, RmsNormOp>(op);
}

/// Ops that a row kernel computes element by element for whoever asks.
static bool isPullable(Operation *op) {
  return isa<ElementwiseOpInterface, EmbeddingOp, GatherOp, RopeOp, ConcatOp>(op) &&
         !getWeightParts(op->getResult(0)).size();
}

/// A cast to the same type stands for a copy that must be a step of its own: it separates what is
/// computed from where it is delivered.
static bool isCopy(Operation *op) {
  auto cast = dyn_cast<CastOp>(op);
  return cast && cast.getX().getType() == cast.getY().getType();
}

/// A name counts as many.
static int64_t getUsualExtent(StringAttr) { return 64; }

/// How often the consumer asks for each of the producer's elements: for a product that is computed
/// element by element as many times as there are rows or columns on the other side, else as often
/// as a broadcast repeats it.
static double getRepeats(Value producer, Operation *consumer) {
  if (consumer->getNumResults() == 0 || !isa<RankedTensorType>(consumer->getResult(0).getType()))
    return 1.0;
  double elements = std::max(1.0, getElementCount(dimsOf(producer)).evaluate(getUsualExtent));
  double reads = getElementCount(dimsOf(consumer->getResult(0))).evaluate(getUsualExtent);
  if (isa<MatmulOp>(consumer))
    reads = cast<CostOpInterface>(consumer).getFlops().evaluate(getUsualExtent) / 2;
  return std::max(1.0, reads / elements);
}

FusionGroups::FusionGroups(func::FuncOp function, const MachineConstants &machine)
    : function(function), machine(machine) {
  forceOperandsOfProducts();
  forceOperandsOfAttention();
  forceOperandsOfRegions();
  formProducts();
  formAttention();
  formAppends();
  formRows();
}

bool FusionGroups::isFree(Operation *op) const {
  if (!op || forced.contains(op))
    return false;
  if (auto constant = dyn_cast<ConstantOp>(op))
    return constant.getValue().isSplat();
  return isa<SliceOp, ReshapeOp, TransposeOp, BroadcastOp, IotaOp>(op);
}

FusionGroup *FusionGroups::start(GroupKind kind, Operation *op) {
  groups.push_back(std::make_unique<FusionGroup>());
  groups.back()->kind = kind;
  add(groups.back().get(), op);
  return groups.back().get();
}

void FusionGroups::add(FusionGroup *group, Operation *op) {
  group->ops.insert(op);
  groupOf[op] = group;
}

SmallVector<Operation *> FusionGroups::getRealUsers(Value value) const {
  llvm::SetVector<Operation *> users;
  for (Operation *user : value.getUsers()) {
    if (!isFree(user)) {
      users.insert(user);
      continue;
    }
    for (Operation *further : getRealUsers(user->getResult(0)))
      users.insert(further);
  }
  return users.takeVector();
}

/// A product reads its rows in place: through reshapes, and slices of the last dimension. Anything
/// else in front of it is stored first.
void FusionGroups::forceOperandsOfProducts() {
  for (auto product : function.getOps<MatmulOp>()) {
    if (!hasPackedWeight(product))
      continue;
    Operation *op = product.getA().getDefiningOp();
    bool sliced = false, joined = false; // joined: a row gathers several rows of what lies before
    while (op && isFree(op)) {
      auto slice = dyn_cast<SliceOp>(op);
      bool lastSlice = slice && static_cast<int64_t>(slice.getAxis()) + 1 ==
                                    cast<RankedTensorType>(slice.getType()).getRank();
      if (!(isa<ReshapeOp>(op) && !sliced) && !(lastSlice && !joined)) {
        forced.insert(op);
        break;
      }
      sliced |= lastSlice;
      if (isa<ReshapeOp>(op)) {
        Dims from = dimsOf(op->getOperand(0)), to = dimsOf(op->getResult(0));
        joined |= from.empty() || to.empty() || from.back() != to.back();
      }
      op = op->getOperand(0).getDefiningOp();
    }
  }
}

/// Attention reads a mask of keys in registers along the keys: a mask whose keys are not neighbours
/// in memory is stored first.
void FusionGroups::forceOperandsOfAttention() {
  for (auto attention : function.getOps<AttentionOp>()) {
    Operation *op = attention.getKeyMask() ? attention.getKeyMask().getDefiningOp() : nullptr;
    for (; op && isFree(op) && op->getNumOperands() > 0; op = op->getOperand(0).getDefiningOp())
      if (isa<TransposeOp, ReshapeOp>(op)) {
        forced.insert(op);
        break;
      }
  }
}

/// A region that stands there already reads its inputs from memory, and so do collectives.
void FusionGroups::forceOperandsOfRegions() {
  for (Operation &reader : function.getBody().front())
    if (isa<FusedOp>(reader) || isa<dist::DistDialect>(reader.getDialect()))
      for (Value input : reader.getOperands())
        if (Operation *op = input.getDefiningOp(); op && isFree(op) && !isa<ConstantOp>(op))
          forced.insert(op);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

void FusionGroups::formProducts() {
  for (auto product : function.getOps<MatmulOp>())
    if (hasPackedWeight(product) && !isAssigned(product))
      growConsumers(start(GroupKind::Product, product), product.getC());
}

/// Collects the elementwise chain from which `value` is computed if it starts at a sibling of
/// `product`.
bool FusionGroups::joinSiblings(FusionGroup *group, Value value, MatmulOp product,
                                llvm::SetVector<Operation *> &chain) {
  Operation *op = value.getDefiningOp();
  if (!op || isAssigned(op) || !value.hasOneUse() || value.getType() != product.getType())
    return false;
  auto sibling = dyn_cast<MatmulOp>(op);
  if (sibling) {
    auto weight = cast<RankedTensorType>(sibling.getB().getType()),
         own = cast<RankedTensorType>(product.getB().getType());
    if (sibling.getA() != product.getA() || !hasPackedWeight(sibling) ||
        weight.getElementType() != own.getElementType())
      return false;
    chain.insert(op);
    return true;
  }
  if (!isa<ElementwiseOpInterface>(op))
    return false;
  bool found = false;
  for (Value operand : op->getOperands())
    found |= joinSiblings(group, operand, product, chain);
  if (found)
    chain.insert(op);
  return found;
}

/// Products of one kernel at most: the sums of all of them lie in registers at once.
static constexpr int64_t kMostProducts = 4;

static int64_t countProducts(const llvm::SetVector<Operation *> &ops) {
  return llvm::count_if(ops, [](Operation *op) { return isa<MatmulOp>(op); });
}

/// The first reader of `frontier`, where the group may stand in its place: every other reader of
/// what the group computes comes later. Null where there is none.
Operation *FusionGroups::getNextConsumer(FusionGroup *group, Value frontier) const {
  Operation *next = nullptr;
  for (Operation *user : frontier.getUsers())
    if (!next || user->isBeforeInBlock(next))
      next = user;
  if (!next || isFree(next) || isAssigned(next))
    return nullptr;
  for (Operation *op : group->ops)
    for (Value result : op->getResults())
      for (Operation *user : getRealUsers(result))
        if (!group->ops.contains(user) && user->isBeforeInBlock(next))
          return nullptr;
  return next;
}

/// Whether the op reads what the group computes at other positions than its own: spread, or through
/// ops that move it. A kernel has its values for the item that it works on, and for no other.
bool FusionGroups::readsElsewhere(FusionGroup *group, Operation *op) const {
  SmallVector<Value> moved;
  for (Value operand : op->getOperands())
    if (isFree(operand.getDefiningOp()) || dimsOf(operand) != dimsOf(op->getResult(0)))
      moved.push_back(operand);
  while (!moved.empty()) {
    Operation *source = moved.pop_back_val().getDefiningOp();
    if (source && group->ops.contains(source))
      return true;
    if (isFree(source))
      llvm::append_range(moved, source->getOperands());
  }
  return false;
}

/// Adds the ops behind `frontier` one after the other. Elements stand one to one, so that nothing
/// is computed twice, and every op that joins saves a launch and at least one pass over memory: by
/// the roofline, max(f + f', b + b' - saved) <= max(f, b) + max(f', b'), it never costs. A value
/// that others read too becomes a result on the way.
void FusionGroups::growConsumers(FusionGroup *group, Value frontier) {
  while (Operation *user = getNextConsumer(group, frontier)) {
    bool fits = group->kind == GroupKind::Rows ? isRowOp(user) : isa<ElementwiseOpInterface>(user);
    if (!fits || isCopy(user) || user->getNumResults() != 1 ||
        dimsOf(user->getResult(0)) != dimsOf(frontier))
      return;
    if (isa<LayerNormOp, RmsNormOp>(user) && user->getOperand(0) != frontier)
      return;
    if (readsElsewhere(group, user))
      return;
    if (group->kind == GroupKind::Product)
      for (Value operand : user->getOperands()) {
        llvm::SetVector<Operation *> chain;
        if (operand != frontier &&
            joinSiblings(group, operand, cast<MatmulOp>(group->ops.front()), chain) &&
            countProducts(group->ops) + countProducts(chain) <= kMostProducts)
          for (Operation *op : chain)
            add(group, op);
      }
    add(group, user);
    if (group->kind == GroupKind::Rows)
      pullProducers(group, user);
    frontier = user->getResult(0);
  }
}

//===----------------------------------------------------------------------===//
// Producers
//===----------------------------------------------------------------------===//

/// Whether the group may compute the producer's elements where the consumer asks for them.
bool FusionGroups::canPull(FusionGroup *group, Operation *producer, Operation *consumer) {
  if (isAssigned(producer) || !isPullable(producer) || isCopy(consumer) ||
      producer->getNumResults() != 1)
    return false;
  Value value = producer->getResult(0);
  for (Operation *user : getRealUsers(value))
    if (!group->ops.contains(user))
      return false;
  double flops = 0, bytes = 0;
  if (auto cost = dyn_cast<CostOpInterface>(producer))
    flops = cost.getFlops().evaluate(getUsualExtent);
  for (Value operand : producer->getOperands())
    bytes += getByteSize(operand.getType()).evaluate(getUsualExtent);
  return isRecomputingCheaper(flops, bytes, getRepeats(value, consumer),
                              getByteSize(value.getType()).evaluate(getUsualExtent), machine);
}

void FusionGroups::pullProducers(FusionGroup *group, Operation *op) {
  SmallVector<Value> operands(op->getOperands());
  while (!operands.empty()) {
    Operation *producer = operands.pop_back_val().getDefiningOp();
    if (!producer || group->ops.contains(producer))
      continue;
    if (isFree(producer)) {
      llvm::append_range(operands, producer->getOperands());
    } else if (canPull(group, producer, op)) {
      add(group, producer);
      pullProducers(group, producer);
    }
  }
}

void FusionGroups::formAttention() {
  for (auto attention : function.getOps<AttentionOp>()) {
    FusionGroup *group = start(GroupKind::Attention, attention);
    // Only queries, keys and values are computed on the way; offsets, lengths and masks are read.
    for (Value operand : attention->getOperands().take_front(3)) {
      Operation *producer = operand.getDefiningOp();
      while (isFree(producer))
        producer = producer->getNumOperands() ? producer->getOperand(0).getDefiningOp() : nullptr;
      if (producer && canPull(group, producer, attention)) {
        add(group, producer);
        pullProducers(group, producer);
      }
    }
  }
}

void FusionGroups::formAppends() {
  llvm::MapVector<Value, FusionGroup *>
      byLengths; // keys and values of one layer share their lengths and neighbour
  CacheAppendOp previous;
  FusionGroup *group = nullptr;
  // Appends of one group run where the last one stands: no reader of another may come before.
  auto isReadBefore = [&](Operation *op, CacheAppendOp append) {
    return llvm::any_of(op->getUsers(), [&](Operation *user) {
      return user == append || (!isa<WriteOp>(user) && user->isBeforeInBlock(append));
    });
  };
  for (auto append : function.getOps<CacheAppendOp>()) {
    Dims dims = dimsOf(append.getValues());
    bool joins =
        previous && previous.getLengths() == append.getLengths() && group->ops.size() < 16 &&
        ArrayRef(dims).take_front(2) == ArrayRef(dimsOf(previous.getValues())).take_front(2) &&
        llvm::none_of(
            group->ops,
            [&](Operation *op) { return isa<CacheAppendOp>(op) && isReadBefore(op, append); });
    if (joins)
      add(group, append);
    else
      group = start(GroupKind::Append, append);
    pullProducers(group, append);
    previous = append;
  }
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

void FusionGroups::formRows() {
  SmallVector<Operation *> ops;
  for (Operation &op : function.getBody().front())
    if (!isa<dist::DistDialect>(op.getDialect())) // the runtime's
      ops.push_back(&op);
  for (Operation *op : ops) {
    if (isAssigned(op) || isFree(op) ||
        isa<ReadOp, WriteOp, ConstantOp, FusedOp, func::ReturnOp>(op))
      continue;
    if (op->getNumResults() > 0 && !getWeightParts(op->getResult(0)).empty())
      continue; // a weight made of parameters
    FusionGroup *group = start(GroupKind::Rows, op);
    pullProducers(group, op);
    if (op->getNumResults() == 1)
      growConsumers(group, op->getResult(0));
  }
}

} // namespace ashlar
