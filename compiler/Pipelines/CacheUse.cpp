// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/CacheUse.h"

using namespace mlir;

namespace ashlar {

using namespace graph;

/// The value outside of its region that a region's argument stands for, else the value.
static Value getOutside(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto fused = argument ? dyn_cast<FusedOp>(argument.getOwner()->getParentOp()) : graph::FusedOp();
  return fused ? fused.getInputs()[argument.getArgNumber()] : value;
}

/// The cache that a value was appended to, else nothing.
static Value getBefore(Value cache) {
  if (auto append = cache.getDefiningOp<CacheAppendOp>())
    return append.getCache();
  if (auto fused = cache.getDefiningOp<FusedOp>())
    return fused.getYield()->getOperand(cast<OpResult>(cache).getResultNumber());
  Value outside = getOutside(cache);
  return outside == cache ? Value() : outside;
}

ReadOp getCacheRead(Value cache) {
  while (Value before = getBefore(cache))
    cache = before;
  return cache.getDefiningOp<ReadOp>();
}

//===----------------------------------------------------------------------===//
// In place
//===----------------------------------------------------------------------===//

/// Who reads a cache as it was must stand before the append.
static LogicalResult verifyReadBefore(FusedOp fused, CacheAppendOp append) {
  auto argument = dyn_cast<BlockArgument>(append.getCache());
  if (!argument)
    return success();
  for (Operation *user : fused.getInputs()[argument.getArgNumber()].getUsers())
    if (user != fused && fused->isBeforeInBlock(user))
      return (user->emitOpError() << "reads a cache that was appended to in place before; read "
                                     "the result of the append")
                 .attachNote(append.getLoc())
             << "the append is here";
  return success();
}

static LogicalResult verifyWrite(WriteOp write, llvm::DenseSet<Operation *> &written) {
  for (Value value = write.getValue(); value; value = getBefore(value))
    if (auto append = value.getDefiningOp<CacheAppendOp>())
      written.insert(append);
  ReadOp read = getCacheRead(write.getValue());
  if (read && read.getStateAttr() == write.getStateAttr())
    return success();
  return write.emitOpError()
         << "writes " << write.getStateAttr()
         << " with a cache that was not made from its own reading; only that is in place";
}

LogicalResult verifyCacheUse(func::FuncOp entry) {
  llvm::DenseSet<Operation *> written; // appends that some write ends
  for (auto write : entry.getOps<WriteOp>())
    if (isa<CacheType>(write.getValue().getType()) && failed(verifyWrite(write, written)))
      return failure();
  for (auto fused : entry.getOps<FusedOp>())
    for (auto append : fused.getOps<CacheAppendOp>()) {
      if (failed(verifyReadBefore(fused, append)))
        return failure();
      if (written.contains(append))
        continue;
      ReadOp read = getCacheRead(append.getCache());
      InFlightDiagnostic error = append.emitOpError()
                                 << "changes its cache in place, but no graph.write says so";
      if (read)
        error.attachNote(read.getLoc())
            << "write the result of the last append to " << read.getStateAttr();
      return failure();
    }
  return success();
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

LogicalResult CacheLayouts::add(AttentionOp attention, Value cache, StringRef layout) {
  if (!isa<CacheType>(cache.getType()))
    return success();
  ReadOp read = getCacheRead(cache);
  if (!read)
    return attention.emitOpError() << "reads a cache that is no state's";
  auto [known, isNew] = byState.try_emplace(read.getState(), layout.str());
  if (isNew || known->second == layout)
    return success();
  return attention.emitOpError() << "reads cache " << read.getStateAttr() << " as " << layout
                                 << ", which is kept as " << known->second
                                 << "; one cache holds keys or values, not both";
}

LogicalResult CacheLayouts::collect(func::FuncOp entry) {
  WalkResult result = entry.walk([&](AttentionOp attention) {
    StringRef keys = hasPanels ? "key_panels" : "head_rows",
              values = hasPanels ? "value_rows" : "head_rows";
    bool failedOne = failed(add(attention, attention.getKeys(), keys)) ||
                     failed(add(attention, attention.getValues(), values));
    return failedOne ? WalkResult::interrupt() : WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

StringRef CacheLayouts::get(Value cache) const {
  ReadOp read = getCacheRead(cache);
  auto known = read ? byState.find(read.getState()) : byState.end();
  return known == byState.end() ? StringRef() : StringRef(known->second);
}

} // namespace ashlar
