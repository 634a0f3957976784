// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Named dimensions in one run: bound by the inputs, derived, checked.

#include "compiler/Interpreter/Evaluation.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::interpreter {

std::optional<int64_t> Extents::find(StringRef name) const {
  auto found = extents.find(name);
  return found == extents.end() ? std::nullopt : std::optional<int64_t>(found->second);
}

LogicalResult Extents::bind(RankedTensorType type, ArrayRef<int64_t> shape,
                            llvm::function_ref<InFlightDiagnostic()> emitError) {
  Dims dims = getDims(type);
  if (dims.size() != shape.size())
    return emitError() << "has rank " << shape.size() << ", expected " << toString(dims);
  for (auto [index, dim] : llvm::enumerate(dims)) {
    int64_t expected = dim.isNumber()
                           ? dim.size
                           : extents.try_emplace(dim.name.getValue(), shape[index]).first->second;
    if (expected != shape[index])
      return emitError() << "has extent " << shape[index] << " in dimension " << index
                         << ", expected " << toString(dim)
                         << (dim.isNumber() ? "" : " = " + std::to_string(expected));
  }
  return success();
}

LogicalResult Extents::finish(ModuleOp module, llvm::function_ref<InFlightDiagnostic()> emitError) {
  if (!module)
    return success();
  for (auto dim : module.getOps<DimOp>()) {
    std::optional<int64_t> found = find(dim.getSymName());
    if (dim.getTerms()) {
      bool isSum = dim.getDerivation() == DimDerivation::Sum, known = true;
      int64_t derived = isSum ? 0 : 1;
      for (auto term : dim.getTerms()->getAsRange<FlatSymbolRefAttr>()) {
        std::optional<int64_t> extent = find(term.getValue());
        known &= extent.has_value();
        derived = isSum ? derived + extent.value_or(0) : derived * extent.value_or(0);
      }
      if (known && found && *found != derived)
        return emitError() << "dimension '" << dim.getSymName() << "' is " << *found
                           << ", but follows as " << derived;
      if (known)
        extents[dim.getSymName()] = derived;
      found = find(dim.getSymName());
    }
    if (found && (*found < static_cast<int64_t>(dim.getMinimum()) ||
                  *found > static_cast<int64_t>(dim.getMaximum())))
      return emitError() << "dimension '" << dim.getSymName() << "' is " << *found
                         << ", outside its bounds " << dim.getMinimum() << " to "
                         << dim.getMaximum();
  }
  return success();
}

FailureOr<std::vector<int64_t>>
Extents::shapeOf(Type type, llvm::function_ref<InFlightDiagnostic()> emitError) const {
  if (auto cache = dyn_cast<CacheType>(type))
    return cache.getShape().vec();
  std::vector<int64_t> shape;
  for (const Dim &dim : getDims(cast<RankedTensorType>(type))) {
    std::optional<int64_t> extent = dim.isNumber() ? dim.size : find(dim.name.getValue());
    if (!extent) {
      emitError() << "needs the extent of dimension '" << toString(dim)
                  << "', which no input gives";
      return failure();
    }
    shape.push_back(*extent);
  }
  return shape;
}

} // namespace ashlar::interpreter
