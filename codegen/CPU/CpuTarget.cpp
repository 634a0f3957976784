// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/CpuTarget.h"

#include "codegen/CPU/Image.h"
#include "codegen/CPU/Kernels.h"
#include "codegen/CPU/MathApproximation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;

namespace ashlar::cpu {

static constexpr llvm::StringLiteral kAvx2Features[] = {"avx2", "fma", "f16c", "bmi2"};
static constexpr llvm::StringLiteral kAvx512Features[] = {
    "avx2", "fma", "f16c", "bmi2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"};
static const llvm::StringRef kAvx2[] = {kAvx2Features[0], kAvx2Features[1], kAvx2Features[2],
                                        kAvx2Features[3]};
static const llvm::StringRef kAvx512[] = {
    kAvx512Features[0], kAvx512Features[1], kAvx512Features[2],
    kAvx512Features[3], kAvx512Features[4], kAvx512Features[5],
    kAvx512Features[6], kAvx512Features[7], kAvx512Features[8]};

ArrayRef<CpuModel> getCpuModels() {
  // Of 32 registers 24 hold sums and 4 a row of B: six rows of 64 columns take fewer loads than
  // twelve of 32. Of 16 registers 12 and 2.
  static const CpuModel models[] = {{"x86-64-v3", 8, 12, 2, kAvx2},
                                    {"x86-64-v4", 16, 24, 4, kAvx512}};
  return models;
}

const CpuModel *findCpuModel(StringRef name) {
  auto models = getCpuModels();
  auto found = llvm::find_if(models, [&](const CpuModel &model) { return model.name == name; });
  return found == models.end() ? nullptr : &*found;
}

const CpuModel *getNativeCpuModel() {
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  const CpuModel *best = nullptr;
  for (const CpuModel &model : getCpuModels())
    if (llvm::all_of(model.features, [&](StringRef feature) { return features.lookup(feature); }))
      best = &model;
  return best;
}

FailureOr<KernelDescription> CpuTarget::describe(func::FuncOp kernel) const {
  auto shape = getKernelShape(kernel);
  if (failed(shape))
    return failure();
  return (*shape)->describe();
}

/// Emits one kernel's function.
static LogicalResult emitKernel(func::FuncOp kernel, ModuleOp module, const CpuModel &model) {
  auto shape = getKernelShape(kernel);
  if (failed(shape))
    return failure();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Emitter e(builder, kernel.getLoc(), model);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()),
                                          {e.pointer, e.pointer, e.i64, e.i64, e.pointer});
  auto function = LLVM::LLVMFuncOp::create(e.b, kernel.getSymName(), type);
  function.setPassthroughAttr(e.b.getStrArrayAttr({"nounwind"}));
  Block *entry = function.addEntryBlock(e.b);
  e.b.setInsertionPointToStart(entry);
  auto args = entry->getArguments();
  Evaluator evaluator(e, kernel, args[0], args[1]);
  KernelContext context{e, evaluator, module, args[2], args[3], args[4]};
  (*shape)->emit(context);
  LLVM::ReturnOp::create(e.b, ValueRange{});
  return success();
}

FailureOr<std::vector<CodeImage>> CpuTarget::compile(ArrayRef<func::FuncOp> kernels) const {
  std::vector<CodeImage> images;
  if (kernels.empty())
    return images;
  func::FuncOp first = kernels.front();
  MLIRContext *context = first.getContext();
  context->loadDialect<arith::ArithDialect, math::MathDialect, scf::SCFDialect,
                       vector::VectorDialect, LLVM::LLVMDialect>();
  for (const CpuModel *model : models) {
    OwningOpRef<ModuleOp> module = ModuleOp::create(first.getLoc());
    std::vector<std::string> names;
    for (func::FuncOp kernel : kernels) {
      if (failed(emitKernel(kernel, *module, *model)))
        return failure();
      names.push_back(kernel.getSymName().str());
    }
    approximateMath(*module);
    auto image = compileToImage(*module, *model, names);
    if (failed(image))
      return failure();
    images.push_back(std::move(*image));
  }
  return images;
}

} // namespace ashlar::cpu
