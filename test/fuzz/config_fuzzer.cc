// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// config.json, up to the graph module that is made of it.
#include "compiler/Import/HuggingFace.h"
#include "mlir/IR/Verifier.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/kept_context.h"

std::vector<std::string> ashlar::fuzz::Seeds() { return ReadTree("test/goldens", "/config.json"); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace ashlar;
  static const fuzz::ScratchFolder folder;
  folder.Write("config.json", {reinterpret_cast<const char *>(data), size});
  mlir::MLIRContext &context = fuzz::keptContext();
  bool told = false;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    told |= diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error;
    fuzz::Require(!diagnostic.str().empty(), "a diagnostic has words");
    return mlir::success();
  });
  ImportOptions options;
  options.directory = folder.path();
  options.randomWeights = true;
  auto module = importHuggingFace(context, options);
  fuzz::Require(module || told, "who refuses a config says why");
  fuzz::Require(!module || succeeded(mlir::verify(*module)), "an imported module is valid");
  return 0;
}
