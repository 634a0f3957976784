// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Plan/Conventions.h"
#include "llvm/Support/MemoryBuffer.h"

namespace ashlar {
#define GEN_PASS_DEF_PINSHARDINGPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

using llvm::StringRef;

namespace {

struct PinSharding : ashlar::impl::PinShardingPassBase<PinSharding> {
  using PinShardingPassBase::PinShardingPassBase;

  void runOnOperation() override {
    std::string content = text;
    if (!mesh.empty() && !plan.empty()) {
      getOperation().emitError() << "a plan has a mesh; give the one or the other";
      return signalPassFailure();
    }
    if (!mesh.empty()) {
      content = "mesh " + mesh + " on " + topology + "\n";
      std::replace(content.begin(), content.end(), ',', ' ');
    }
    StringRef name = plan.empty() ? StringRef("--mesh") : StringRef(plan);
    if (!plan.empty() && content.empty()) {
      auto file = llvm::MemoryBuffer::getFile(plan);
      if (!file) {
        getOperation().emitError()
            << "cannot read the plan '" << plan << "': " << file.getError().message();
        return signalPassFailure();
      }
      content = (*file)->getBuffer();
    }
    auto parsed = ashlar::distribution::parsePlan(content);
    if (!parsed) {
      getOperation().emitError() << name << ": " << llvm::toString(parsed.takeError());
      return signalPassFailure();
    }
    if (microbatches > 0)
      parsed->microbatches = microbatches;
    if (chunks > 0)
      parsed->chunks = chunks;
    if (conventions)
      if (llvm::Error error = ashlar::distribution::addConventions(*parsed)) {
        getOperation().emitError() << name << ": " << llvm::toString(std::move(error));
        return signalPassFailure();
      }
    if (failed(ashlar::distribution::applyPlan(*parsed, name, getOperation())))
      signalPassFailure();
  }
};

} // namespace
