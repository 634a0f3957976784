// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// IR in text form: the parsers and verifiers of the three dialects. What is accepted prints as
// something that is accepted.
#include "dialects/Dist/Dist.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Program/Program.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/kept_context.h"

// The lit tests, piece by piece.
std::vector<std::string> ashlar::fuzz::Seeds() {
  std::vector<std::string> pieces;
  for (const char *folder : {"test/dialects", "test/compiler"})
    for (const std::string &text : ReadTree(folder, ".mlir"))
      for (llvm::StringRef piece : llvm::split(text, "\n// -----"))
        pieces.push_back(piece.str());
  return pieces;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace ashlar;
  mlir::MLIRContext &context =
      fuzz::keptContext<dist::DistDialect, graph::GraphDialect, program::ProgramDialect,
                        mlir::func::FuncDialect, mlir::arith::ArithDialect,
                        mlir::math::MathDialect>();
  mlir::ScopedDiagnosticHandler handler(&context,
                                        [](mlir::Diagnostic &) { return mlir::success(); });
  const std::string text(reinterpret_cast<const char *>(data), size);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return 0;
  std::string printed;
  llvm::raw_string_ostream stream(printed);
  module->print(stream, mlir::OpPrintingFlags().enableDebugInfo());
  fuzz::Require(bool(mlir::parseSourceString<mlir::ModuleOp>(printed, &context)),
                "what was printed can be read");
  return 0;
}
