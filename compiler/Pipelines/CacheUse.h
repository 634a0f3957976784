// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How fused entry points use their caches. A cache is one piece of memory that appends change in
// place, so that its values have to follow each other, and it is kept in the one layout in which
// attention reads it.

#ifndef ASHLAR_COMPILER_PIPELINES_CACHEUSE_H
#define ASHLAR_COMPILER_PIPELINES_CACHEUSE_H

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

namespace ashlar {

/// Returns the reading of the state that a cache value is, before or after appends; null where it
/// comes from elsewhere.
graph::ReadOp getCacheRead(mlir::Value cache);

/// Checks that appends can be done in place: nothing reads a cache as it was before an append, each
/// append ends in a write, and each write is of what came from that state's own reading. Emits
/// errors.
mlir::LogicalResult verifyCacheUse(mlir::func::FuncOp entry);

/// The layout of each cache: "key_panels" or "value_rows", or without panels "head_rows"
/// (Target.h).
class CacheLayouts {
public:
  explicit CacheLayouts(bool hasPanels) : hasPanels(hasPanels) {}

  /// Adds what the entry point's attention reads; one cache in two layouts is an error.
  mlir::LogicalResult collect(mlir::func::FuncOp entry);

  /// Returns the layout; empty where no attention reads the cache.
  llvm::StringRef get(mlir::Value cache) const;

private:
  mlir::LogicalResult add(graph::AttentionOp attention, mlir::Value cache, llvm::StringRef layout);

  bool hasPanels;
  llvm::StringMap<std::string> byState;
};

} // namespace ashlar

#endif
