// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Overlap/Moves.h"

using namespace mlir;

namespace ashlar::distribution {

Operation *getFirstReader(Operation *op) {
  Operation *first = op->getBlock()->getTerminator();
  for (Operation *user : op->getUsers())
    if (user->isBeforeInBlock(first))
      first = user;
  return first;
}

bool movesAlong(Operation *op, Costs &costs) {
  return isPure(op) && isa<graph::GraphDialect>(op->getDialect()) && costs.getOpSeconds(op) == 0;
}

bool mayStandBefore(Value value, Operation *place, Costs &costs) {
  Operation *maker = value.getDefiningOp();
  if (!maker || maker->isBeforeInBlock(place))
    return true;
  return maker != place && movesAlong(maker, costs) &&
         llvm::all_of(maker->getOperands(),
                      [&](Value operand) { return mayStandBefore(operand, place, costs); });
}

void moveBefore(Value value, Operation *place, Costs &costs) {
  Operation *maker = value.getDefiningOp();
  if (!maker || maker->isBeforeInBlock(place))
    return;
  for (Value operand : maker->getOperands())
    moveBefore(operand, place, costs);
  maker->moveBefore(place);
}

} // namespace ashlar::distribution
