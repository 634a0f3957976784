// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The graph dialect: transformer models on whole tensors. See README.md for the rationale,
// GraphOps.td for the ops, GraphDims.h for how dimensions and sizes are computed.

#ifndef ASHLAR_DIALECTS_GRAPH_GRAPH_H
#define ASHLAR_DIALECTS_GRAPH_GRAPH_H

#include "dialects/Graph/GraphDims.h"
#include "dialects/Graph/ShardingRule.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Graph/GraphDialect.h.inc"
#include "dialects/Graph/GraphEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Graph/GraphAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Graph/GraphTypes.h.inc"

#include "dialects/Graph/GraphInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialects/Graph/GraphOps.h.inc"

namespace ashlar::graph {

/// Attributes of entry points (func.func) and of their arguments and results.
///   graph.entry            unit, on the function
///   graph.name = "logits"  the name callers use; on every argument and result of an entry point
///   graph.default          on an argument that callers may leave out: an i64 (every element), a
///                          symbol (every element is that dimension's extent) or "iota" (the index
///                          along the last dimension)
///   graph.range            array<i64: LOW, HIGH> on an integer argument: elements outside
///                          [LOW, HIGH) are an error
///   graph.limit = @seq     beside a range: elements beyond this dimension's extent are, too
inline constexpr llvm::StringLiteral kEntryAttr = "graph.entry";
inline constexpr llvm::StringLiteral kNameAttr = "graph.name";
inline constexpr llvm::StringLiteral kDefaultAttr = "graph.default";
inline constexpr llvm::StringLiteral kRangeAttr = "graph.range";
inline constexpr llvm::StringLiteral kLimitAttr = "graph.limit";

} // namespace ashlar::graph

#endif
