// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/Functions.h"

using namespace mlir;

namespace ashlar::cpu {

void callFunction(Emitter &e, ModuleOp module, const Twine &name, ValueRange arguments,
                  llvm::function_ref<void(ValueRange)> emitBody) {
  auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(name.str());
  if (!function) {
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPointToEnd(module.getBody());
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(e.b.getContext()),
                                            llvm::to_vector(arguments.getTypes()));
    function = LLVM::LLVMFuncOp::create(e.b, name.str(), type, LLVM::Linkage::Internal);
    function.setPassthroughAttr(e.b.getStrArrayAttr({"noinline", "nounwind"}));
    for (auto [index, argument] : llvm::enumerate(arguments))
      if (isa<LLVM::LLVMPointerType>(argument.getType()))
        function.setArgAttr(index, LLVM::LLVMDialect::getNoAliasAttrName(), e.b.getUnitAttr());
    Block *entry = function.addEntryBlock(e.b);
    e.b.setInsertionPointToStart(entry);
    emitBody(entry->getArguments());
    LLVM::ReturnOp::create(e.b, ValueRange{});
  }
  LLVM::CallOp::create(e.b, function, arguments);
}

} // namespace ashlar::cpu
