// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Graph/GraphPaths.h"

#include "compiler/Transforms/Passes.h"

using namespace mlir;

namespace ashlar {

#define GEN_PASS_DEF_NAMEVALUESPASS
#define GEN_PASS_DEF_VERIFYPATHSPASS
#include "compiler/Transforms/Passes.h.inc"

namespace {

struct NameValues : impl::NameValuesPassBase<NameValues> {
  void runOnOperation() override {
    if (getOperation()->hasAttr(graph::kEntryAttr))
      graph::namePathlessValues(getOperation());
  }
};

struct VerifyPaths : impl::VerifyPathsPassBase<VerifyPaths> {
  void runOnOperation() override {
    if (getOperation()->hasAttr(graph::kEntryAttr) && failed(graph::verifyPaths(getOperation())))
      signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace ashlar
