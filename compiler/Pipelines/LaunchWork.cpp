// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/LaunchWork.h"

#include "compiler/Pipelines/KernelTable.h"

using namespace mlir;

namespace ashlar {

using namespace graph;
using program::OperandAttr;
using program::Space;

ArrayAttr getWork(FusedOp fused, ArrayRef<Attribute> operands) {
  using program::WorkKind;
  std::array<Polynomial, program::getMaxEnumValForWorkKind() + 1> amounts;
  auto amount = [&](WorkKind kind) -> Polynomial & { return amounts[static_cast<size_t>(kind)]; };
  auto spaceOf = [&](size_t index) { return cast<OperandAttr>(operands[index]).getSpace(); };
  for (Operation &op : fused.getBlock().without_terminator()) {
    if (auto cost = dyn_cast<CostOpInterface>(op)) {
      amount(WorkKind::Product) += cost.getProductFlops();
      amount(WorkKind::Elementwise) += cost.getElementwiseFlops();
      amount(WorkKind::Transcendental) += cost.getTranscendentals();
    }
    if (auto append = dyn_cast<CacheAppendOp>(op))
      amount(WorkKind::StateWrite) += getByteSize(append.getValues().getType());
  }
  for (auto [index, argument] : llvm::enumerate(fused.getBlock().getArguments())) {
    WorkKind kind = spaceOf(index) == Space::Arena   ? WorkKind::ArenaRead
                    : spaceOf(index) == Space::State ? WorkKind::StateRead
                                                     : WorkKind::WeightRead;
    // Of what is only looked up the rows that are found are read.
    auto user = argument.hasOneUse() ? dyn_cast<CostOpInterface>(*argument.user_begin()) : nullptr;
    amount(kind) += user ? user.getBytesRead(argument.use_begin()->getOperandNumber())
                         : getByteSize(argument.getType());
  }
  size_t index = fused.getInputs().size();
  for (Value result : fused.getResults())
    if (!isa<CacheType>(result.getType()))
      amount(spaceOf(index++) == Space::State ? WorkKind::StateWrite : WorkKind::ArenaWrite) +=
          getByteSize(result.getType());
  SmallVector<Attribute> work;
  MLIRContext *context = fused.getContext();
  for (auto [kind, sum] : llvm::enumerate(amounts))
    for (Attribute term : toExtentAttrs(context, sum))
      work.push_back(program::WorkAttr::get(context, static_cast<WorkKind>(kind),
                                            cast<program::ExtentAttr>(term)));
  return ArrayAttr::get(context, work);
}

} // namespace ashlar
