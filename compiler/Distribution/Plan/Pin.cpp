// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Plan/PlanFile.h"
#include "llvm/Support/MemoryBuffer.h"

namespace ashlar {
#define GEN_PASS_DEF_PINSHARDINGPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

namespace {

struct PinSharding : ashlar::impl::PinShardingPassBase<PinSharding> {
  using PinShardingPassBase::PinShardingPassBase;

  void runOnOperation() override {
    auto text = llvm::MemoryBuffer::getFile(plan);
    if (!text) {
      getOperation().emitError() << "cannot read the plan '" << plan
                                 << "': " << text.getError().message();
      return signalPassFailure();
    }
    auto parsed = ashlar::distribution::parsePlan((*text)->getBuffer());
    if (!parsed) {
      getOperation().emitError() << plan << ": " << llvm::toString(parsed.takeError());
      return signalPassFailure();
    }
    if (failed(ashlar::distribution::applyPlan(*parsed, plan, getOperation())))
      signalPassFailure();
  }
};

} // namespace
