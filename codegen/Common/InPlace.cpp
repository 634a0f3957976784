// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Common/InPlace.h"

using namespace mlir;

namespace ashlar {

using namespace graph;

static Dims dimsOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? getDims(type) : Dims();
}

/// Whether all that is made of the value are reshapes on their way to the terminator.
static bool isReturned(Value value) {
  return llvm::all_of(value.getUsers(), [](Operation *user) {
    return user->hasTrait<OpTrait::IsTerminator>() ||
           (isa<ReshapeOp>(user) && isReturned(user->getResult(0)));
  });
}

/// Whether the op computes each element of its results from the operand's element at the same
/// position, or from its row.
static bool readsInPlace(OpOperand &use) {
  Operation *op = use.getOwner();
  if (isa<ElementwiseOpInterface>(op))
    return dimsOf(op->getResult(0)) == dimsOf(use.get());
  return isa<SoftmaxOp>(op) || (isa<LayerNormOp, RmsNormOp>(op) && use.getOperandNumber() == 0);
}

LogicalResult verifyReadInPlace(ArrayRef<Value> values, bool mayReshapeResults) {
  llvm::SetVector<Value> computed(values.begin(), values.end());
  for (size_t i = 0; i < computed.size(); ++i)
    for (OpOperand &use : computed[i].getUses()) {
      Operation *user = use.getOwner();
      if (user->hasTrait<OpTrait::IsTerminator>() ||
          (mayReshapeResults && isa<ReshapeOp>(user) && isReturned(user->getResult(0))))
        continue;
      if (!readsInPlace(use))
        return user->emitOpError()
               << "reads elements of operand #" << use.getOperandNumber()
               << " at other positions than their own, but the kernel that they are fused into has "
                  "them only there; leave it out of the region";
      computed.insert(user->result_begin(), user->result_end());
    }
  return success();
}

} // namespace ashlar
