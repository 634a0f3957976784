// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Graph/GraphDims.h"

#include "dialects/Graph/Graph.h"

using namespace mlir;

namespace ashlar::graph {

Dims getDims(RankedTensorType type) {
  auto encoding = dyn_cast_or_null<DimsAttr>(type.getEncoding());
  Dims dims;
  for (auto [index, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size))
      dims.push_back(Dim::number(size));
    else
      dims.push_back(Dim::named(encoding ? encoding.getNames()[index]
                                         : StringAttr::get(type.getContext(), "")));
  }
  return dims;
}

RankedTensorType getTensor(ArrayRef<Dim> dims, Type elementType) {
  MLIRContext *context = elementType.getContext();
  SmallVector<int64_t> shape;
  SmallVector<StringAttr> names;
  bool anyName = false;
  for (const Dim &dim : dims) {
    shape.push_back(dim.isNumber() ? dim.size : ShapedType::kDynamic);
    names.push_back(dim.isNumber() ? StringAttr::get(context, "_") : dim.name);
    anyName |= !dim.isNumber();
  }
  return RankedTensorType::get(shape, elementType,
                               anyName ? DimsAttr::get(context, names) : Attribute());
}

RankedTensorType withElementType(RankedTensorType type, Type elementType) {
  return RankedTensorType::get(type.getShape(), elementType, type.getEncoding());
}

FailureOr<Dims> broadcast(ArrayRef<Dim> a, ArrayRef<Dim> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  Dims result(a.begin(), a.end());
  size_t shift = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    Dim &dim = result[shift + i];
    if (dim == b[i] || b[i].isOne())
      continue;
    if (!dim.isOne())
      return failure();
    dim = b[i];
  }
  return result;
}

std::string toString(const Dim &dim) {
  return dim.isNumber() ? std::to_string(dim.size) : dim.name.str();
}

std::string toString(ArrayRef<Dim> dims) {
  std::string text;
  for (const Dim &dim : dims)
    text += (text.empty() ? "" : "x") + toString(dim);
  return text.empty() ? "scalar" : text;
}

Polynomial &Polynomial::operator+=(const Polynomial &other) {
  for (const Monomial &term : other.terms) {
    auto same =
        llvm::find_if(terms, [&](const Monomial &mine) { return mine.names == term.names; });
    if (same != terms.end())
      same->scale += term.scale;
    else
      terms.push_back(term);
  }
  return *this;
}

Polynomial &Polynomial::operator*=(int64_t factor) {
  for (Monomial &term : terms)
    term.scale *= factor;
  return *this;
}

double Polynomial::evaluate(llvm::function_ref<int64_t(StringAttr)> extent) const {
  double sum = 0;
  for (const Monomial &term : terms) {
    double product = static_cast<double>(term.scale);
    for (StringAttr name : term.names)
      product *= static_cast<double>(extent(name));
    sum += product;
  }
  return sum;
}

Polynomial getElementCount(ArrayRef<Dim> dims) {
  Monomial term;
  for (const Dim &dim : dims) {
    if (dim.isNumber())
      term.scale *= dim.size;
    else
      term.names.push_back(dim.name);
  }
  llvm::sort(term.names, [](StringAttr a, StringAttr b) { return a.getValue() < b.getValue(); });
  Polynomial count;
  count.terms.push_back(std::move(term));
  return count;
}

int64_t getElementBytes(Type elementType) {
  return llvm::divideCeil(elementType.getIntOrFloatBitWidth(), 8);
}

Polynomial getByteSize(Type type) {
  if (auto cache = dyn_cast<CacheType>(type)) {
    int64_t bytes = getElementBytes(cache.getElementType());
    for (int64_t size : cache.getShape())
      bytes *= size;
    return Polynomial(bytes);
  }
  auto tensor = cast<RankedTensorType>(type);
  Polynomial bytes = getElementCount(getDims(tensor));
  bytes *= getElementBytes(tensor.getElementType());
  return bytes;
}

} // namespace ashlar::graph
