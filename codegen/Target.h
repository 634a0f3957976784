// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The contract between the compiler and a code generator. A kernel is a private func.func over
// graph ops (one outlined graph.fused region):
//
//   func.func private @dense_gelu(%a: tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>>,
//                                 %w: tensor<3072x768xf32> {ashlar.layout = "panel_f32"}) ->
//                                 tensor<...>
//
// Its buffers are its arguments and then its results, in order; its extents are the named
// dimensions of its types in alphabetical order, followed by the number of the launch, which no
// other launch of the process has and which is not 0. A target describes a kernel (how many work items,
// how much scratch), or says why it cannot make it, before any code is made; compile() then turns
// all kernels of a program into code at once.

#ifndef ASHLAR_CODEGEN_TARGET_H
#define ASHLAR_CODEGEN_TARGET_H

#include "dialects/Graph/GraphDims.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>
#include <vector>

namespace ashlar {

/// The layout of a kernel's argument, an attribute of the argument; row-major where there is none.
/// Names as in the artifact's schema: "panel_f32", "panel_bf16" (a product's second operand),
/// "key_panels" [batch][head][position / 32] [width][32] and "value_rows"
/// [batch][head][position][width padded to 32] (caches).
inline constexpr llvm::StringLiteral kLayoutAttr = "ashlar.layout";

/// ceil(scale * product of names / divisor); names are dimensions.
struct Extent {
  int64_t scale = 1;
  llvm::SmallVector<mlir::StringAttr, 2> names;
  int64_t divisor = 1;
};

/// What the runtime must know about a kernel before it runs.
struct KernelDescription {
  llvm::SmallVector<Extent> grid; // work items: the product
  graph::Polynomial scratchBytes; // per worker, at the bound of its dimensions
};

/// Machine code of all kernels for one kind of machine.
struct CodeImage {
  std::string cpu;                   // "x86-64-v4"
  std::vector<std::string> features; // what the machine must have
  std::vector<char> code;            // flat, position-independent
  std::vector<uint64_t> entries;     // per kernel, in the order given
};

/// The named dimensions of a kernel's types, alphabetically: its extents.
llvm::SmallVector<mlir::StringAttr> getExtentNames(mlir::func::FuncOp kernel);

class Target {
public:
  virtual ~Target() = default;

  /// Describes the kernel, or emits an error at the op that the target has no code for.
  virtual mlir::FailureOr<KernelDescription> describe(mlir::func::FuncOp kernel) const = 0;

  /// Compiles kernels that were described. The functions are not changed.
  virtual mlir::FailureOr<std::vector<CodeImage>>
  compile(llvm::ArrayRef<mlir::func::FuncOp> kernels) const = 0;
};

} // namespace ashlar

#endif
