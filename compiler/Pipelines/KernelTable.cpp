// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/KernelTable.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace ashlar {

using namespace graph;

int64_t getBound(ModuleOp module, StringAttr dim) {
  if (auto op = module.lookupSymbol<graph::DimOp>(dim))
    return op.getMaximum();
  auto op = module.lookupSymbol<program::DimOp>(dim);
  return op ? op.getMaximum() : 1;
}

program::ExtentAttr toExtentAttr(MLIRContext *context, const Extent &extent) {
  return program::ExtentAttr::get(context, extent.scale, extent.names, extent.divisor);
}

program::ExtentAttr toExtentAttr(MLIRContext *context, const Dim &dim) {
  Extent extent;
  if (dim.isNumber())
    extent.scale = dim.size;
  else
    extent.names.push_back(dim.name);
  return toExtentAttr(context, extent);
}

SmallVector<Attribute> toExtentAttrs(MLIRContext *context, const Polynomial &polynomial) {
  SmallVector<Attribute> extents;
  for (const Monomial &term : polynomial.terms)
    if (term.scale != 0)
      extents.push_back(program::ExtentAttr::get(context, term.scale, term.names, 1));
  return extents;
}

func::FuncOp KernelTable::outline(FusedOp fused, ArrayRef<std::string> layouts) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  SmallVector<Type> inputs(fused.getBlock().getArgumentTypes()), results;
  SmallVector<Value> returned;
  for (Value value : fused.getYield()->getOperands()) {
    if (isa<CacheType>(value.getType()))
      continue;
    results.push_back(value.getType());
    returned.push_back(value);
  }
  auto function = func::FuncOp::create(builder, fused.getLoc(), "kernel",
                                       builder.getFunctionType(inputs, results));
  function.setPrivate();
  for (auto [index, layout] : llvm::enumerate(layouts))
    if (!layout.empty())
      function.setArgAttr(index, kLayoutAttr, builder.getStringAttr(layout));
  Block *block = function.addEntryBlock();
  builder.setInsertionPointToEnd(block);
  IRMapping mapping;
  mapping.map(fused.getBlock().getArguments(), block->getArguments());
  for (Operation &op : fused.getBlock().without_terminator())
    builder.clone(op, mapping);
  SmallVector<Value> mapped =
      llvm::map_to_vector(returned, [&](Value value) { return mapping.lookup(value); });
  func::ReturnOp::create(builder, fused.getLoc(), mapped);
  return function;
}

std::string KernelTable::getUniqueName(StringRef name) {
  // Entry points, dimensions and states are symbols of the module too.
  int &count = nameCounts[name];
  std::string unique;
  do {
    unique = name.str() + (count ? "_" + std::to_string(count) : "");
    ++count;
  } while (module.lookupSymbol(unique) || module.lookupSymbol(unique + "_body"));
  return unique;
}

FailureOr<program::KernelOp> KernelTable::getKernel(FusedOp fused, ArrayRef<std::string> layouts) {
  func::FuncOp body = outline(fused, layouts);
  std::string text;
  llvm::raw_string_ostream stream(text);
  body.print(stream, OpPrintingFlags().useLocalScope());
  auto [known, inserted] = byText.try_emplace(text);
  if (!inserted) {
    body.erase();
    return known->second;
  }
  auto kernel = create(fused, body);
  if (succeeded(kernel))
    known->second = *kernel;
  return kernel;
}

FailureOr<program::KernelOp> KernelTable::create(FusedOp fused, func::FuncOp body) {
  MLIRContext *context = module.getContext();
  std::string name = getUniqueName(fused.getName());
  body.setSymName(name + "_body");
  auto description = target.describe(body);
  if (failed(description))
    return failure();
  SmallVector<Attribute> ops, extents, grid;
  for (Operation &op : body.getBody().front().without_terminator())
    ops.push_back(StringAttr::get(context, op.getName().stripDialect()));
  for (StringAttr extent : getExtentNames(body))
    extents.push_back(FlatSymbolRefAttr::get(extent));
  for (const Extent &factor : description->grid)
    grid.push_back(toExtentAttr(context, factor));
  SmallVector<int32_t> accesses;
  for (BlockArgument argument : body.getArguments()) {
    bool appended = llvm::any_of(argument.getUsers(), [&](Operation *user) {
      auto append = dyn_cast<CacheAppendOp>(user);
      return append && append.getCache() == argument;
    });
    accesses.push_back(
        static_cast<int32_t>(appended ? program::Access::ReadWrite : program::Access::Read));
  }
  accesses.append(body.getNumResults(), static_cast<int32_t>(program::Access::Write));
  auto scratch = static_cast<int64_t>(
      description->scratchBytes.evaluate([&](StringAttr dim) { return getBound(module, dim); }));
  scratchBytes = std::max(scratchBytes, scratch);
  OpBuilder builder(body);
  return program::KernelOp::create(builder, fused.getLoc(), name, builder.getArrayAttr(ops),
                                   accesses, builder.getArrayAttr(extents),
                                   builder.getArrayAttr(grid), scratch, body.getSymName());
}

} // namespace ashlar
