// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/CpuTarget.h"

#include "codegen/CPU/Image.h"
#include "codegen/CPU/Kernels.h"
#include "codegen/CPU/MathApproximation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace ashlar::cpu {

FailureOr<KernelDescription> CpuTarget::describe(func::FuncOp kernel) const {
  auto shape = getKernelShape(kernel);
  if (failed(shape))
    return failure();
  KernelDescription description = (*shape)->describe(models);
  description.scratchBytes += graph::Polynomial(kNotesBytes);
  return description;
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
  Value launch = e.load(e.i64, args[1], e.constant(getExtentNames(kernel).size()));
  Value scratch = e.offset(args[4], e.i8, e.constant(kNotesBytes));
  KernelContext context{e, evaluator, module, args[2], args[3], launch, args[4], scratch};
  (*shape)->emit(context);
  LLVM::ReturnOp::create(e.b, ValueRange{});
  return success();
}

/// Emits all kernels for one model; null, with a diagnostic, where one cannot be.
static OwningOpRef<ModuleOp> emitKernels(ArrayRef<func::FuncOp> kernels, const CpuModel &model) {
  func::FuncOp first = kernels.front();
  first.getContext()
      ->loadDialect<arith::ArithDialect, math::MathDialect, scf::SCFDialect, vector::VectorDialect,
                    LLVM::LLVMDialect>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(first.getLoc());
  for (func::FuncOp kernel : kernels)
    if (failed(emitKernel(kernel, *module, model)))
      return nullptr;
  approximateMath(*module);
  return module;
}

FailureOr<std::vector<CodeImage>> CpuTarget::compile(ArrayRef<func::FuncOp> kernels) const {
  std::vector<CodeImage> images;
  if (kernels.empty())
    return images;
  std::vector<std::string> names;
  for (func::FuncOp kernel : kernels)
    names.push_back(kernel.getName().str());
  for (const CpuModel &model : models) {
    OwningOpRef<ModuleOp> module = emitKernels(kernels, model);
    if (!module)
      return failure();
    auto image = compileToImage(*module, model, names);
    if (failed(image))
      return failure();
    images.push_back(std::move(*image));
  }
  return images;
}

LogicalResult CpuTarget::printAssembly(ArrayRef<func::FuncOp> kernels,
                                       llvm::raw_ostream &stream) const {
  for (const CpuModel &model : models) {
    if (kernels.empty())
      break;
    OwningOpRef<ModuleOp> module = emitKernels(kernels, model);
    llvm::SmallVector<char, 0> text;
    if (!module || failed(compileToFile(*module, model, llvm::CodeGenFileType::AssemblyFile, text)))
      return failure();
    stream << "# " << model.name << "\n" << llvm::StringRef(text.data(), text.size());
  }
  return success();
}

} // namespace ashlar::cpu
