// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes a module that shows a fault smaller while a test script still finds the fault in it:
//
//   ashlar-reduce model.mlir --reduction-tree='traversal-mode=0 test=./fails.sh'
//   ashlar-reduce model.mlir --opt-reduction-pass='opt-pass=canonicalize test=./fails.sh'
//
// The first takes functions and declarations out, the second keeps what a pass makes of the module
// where that is smaller. The script gets a file and exits with 1 where the fault is still there.

#include "compiler/Pipelines/Pipelines.h"
#include "compiler/Transforms/Passes.h"
#include "dialects/Dist/Dist.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Program/Program.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::registerTransformsPasses();
  ashlar::registerAshlarTransformsPasses();
  ashlar::registerPipelines();
  mlir::DialectRegistry registry;
  registry.insert<ashlar::dist::DistDialect, ashlar::graph::GraphDialect,
                  ashlar::program::ProgramDialect, mlir::func::FuncDialect,
                  mlir::arith::ArithDialect, mlir::math::MathDialect>();
  mlir::MLIRContext context(registry);
  return mlir::failed(mlir::mlirReduceMain(argc, argv, context));
}
