// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Passes.h"
#include "dialects/Dist/Lockstep.h"

namespace ashlar {
#define GEN_PASS_DEF_VERIFYCOLLECTIVESPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

using namespace mlir;
using namespace ashlar::dist;

namespace {

struct VerifyCollectives : ashlar::impl::VerifyCollectivesPassBase<VerifyCollectives> {
  void runOnOperation() override {
    MeshOp mesh = findMesh(getOperation());
    if (!mesh)
      return; // no ranks, no collectives: their verifiers ask for a mesh
    SmallVector<func::FuncOp> stages;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      if (function->hasAttr(kRanksAttr))
        stages.push_back(function);
      else if (failed(verifyCollectives(function, mesh.getMesh())))
        return signalPassFailure();
    }
    if (!stages.empty() && failed(verifyCollectives(stages, mesh.getMesh())))
      signalPassFailure();
  }
};

} // namespace
