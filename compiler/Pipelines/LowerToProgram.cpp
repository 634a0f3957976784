// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/LowerToProgram.h"

#include "compiler/Diagnostics/ErrorCodes.h"
#include "compiler/Pipelines/ArenaPlan.h"
#include "compiler/Pipelines/CacheUse.h"
#include "compiler/Pipelines/Collectives.h"
#include "compiler/Pipelines/KernelTable.h"
#include "compiler/Pipelines/LaunchWork.h"
#include "compiler/Pipelines/Limits.h"
#include "compiler/Pipelines/MemoryReport.h"
#include "compiler/Pipelines/WeightTable.h"
#include "compiler/Transforms/Weights.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace ashlar {

using namespace graph;
using program::OperandAttr;
using program::Space;

namespace {

/// Lowers one entry point.
class EntryLowering {
public:
  EntryLowering(ModuleOp module, func::FuncOp function, KernelTable &kernels, WeightTable &weights)
      : module(module), function(function), kernels(kernels), weights(weights), builder(function) {}

  LogicalResult lower();

private:
  LogicalResult checkSizes();
  LogicalResult checkDims();
  LogicalResult planArena();
  LogicalResult createLaunch(FusedOp fused);
  LogicalResult createCollective(Operation *op);
  FailureOr<OperandAttr> getInput(Value input, BlockArgument use);
  FailureOr<OperandAttr> getOutput(Value result);
  void createInput(BlockArgument argument);
  void createOutput(unsigned index, Value value);
  ArrayAttr getShape(Value value);
  Type getElementType(Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType();
  }
  int64_t getBoundBytes(Value value) {
    if (int64_t bytes = weights.getGatheredBytes(value))
      return bytes;
    return getByteSize(value.getType()).evaluate([&](StringAttr dim) {
      return getBound(module, dim);
    });
  }
  /// Bytes of the arena that a collective packs or unpacks in.
  int64_t getWorkspace(Operation *op) {
    Value result = getGiven(op);
    return getWorkspaceBytes(op, result && weights.getGatheredBytes(result) > 0,
                             [&](StringAttr dim) { return getBound(module, dim); });
  }
  WriteOp getWrite(Value value);

