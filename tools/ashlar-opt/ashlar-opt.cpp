// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs Ashlar's passes over IR in text form: the tool behind the lit tests.

#include "codegen/CPU/CpuTarget.h"
#include "compiler/Distribution/Passes.h"
#include "compiler/Pipelines/LowerToProgram.h"
#include "compiler/Pipelines/Pipelines.h"
#include "compiler/Transforms/Passes.h"
#include "dialects/Dist/Dist.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Program/Program.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

namespace {

/// lowerToProgram as a pass, for x86-64-v3: what it decides does not depend on the instruction set.
struct LowerToProgramPass
    : mlir::PassWrapper<LowerToProgramPass, mlir::OperationPass<mlir::ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerToProgramPass)
  LowerToProgramPass() = default;
  LowerToProgramPass(const LowerToProgramPass &other) : PassWrapper(other) {}

  llvm::StringRef getArgument() const override { return "ashlar-lower-to-program"; }
  llvm::StringRef getDescription() const override {
    return "Lower fused graph functions to the program dialect";
  }
  void getDependentDialects(mlir::DialectRegistry &registry) const override {
    registry.insert<ashlar::program::ProgramDialect>();
  }
  void runOnOperation() override {
    std::string error;
    ashlar::cpu::CpuTarget target({*ashlar::cpu::findCpuModel("x86-64-v3", error)});
    ashlar::LoweringOptions options;
    if (memoryLimit > 0)
      options.memoryLimit = memoryLimit;
    if (failed(ashlar::lowerToProgram(getOperation(), target, options)))
      signalPassFailure();
  }

  Option<int64_t> memoryLimit{*this, "memory-limit",
                              llvm::cl::desc("most bytes of the program; 0: no limit"),
                              llvm::cl::init(0)};
};

/// verifyProgram as a pass: what no op's own verifier sees.
struct VerifyProgramPass
    : mlir::PassWrapper<VerifyProgramPass, mlir::OperationPass<mlir::ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(VerifyProgramPass)
  llvm::StringRef getArgument() const override { return "ashlar-verify-program"; }
  llvm::StringRef getDescription() const override {
    return "Verify launches, spaces and the arena's contents";
  }
  void runOnOperation() override {
    if (failed(ashlar::program::verifyProgram(getOperation())))
      signalPassFailure();
  }
};

} // namespace

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<ashlar::dist::DistDialect, ashlar::graph::GraphDialect,
                  ashlar::program::ProgramDialect, mlir::func::FuncDialect,
                  mlir::arith::ArithDialect, mlir::math::MathDialect>();
  mlir::registerTransformsPasses();
  ashlar::registerAshlarDistributionPasses();
  ashlar::registerAshlarTransformsPasses();
  ashlar::registerPipelines();
  mlir::PassRegistration<LowerToProgramPass>();
  mlir::PassRegistration<VerifyProgramPass>();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Ashlar optimizer driver\n", registry));
}
