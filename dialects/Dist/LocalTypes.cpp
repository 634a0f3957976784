// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Dist/LocalTypes.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::dist {

Dim LocalTypes::getLocal(const Dim &whole, llvm::ArrayRef<Axis> axes) {
  int64_t parts = getParts(axes);
  if (parts == 1)
    return whole;
  if (whole.isNumber() && whole.size % parts == 0)
    return Dim::number(whole.size / parts);

  auto module = cast<ModuleOp>(meshOp->getParentOp());
  std::string name = toString(whole) + "/" + mesh.toString(axes);
  if (auto known = module.lookupSymbol<DimOp>(name))
    return Dim::named(known.getSymNameAttr());
  auto dim = whole.isNumber() ? DimOp() : module.lookupSymbol<DimOp>(whole.name);
  OpBuilder builder(module.getContext());
  if (dim)
    builder.setInsertionPointAfter(dim);
  else
    builder.setInsertionPointAfter(meshOp);
  int64_t smallest = dim ? dim.getMinimum() : whole.size,
          largest = dim ? dim.getMaximum() : whole.size;
  auto made = DimOp::create(builder, meshOp.getLoc(), builder.getStringAttr(name),
                            builder.getI64IntegerAttr(smallest / parts),
                            builder.getI64IntegerAttr(llvm::divideCeil(largest, parts)),
                            DimDerivationAttr(), ArrayAttr());
  Attribute of = dim ? Attribute(FlatSymbolRefAttr::get(dim.getSymNameAttr()))
                     : builder.getI64IntegerAttr(whole.size);
  made->setAttr(kLocalAttr, LocalDimAttr::get(module.getContext(), getMeshName(), of,
                                              getAttr(module.getContext(), axes, mesh)));
  return Dim::named(made.getSymNameAttr());
}

RankedTensorType LocalTypes::getLocal(RankedTensorType whole, const Sharding &sharding) {
  Dims dims;
  for (auto [dim, cut] : llvm::zip(getDims(whole), sharding.dims))
    dims.push_back(getLocal(dim, cut.axes));
  return getTensor(dims, whole.getElementType());
}

Type LocalTypes::getStored(Type whole, const Sharding &sharding) {
  auto cache = dyn_cast<CacheType>(whole);
  auto tensor = dyn_cast<RankedTensorType>(whole);
  SmallVector<int64_t> shape(cache ? cache.getShape() : tensor.getShape());
  for (auto [extent, dim] : llvm::zip(shape, sharding.dims))
    extent = llvm::divideCeil(extent, getParts(dim.axes));
  if (cache)
    return CacheType::get(whole.getContext(), shape, cache.getElementType());
  return RankedTensorType::get(shape, tensor.getElementType());
}

Dim LocalTypes::getWhole(const Dim &local, llvm::ArrayRef<Axis> axes) {
  if (axes.empty())
    return local;
  if (local.isNumber())
    return Dim::number(local.size * getParts(axes));
  auto module = cast<ModuleOp>(meshOp->getParentOp());
  auto dim = module.lookupSymbol<DimOp>(local.name);
  auto attr = dim ? dim->getAttrOfType<LocalDimAttr>(kLocalAttr) : LocalDimAttr();
  if (!attr)
    return local;
  if (auto number = dyn_cast<IntegerAttr>(attr.getWhole()))
    return Dim::number(number.getInt());
  return Dim::named(cast<FlatSymbolRefAttr>(attr.getWhole()).getAttr());
}

RankedTensorType LocalTypes::getWhole(RankedTensorType local, const Sharding &sharding) {
  Dims dims;
  for (auto [dim, cut] : llvm::zip(getDims(local), sharding.dims))
    dims.push_back(getWhole(dim, cut.axes));
  return getTensor(dims, local.getElementType());
}

SmallVector<int64_t> LocalTypes::getNumbers(RankedTensorType type) {
  SmallVector<int64_t> numbers;
  for (const Dim &dim : getDims(type))
    numbers.push_back(dim.isNumber() ? dim.size : -1);
  return numbers;
}

} // namespace ashlar::dist
