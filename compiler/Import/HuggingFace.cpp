// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds the family of a directory's model and has it built.

#include "compiler/Import/HuggingFace.h"

#include "compiler/Diagnostics/ErrorCodes.h"
#include "compiler/Import/Family.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace ashlar {

static constexpr Family kFamilies[] = {
    {"bert", importBert},   {"distilbert", importDistilBert}, {"gpt2", importGpt2},
    {"llama", importLlama}, {"mistral", importMistral},       {"qwen2", importQwen2},
    {"qwen3", importQwen3}, {"roberta", importRoberta},
};

ArrayRef<StringRef> getSupportedModelTypes() {
  static const std::vector<StringRef> types = [] {
    std::vector<StringRef> made;
    for (const Family &family : kFamilies)
      made.push_back(family.modelType);
    return made;
  }();
  return types;
}

void loadImportDialects(MLIRContext &context) {
  context.loadDialect<graph::GraphDialect, func::FuncDialect, arith::ArithDialect,
                      math::MathDialect>();
}

static const Family *findFamily(Config &config, const ImportOptions &options) {
  std::string type =
      options.modelType.empty() ? config.getString("model_type", "") : options.modelType;
  for (const Family &family : kFamilies)
    if (family.modelType == type)
      return &family;
  config.unsupported("model_type")
      << (type.empty() ? "is missing" : "= '" + type + "' is not supported") << "; supported are "
      << llvm::join(getSupportedModelTypes(), ", ");
  return nullptr;
}

OwningOpRef<ModuleOp> importHuggingFace(MLIRContext &context, const ImportOptions &options) {
  loadImportDialects(context);
  auto config = Config::read(context, options.directory);
  if (failed(config))
    return nullptr;
  const Family *family = findFamily(*config, options);
  if (!family)
    return nullptr;
  if (config->has("quantization_config")) {
    config->unsupported("quantization_config") << "is set: quantised checkpoints are not supported";
    return nullptr;
  }
  config->ignore({"quantization_config"});
  config->requireBool("is_encoder_decoder", false);
  for (const std::string &field : options.ignoredFields)
    config->ignore({field});

  std::shared_ptr<const Checkpoint> checkpoint;
  if (!options.randomWeights) {
    auto opened = Checkpoint::Open(options.directory);
    if (!opened.ok()) {
      emitError(config->getLoc(), opened.status());
      return nullptr;
    }
    checkpoint = *opened;
  }
  OwningOpRef<ModuleOp> module = ModuleOp::create(config->getLoc());
  ImportContext import{*config, options, *module, checkpoint};
  if (failed(family->import(import)) || failed(verify(*module)))
    return nullptr;
  for (auto entry : module->getOps<func::FuncOp>())
    if (failed(graph::verifyPaths(entry)))
      return nullptr;
  return module;
}

} // namespace ashlar
