// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/Image.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace ashlar::cpu {
namespace {

/// Compiles a module whose entry calls a function with these attributes; collects the diagnostics.
FailureOr<CodeImage> compile(const std::string &attributes, std::string &errors) {
  MLIRContext context;
  context.loadDialect<LLVM::LLVMDialect>();
  ScopedDiagnosticHandler handler(&context,
                                  [&](Diagnostic &diagnostic) { errors += diagnostic.str(); });
  auto module = parseSourceString<ModuleOp>(
      "llvm.func internal @callee() attributes {passthrough = [\"noinline\", \"optnone\"" +
          attributes +
          "]} {\n  llvm.return\n}\n"
          "llvm.func @kernel() {\n  llvm.call @callee() : () -> ()\n  llvm.return\n}\n",
      &context);
  std::string unknown;
  auto model = findCpuModel("x86-64-v3", unknown);
  EXPECT_TRUE(module && model);
  return compileToImage(*module, *model, {std::string("kernel")});
}

TEST(Image, HoldsCode) {
  std::string errors;
  auto image = compile("", errors);
  ASSERT_TRUE(succeeded(image)) << errors;
  EXPECT_FALSE(image->code.empty());
}

// LLVM goes on after an error in its back end and emits something.
TEST(Image, FailsWhereLlvmReportsAnError) {
  std::string errors;
  auto image = compile(", [\"dontcall-error\", \"never to be called\"]", errors);
  EXPECT_TRUE(failed(image));
  EXPECT_NE(errors.find("never to be called"), std::string::npos) << errors;
}

} // namespace
} // namespace ashlar::cpu
