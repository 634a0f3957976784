// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plan files, read and applied to a small module, whose plan is then written and read again.
#include "compiler/Distribution/Plan/PlanFile.h"
#include "dialects/Dist/Dist.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/kept_context.h"

namespace ashlar::fuzz {
namespace {

constexpr char kModule[] = R"mlir(
func.func @forward(%x: tensor<4x8xf32> {graph.name = "x"},
                   %w: tensor<8x6xf32> {graph.name = "layers.0.weight"})
    -> (tensor<4x6xf32> {graph.name = "y"}) {
  %y = graph.matmul %x, %w : tensor<4x8xf32>, tensor<8x6xf32>
  return %y : tensor<4x6xf32>
}
)mlir";

} // namespace

std::vector<std::string> Seeds() {
  return {
      "mesh dp=2 tp=2 on nvlink\nx [{dp}, {}]\nlayers.*.weight [{}, {tp}] priority 1\n",
      "# a comment\nmesh tp=6 on host\n* [{?}, {?}]\nresult:y [{}, {tp}]\n",
      "mesh a=4 on host\nx [{a:(1)2}, {a:(2)2, ?}]\n",
  };
}

} // namespace ashlar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace ashlar;
  const llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  auto plan = distribution::parsePlan(text);
  if (!plan) {
    fuzz::Require(!llvm::toString(plan.takeError()).empty(), "an error has words");
    return 0;
  }
  mlir::MLIRContext &context =
      fuzz::keptContext<dist::DistDialect, graph::GraphDialect, mlir::func::FuncDialect>();
  mlir::ScopedDiagnosticHandler handler(&context,
                                        [](mlir::Diagnostic &) { return mlir::success(); });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(fuzz::kModule, &context);
  fuzz::Require(bool(module), "the fuzzer's own module is valid");
  if (failed(distribution::applyPlan(*plan, "fuzzed.plan", *module)))
    return 0;
  const std::string written = distribution::writePlan(*module, plan->topology);
  auto again = distribution::parsePlan(written);
  fuzz::Require(bool(again), "a plan that was written can be read");
  return 0;
}
