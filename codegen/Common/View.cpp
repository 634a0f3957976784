// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Common/View.h"

using namespace mlir;

namespace ashlar {

using namespace graph;

static bool equal(const Monomial &a, const Monomial &b) {
  return a.scale == b.scale && a.names == b.names;
}

static Monomial times(Monomial a, const Dim &dim) {
  if (dim.isNumber()) {
    a.scale *= dim.size;
  } else {
    a.names.push_back(dim.name);
    llvm::sort(a.names, [](StringAttr x, StringAttr y) { return x.getValue() < y.getValue(); });
  }
  return a;
}

SmallVector<Monomial> getCompactStrides(ArrayRef<Dim> dims) {
  SmallVector<Monomial> strides(dims.size());
  Monomial stride;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = stride;
    stride = times(stride, dims[i]);
  }
  return strides;
}

bool View::isContiguousInLast() const {
  return dims.empty() || dims.back().isOne() || equal(strides.back(), Monomial());
}

bool View::isCompact() const {
  SmallVector<Monomial> compact = getCompactStrides(dims);
  for (size_t i = 0; i < dims.size(); ++i)
    if (!dims[i].isOne() && !equal(strides[i], compact[i]))
      return false;
  return true;
}

/// Strides of the same elements under other dimensions, where there are any. Both lists are matched
/// from the right in groups of equal size; the dimensions that a group merges must follow each
/// other without a gap.
static std::optional<SmallVector<Monomial>> reshapeStrides(const View &view, ArrayRef<Dim> target) {
  SmallVector<Monomial> strides(target.size());
  size_t i = view.dims.size(), j = target.size();
  while (i > 0 || j > 0) {
    // Dimensions of 1 belong to no group.
    if (j > 0 && target[j - 1].isOne()) {
      --j;
      continue;
    }
    if (i > 0 && view.dims[i - 1].isOne()) {
      --i;
      continue;
    }
    if (i == 0 || j == 0)
      return std::nullopt;
    Monomial stride = view.strides[i - 1];
    size_t firstJ = j - 1;
    Monomial from = times(Monomial(), view.dims[--i]), to = times(Monomial(), target[--j]);
    while (!equal(from, to)) {
      // Grow the side that is smaller; sides with different names cannot be compared and grow
      // together.
      bool growFrom = from.names.size() < to.names.size() ||
                      (from.names.size() == to.names.size() && from.scale < to.scale);
      if (growFrom) {
        if (i == 0 || !equal(view.strides[i - 1], times(view.strides[i], view.dims[i])))
          return std::nullopt;
        from = times(from, view.dims[--i]);
      } else {
        if (j == 0)
          return std::nullopt;
        to = times(to, target[--j]);
      }
    }
    for (size_t k = firstJ + 1; k-- > j;) {
      strides[k] = stride;
      stride = times(stride, target[k]);
    }
  }
  return strides;
}

std::optional<View> getView(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return std::nullopt;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    Dims dims = getDims(type);
    return View{argument, 0, dims, getCompactStrides(dims)};
  }
  Operation *op = value.getDefiningOp();
  if (!isa<SliceOp, ReshapeOp, TransposeOp>(op))
    return std::nullopt;
  std::optional<View> view = getView(op->getOperand(0));
  if (!view)
    return std::nullopt;
  Dims dims = getDims(type);
  if (auto slice = dyn_cast<SliceOp>(op)) {
    const Monomial &stride = view->strides[slice.getAxis()];
    if (!stride.names.empty() && slice.getOffset() != 0)
      return std::nullopt; // the offset would depend on an extent
    view->offset += static_cast<int64_t>(slice.getOffset()) * stride.scale;
  } else if (auto transpose = dyn_cast<TransposeOp>(op)) {
    SmallVector<Monomial> strides;
    for (int64_t index : transpose.getPermutation())
      strides.push_back(view->strides[index]);
    view->strides = strides;
  } else {
    auto strides = reshapeStrides(*view, dims);
    if (!strides)
      return std::nullopt;
    view->strides = *strides;
  }
  view->dims = dims;
  return view;
}

} // namespace ashlar
