// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Passes.h"
#include "dialects/Dist/Lockstep.h"
#include "llvm/ADT/MapVector.h"

namespace ashlar {
#define GEN_PASS_DEF_VERIFYCOLLECTIVESPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

using namespace mlir;
using namespace ashlar::dist;

namespace {

struct VerifyCollectives : ashlar::impl::VerifyCollectivesPassBase<VerifyCollectives> {
  static Attribute getEntry(func::FuncOp function) {
    auto stage = function->getAttrOfType<StageAttr>(kStageAttr);
    return stage ? stage.getEntry() : StringAttr::get(function.getContext());
  }

  void runOnOperation() override {
    MeshOp mesh = findMesh(getOperation());
    if (!mesh)
      return; // no ranks, no collectives: their verifiers ask for a mesh
    // The stages of an entry point run together, and so do functions that name ranks otherwise.
    llvm::MapVector<Attribute, SmallVector<func::FuncOp>> together;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      if (function->hasAttr(kRanksAttr))
        together[getEntry(function)].push_back(function);
      else if (failed(verifyCollectives(function, mesh.getMesh())))
        return signalPassFailure();
    }
    for (const auto &[entry, stages] : together)
      if (failed(verifyCollectives(stages, mesh.getMesh())))
        return signalPassFailure();
  }
};

} // namespace
