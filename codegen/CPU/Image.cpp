// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/Image.h"

#include "codegen/CPU/FlatLinker.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace ashlar::cpu {

/// Lowers everything to the LLVM dialect.
static LogicalResult lowerToLLVMDialect(ModuleOp module) {
  PassManager manager(module.getContext());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  if (failed(manager.run(module)))
    return failure();
  LLVMTypeConverter converter(module.getContext());
  RewritePatternSet patterns(module.getContext());
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  populateMathToLLVMConversionPatterns(converter, patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  populateVectorToLLVMConversionPatterns(converter, patterns);
  LLVMConversionTarget target(*module.getContext());
  target.addLegalOp<ModuleOp>();
  return applyFullConversion(module, target, std::move(patterns));
}

static std::string getFeatureString(const CpuModel &model) {
  std::vector<std::string> enabled;
  for (const std::string &feature : model.extensions)
    enabled.push_back("+" + feature);
  return llvm::join(enabled, ",");
}

static std::unique_ptr<llvm::TargetMachine> createTargetMachine(ModuleOp module,
                                                                const CpuModel &model) {
  static const bool initialised = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    return true;
  }();
  (void)initialised;
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) {
    module.emitError() << "this LLVM has no x86-64 target: " << error;
    return nullptr;
  }
  llvm::TargetOptions options;
  options.AllowFPOpFusion =
      llvm::FPOpFusion::Strict; // a product and a sum are fused where a kernel says so
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, model.base, getFeatureString(model), options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
}

/// Functions of the image: wide registers where the CPU has them, no jump tables, no stack
/// protector, no unwind tables.
static void setAttributes(llvm::Module &module, const CpuModel &model) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("prefer-vector-width", std::to_string(model.lanes * 32));
    function.addFnAttr("min-legal-vector-width", std::to_string(model.lanes * 32));
    function.addFnAttr("no-jump-tables", "true");
    function.addFnAttr("target-cpu", model.base);
    function.addFnAttr("tune-cpu", model.tune);
    if (!model.extensions.empty())
      function.addFnAttr("target-features", getFeatureString(model));
    function.setUWTableKind(llvm::UWTableKind::None);
  }
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false; // kernels are vectors already
  tuning.SLPVectorization = false;
  tuning.LoopUnrolling = false;
  tuning.LoopInterleaving = false;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  // Without a C library there is no memset to call.
  llvm::TargetLibraryInfoImpl library(module.getTargetTriple());
  library.disableAllFunctions();
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

namespace {
/// Where LLVM's errors go; its default handler ends the process.
struct ErrorLog {
  ModuleOp module;
  bool hasErrors = false;
};
} // namespace

/// Reports an error of LLVM at the module and notes it; `opaque` is an ErrorLog.
static void logError(const llvm::DiagnosticInfo *info, void *opaque) {
  if (info->getSeverity() != llvm::DS_Error)
    return;
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::DiagnosticPrinterRawOStream printer(stream);
  info->print(printer);
  auto &log = *static_cast<ErrorLog *>(opaque);
  log.hasErrors = true;
  log.module.emitError() << "LLVM: " << text;
}

LogicalResult compileToFile(ModuleOp module, const CpuModel &model, llvm::CodeGenFileType type,
                            llvm::SmallVectorImpl<char> &contents) {
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  if (failed(lowerToLLVMDialect(module)))
    return module.emitError() << "kernels could not be lowered for " << model.name;

  llvm::LLVMContext context;
  ErrorLog log{module};
  context.setDiagnosticHandlerCallBack(logError, &log);
  auto machine = createTargetMachine(module, model);
  std::unique_ptr<llvm::Module> code =
      machine ? translateModuleToLLVMIR(module, context, "kernels") : nullptr;
  if (!code)
    return failure();
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  setAttributes(*code, model);
  optimize(*code, *machine);

  llvm::raw_svector_ostream stream(contents);
  llvm::legacy::PassManager emission;
  if (machine->addPassesToEmitFile(emission, stream, nullptr, type))
    return module.emitError() << "LLVM cannot emit code for " << model.name;
  emission.run(*code);
  return failure(log.hasErrors); // what was emitted in spite of them is no code to run
}

FailureOr<CodeImage> compileToImage(ModuleOp module, const CpuModel &model,
                                    ArrayRef<std::string> names) {
  llvm::SmallVector<char, 0> object;
  if (failed(compileToFile(module, model, llvm::CodeGenFileType::ObjectFile, object)))
    return failure();
  CodeImage image;
  image.cpu = model.name;
  image.features = model.features;
  std::string error =
      linkFlat(llvm::StringRef(object.data(), object.size()), names, image.code, image.entries);
  if (!error.empty())
    return module.emitError() << "linking kernels for " << model.name << ": " << error, failure();
  return image;
}

} // namespace ashlar::cpu
