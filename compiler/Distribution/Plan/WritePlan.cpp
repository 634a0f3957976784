// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Plan/PlanFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

namespace ashlar {
#define GEN_PASS_DEF_WRITEPLANPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

namespace {

struct WritePlan : ashlar::impl::WritePlanPassBase<WritePlan> {
  using WritePlanPassBase::WritePlanPassBase;

  void runOnOperation() override {
    markAllAnalysesPreserved();
    if (!ashlar::dist::findMesh(getOperation())) {
      getOperation().emitError() << "has no dist.mesh to write a plan for";
      return signalPassFailure();
    }
    std::error_code error;
    llvm::raw_fd_ostream file(plan, error);
    file << ashlar::distribution::writePlan(getOperation(), topology);
    file.close();
    if (!error)
      error = file.error();
    if (error) {
      file.clear_error();
      getOperation().emitError() << "cannot write the plan '" << plan << "': " << error.message();
      signalPassFailure();
    }
  }
};

} // namespace
