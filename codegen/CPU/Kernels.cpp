// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/Kernels.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar {

SmallVector<StringAttr> getExtentNames(func::FuncOp kernel) {
  SmallVector<StringAttr> names;
  auto collect = [&](Type type) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      for (const Dim &dim : getDims(tensor))
        if (!dim.isNumber() && !llvm::is_contained(names, dim.name))
          names.push_back(dim.name);
  };
  llvm::for_each(kernel.getArgumentTypes(), collect);
  llvm::for_each(kernel.getResultTypes(), collect);
  kernel.walk([&](Operation *op) { llvm::for_each(op->getResultTypes(), collect); });
  llvm::sort(names, [](StringAttr a, StringAttr b) { return a.getValue() < b.getValue(); });
  return names;
}

namespace cpu {

Value stripReshapes(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getX();
  return value;
}

void KernelContext::oncePer(Value place, llvm::function_ref<void()> body) {
  Value one = e.constant(1);
  Value isThere = arith::AndIOp::create(e.b, e.equal(e.load(e.i64, notes, e.constant(0)), launch),
                                        e.equal(e.load(e.i64, notes, one), place));
  e.when(e.isNot(isThere), [&] {
    body();
    e.store(e.i64, launch, notes, e.constant(0));
    e.store(e.i64, place, notes, one);
  });
}

Polynomial floatBytes(Polynomial count) {
  count += Polynomial(16);
  count *= 4;
  return count;
}

Extent asExtent(const Monomial &monomial, int64_t divisor) {
  Extent extent;
  extent.scale = monomial.scale;
  extent.names = monomial.names;
  extent.divisor = divisor;
  return extent;
}

/// What kernels compute: graph ops of element types other than f64, which is for the interpreter.
static LogicalResult checkOps(func::FuncOp kernel) {
  WalkResult result = kernel.walk([&](Operation *op) {
    if (!isa<GraphDialect>(op->getDialect()) && !isa<func::FuncOp, func::ReturnOp>(op)) {
      op->emitOpError() << "is no graph op, and no kernel can be made of it";
      return WalkResult::interrupt();
    }
    for (Type type : op->getResultTypes()) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (tensor && tensor.getElementType().isF64()) {
        op->emitOpError() << "computes f64, which the CPU target does not; cast to f32";
        return WalkResult::interrupt();
      }
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

FailureOr<std::unique_ptr<KernelShape>> getKernelShape(func::FuncOp kernel) {
  if (failed(checkOps(kernel)))
    return failure();
  if (!kernel.getOps<AttentionOp>().empty())
    return createAttentionKernel(kernel);
  if (!kernel.getOps<CacheAppendOp>().empty())
    return createAppendKernel(kernel);
  for (auto product : kernel.getOps<MatmulOp>()) {
    auto weight = dyn_cast<BlockArgument>(product.getB());
    if (weight && !getLayout(weight).empty())
      return createProductKernel(kernel);
  }
  return createRowsKernel(kernel);
}

} // namespace cpu
} // namespace ashlar
