// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// config.json is not trusted: a few thousand damaged ones give a module or a diagnostic, never
// anything else.

#include "compiler/Import/HuggingFace.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <random>

using namespace mlir;

namespace ashlar {
namespace {

std::string readConfig(const std::string &name) {
  auto buffer = llvm::MemoryBuffer::getFile(ASHLAR_GOLDENS "/" + name + "/config.json");
  EXPECT_TRUE(bool(buffer)) << name;
  return (*buffer)->getBuffer().str();
}

void writeConfig(const std::string &directory, StringRef text) {
  std::error_code code;
  llvm::raw_fd_ostream os(directory + "/config.json", code);
  ASSERT_FALSE(code);
  os << text;
}

/// Replaces bytes (so that numbers keep their length and a layer count its size), or cuts the text
/// short.
std::string damage(std::string text, std::mt19937 &random) {
  static constexpr char kBytes[] = "0123456789-.{}[]\",:truefalsn \\";
  for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes)
    text[random() % text.size()] = kBytes[random() % (sizeof(kBytes) - 1)];
  if (random() % 16 == 0)
    text.resize(random() % text.size());
  return text;
}

class DamagedConfig : public testing::TestWithParam<const char *> {};

TEST_P(DamagedConfig, IsAModuleOrADiagnostic) {
  llvm::SmallString<64> directory;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("ashlar-config", directory));
  std::string original = readConfig(GetParam());
  std::mt19937 random(7);
  int imported = 0, diagnosed = 0;
  for (int i = 0; i < 300; ++i) {
    MLIRContext context(MLIRContext::Threading::DISABLED);
    int errors = 0;
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      errors += diagnostic.getSeverity() == DiagnosticSeverity::Error;
      return success();
    });
    std::string text = damage(original, random);
    writeConfig(directory.str().str(), text);
    ImportOptions options;
    options.directory = directory.str().str();
    options.randomWeights = true;
    options.seq = DimBounds{1, 4};
    OwningOpRef<ModuleOp> module = importHuggingFace(context, options);
    EXPECT_EQ(bool(module), errors == 0) << text;
    (module ? imported : diagnosed) += 1;
  }
  EXPECT_GT(imported, 0);
  EXPECT_GT(diagnosed, 0);
  llvm::sys::fs::remove_directories(directory);
}

INSTANTIATE_TEST_SUITE_P(Models, DamagedConfig,
                         testing::Values("bert-base", "distilbert-base", "gpt2",
                                         "llama-yarn-options", "llama-llama3", "qwen3-bias-window",
                                         "roberta-base"),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
} // namespace ashlar