  ModuleOp module;
  func::FuncOp function;
  KernelTable &kernels;
  WeightTable &weights;
  OpBuilder builder;
  ArenaPlan arena;
  llvm::DenseMap<Operation *, size_t> workspaces; // of collectives that have one
  llvm::DenseMap<Operation *, int64_t> numbers;   // of those that were started, in their order
  int64_t collectives = 0;
};

/// The write of a value to a state, or null.
WriteOp EntryLowering::getWrite(Value value) {
  for (Operation *user : value.getUsers())
    if (auto write = dyn_cast<WriteOp>(user))
      return write;
  return nullptr;
}

/// More bytes than any machine addresses; sums of many such sizes still fit in 64 bits.
static constexpr double kMaxBytes = 281474976710656.0;

LogicalResult EntryLowering::checkSizes() {
  auto check = [&](Value value) -> LogicalResult {
    double bytes = getByteSize(value.getType()).evaluate([&](StringAttr dim) {
      return getBound(module, dim);
    });
    if (bytes <= kMaxBytes)
      return success();
    return emitError(value.getLoc(), ErrorCode::kBadBounds)
           << "a value of type " << value.getType() << " takes more than 2^48 bytes at its bound; "
           << "declare smaller bounds with graph.dim";
  };
  for (BlockArgument argument : function.getArguments())
    if (failed(check(argument)))
      return failure();
  for (Operation &op : function.getBody().front())
    for (Value result : op.getResults())
      if (!isa<dist::PendingType>(result.getType()) && failed(check(result)))
        return failure();
  return success();
}

/// Extents come from the shapes of what the caller gives.
LogicalResult EntryLowering::checkDims() {
  llvm::DenseSet<StringAttr> given;
  auto forEachName = [](Type type, llvm::function_ref<void(StringAttr)> visit) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      for (const Dim &dim : getDims(tensor))
        if (!dim.isNumber())
          visit(dim.name);
  };
  for (BlockArgument argument : function.getArguments())
    forEachName(argument.getType(), [&](StringAttr name) { given.insert(name); });
  for (auto dim : module.getOps<graph::DimOp>()) // a rank's part of a dimension follows from it
    if (auto local = dim->getAttrOfType<dist::LocalDimAttr>(dist::kLocalAttr)) {
      auto whole = dyn_cast<FlatSymbolRefAttr>(local.getWhole());
      if (!whole || given.contains(whole.getAttr()))
        given.insert(dim.getSymNameAttr());
    }
  WalkResult result = function.walk([&](Operation *op) {
    StringAttr missing;
    for (Type type : op->getResultTypes())
      forEachName(type, [&](StringAttr name) {
        if (!given.contains(name))
          missing = name;
      });
    if (!missing)
      return WalkResult::advance();
    auto dim = module.lookupSymbol<graph::DimOp>(missing);
    InFlightDiagnostic error = op->emitOpError()
                               << "has dimension @" << missing.getValue()
                               << ", which no input of entry point @" << function.getSymName()
                               << " has; the runtime takes extents from the inputs' shapes";
    if (dim)
      error.attachNote(dim.getLoc())
          << (dim.getDerivation() ? "it is derived here, and only a dimension of an input may be "
                                    "used; give it one"
                                  : "it is declared here");
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

LogicalResult EntryLowering::planArena() {
  int64_t step = 0;
  for (BlockArgument argument : function.getArguments())
    arena.define(argument, getBoundBytes(argument), 0);
  for (Operation &op : function.getBody().front()) {
    if (!isa<FusedOp>(op) && !isRankOp(&op))
      continue;
    ++step;
    for (Value input : op.getOperands())
      if (arena.contains(input))
        arena.use(input, step);
    if (auto wait = dyn_cast<dist::WaitOp>(op)) {
      // What it moves is its own from start to end.
      Operation *started = wait.getPending().getDefiningOp();
      arena.use(wait.getResult(), step);
      if (arena.contains(started->getOperand(0)))
        arena.use(started->getOperand(0), step);
      if (auto found = workspaces.find(started); found != workspaces.end())
        arena.useWorkspace(found->second, step);
      continue;
    }
    if (int64_t bytes = getWorkspace(&op))
      workspaces[&op] = arena.defineWorkspace(bytes, step);
    for (Value result : op.getResults())
      if (isa<RankedTensorType>(result.getType()) && !getWrite(result))
        arena.define(result, getBoundBytes(result), step);
    if (isStarted(&op) && !op.getResult(0).hasOneUse())
      return op.emitOpError() << "is started and has to be waited for, once";
    if (Value result = getAwaited(&op))
      arena.define(result, getBoundBytes(result), step);
  }
  ++step;
  for (Value value : function.getBody().front().getTerminator()->getOperands())
    arena.use(value, step);
  for (Operation &op : function.getBody().front())
    if (isSentLater(&op))
      arena.use(op.getOperand(0), step);
  absl::Status planned = arena.plan();
  if (!planned.ok())
    return function.emitError() << "memory plan: " << std::string(planned.message());
  return success();
}

FailureOr<OperandAttr> EntryLowering::getInput(Value input, BlockArgument use) {
  if (arena.contains(input))
    return OperandAttr::get(module.getContext(), Space::Arena, arena.getOffset(input),
                            getBoundBytes(input));
  std::string layout = weights.getLayout(input, use);
  if (!getWeightParts(input).empty())
    return weights.getWeight(input, layout, use);
  Operation *op = input.getDefiningOp();
  if (auto constant = dyn_cast<ConstantOp>(op))
    return weights.getConstant(constant);
  if (auto read = dyn_cast<ReadOp>(op))
    return weights.getState(read.getStateAttr(), layout, read);
  // A cache after an append is the cache's state.
  if (isa<CacheType>(input.getType()))
    if (ReadOp read = getCacheRead(input))
      return getInput(read.getResult(), use);
  return op->emitOpError() << "makes a value that has no place";
}

FailureOr<OperandAttr> EntryLowering::getOutput(Value result) {
  if (auto write = getWrite(result))
    return weights.getState(write.getStateAttr(), "", write);
  return OperandAttr::get(module.getContext(), Space::Arena, arena.getOffset(result),
                          getBoundBytes(result));
}

LogicalResult EntryLowering::createLaunch(FusedOp fused) {
  SmallVector<std::string> layouts;
  SmallVector<Attribute> operands, extents;
  for (auto [input, argument] : llvm::zip(fused.getInputs(), fused.getBlock().getArguments())) {
    layouts.push_back(weights.getLayout(input, argument));
    auto operand = getInput(input, argument);
    if (failed(operand))
      return failure();
    operands.push_back(*operand);
  }
  for (Value result : fused.getResults()) {
    if (isa<CacheType>(result.getType()))
      continue;
    auto operand = getOutput(result);
    if (failed(operand))
      return failure();
    operands.push_back(*operand);
  }
  auto kernel = kernels.getKernel(fused, layouts);
  if (failed(kernel))
    return failure();
  for (auto name : kernel->getExtents().getAsRange<FlatSymbolRefAttr>())
    extents.push_back(toExtentAttr(module.getContext(), Dim::named(name.getAttr())));
  program::LaunchOp::create(builder, fused.getLoc(), kernel->getSymName(),
                            builder.getArrayAttr(operands), builder.getArrayAttr(extents),
                            getWork(fused, operands));
  return success();
}

LogicalResult EntryLowering::createCollective(Operation *op) {
  if (auto wait = dyn_cast<dist::WaitOp>(op)) {
    program::WaitOp::create(builder, op->getLoc(),
                            numbers.lookup(wait.getPending().getDefiningOp()));
    return success();
  }
  numbers[op] = collectives++;
  auto place = [&](Value value) {
    return OperandAttr::get(module.getContext(), Space::Arena, arena.getOffset(value),
                            getBoundBytes(value));
  };
  OperandAttr input, output, workspace;
  if (op->getNumOperands() > 0) {
    if (!arena.contains(op->getOperand(0)))
      return op->emitOpError() << "takes what does not lie in the arena; run ashlar-fuse before";
    input = place(op->getOperand(0));
  }
  Value result = getGiven(op);
  if (result && arena.contains(result))
    output = place(result);
  if (auto found = workspaces.find(op); found != workspaces.end())
    workspace = OperandAttr::get(module.getContext(), Space::Arena,
                                 arena.getWorkspaceOffset(found->second), getWorkspace(op));
  const bool isPacked = result && weights.getGatheredBytes(result) > 0;
  return ashlar::createCollective(builder, op, input, output, workspace, isPacked);
}

ArrayAttr EntryLowering::getShape(Value value) {
  SmallVector<Attribute> shape;
  for (const Dim &dim : getDims(cast<RankedTensorType>(value.getType())))
    shape.push_back(toExtentAttr(module.getContext(), dim));
  return builder.getArrayAttr(shape);
}

void EntryLowering::createInput(BlockArgument argument) {
  unsigned index = argument.getArgNumber();
  Attribute given = function.getArgAttr(index, kDefaultAttr), defaultValue = given;
  if (auto number = dyn_cast_or_null<IntegerAttr>(given))
    defaultValue = toExtentAttr(module.getContext(), Dim::number(number.getInt()));
  else if (auto symbol = dyn_cast_or_null<FlatSymbolRefAttr>(given))
    defaultValue = toExtentAttr(module.getContext(), Dim::named(symbol.getAttr()));
  Attribute limit;
  if (auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(index, kLimitAttr))
    limit = toExtentAttr(module.getContext(), Dim::named(symbol.getAttr()));
  program::InputOp::create(builder, argument.getLoc(),
                           function.getArgAttrOfType<StringAttr>(index, kNameAttr),
                           TypeAttr::get(getElementType(argument)), getShape(argument),
                           builder.getI64IntegerAttr(arena.getOffset(argument)),
                           builder.getI64IntegerAttr(getBoundBytes(argument)), defaultValue,
                           function.getArgAttrOfType<DenseI64ArrayAttr>(index, kRangeAttr), limit);
}

void EntryLowering::createOutput(unsigned index, Value value) {
  program::OutputOp::create(builder, value.getLoc(),
                            function.getResultAttrOfType<StringAttr>(index, kNameAttr),
                            TypeAttr::get(getElementType(value)), getShape(value),
                            builder.getI64IntegerAttr(arena.getOffset(value)),
                            builder.getI64IntegerAttr(getBoundBytes(value)));
}

LogicalResult EntryLowering::lower() {
  if (failed(checkDims()) || failed(checkSizes()) || failed(planArena()))
    return failure();
  auto stage = function->getAttrOfType<dist::StageAttr>(dist::kStageAttr);
  auto entry =
      program::EntryOp::create(builder, function.getLoc(), "entry", arena.getPeak(),
                               arena.getLowerBound(), stage ? stage.getEntry() : StringAttr(),
                               stage ? builder.getI64IntegerAttr(stage.getIndex()) : IntegerAttr(),
                               function->getAttrOfType<IntegerAttr>(dist::kMicrobatchesAttr),
                               function->getAttrOfType<FlatSymbolRefAttr>(dist::kBatchAttr));
  builder.createBlock(&entry.getBody());
  for (BlockArgument argument : function.getArguments())
    createInput(argument);
  for (Operation &op : function.getBody().front()) {
    if (auto fused = dyn_cast<FusedOp>(op)) {
      if (failed(createLaunch(fused)))
        return failure();
    } else if (isRankOp(&op)) {
      if (failed(createCollective(&op)))
        return failure();
    } else if (!isa<ReadOp, WriteOp, ConstantOp, ConcatOp, func::ReturnOp>(op)) {
      return op.emitOpError() << "is in no fused region; run ashlar-fuse before";
    }
  }
  for (auto [index, value] :
       llvm::enumerate(function.getBody().front().getTerminator()->getOperands()))
    createOutput(index, value);
  if (failed(createLimits(function, weights, builder)))
    return failure();
  StringAttr name = function.getSymNameAttr();
  function.erase();
  entry.setSymNameAttr(name);
  return success();
}

} // namespace

/// Kernels walk a state by the strides of what they read, which are the state's own where only its
/// rows are fewer.
static LogicalResult verifyFirstRows(func::FuncOp function) {
  for (Operation &op : function.getBody().front()) {
    auto read = dyn_cast<ReadOp>(op);
    auto write = dyn_cast<WriteOp>(op);
    Value value = read ? read.getResult() : write ? write.getValue() : Value();
    auto type = value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType();
    for (int64_t dim = 1; type && dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        return op.emitOpError() << "uses the first elements of a state along dimension " << dim
                                << "; kernels are made for all of them, or for the first rows";
  }
  return success();
}

LogicalResult lowerToProgram(ModuleOp module, const Target &target,
                             const LoweringOptions &options) {
  KernelTable kernels(module, target);
  WeightTable weights(module, target);
  SmallVector<func::FuncOp> entries;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(kEntryAttr))
      entries.push_back(function);
  for (func::FuncOp function : entries)
    if (failed(verifyFirstRows(function)) || failed(verifyCacheUse(function)) ||
        failed(weights.collectLayouts(function)))
      return failure();
  for (func::FuncOp function : entries) {
    auto stage = function->getAttrOfType<dist::StageAttr>(dist::kStageAttr);
    weights.setStage(stage ? std::optional(stage.getIndex()) : std::nullopt);
    if (failed(EntryLowering(module, function, kernels, weights).lower()))
      return failure();
  }
  shareLimits(module);
  // Declarations of the graph dialect have done their service.
  for (auto dim : llvm::make_early_inc_range(module.getOps<graph::DimOp>())) {
    lowerDim(dim);
  }
  lowerMesh(module);
  for (auto state : llvm::make_early_inc_range(module.getOps<graph::StateOp>()))
    state.erase();
  if (failed(program::verifyProgram(module)))
    return failure();
  return checkMemoryLimit(module, options);
}

} // namespace ashlar
