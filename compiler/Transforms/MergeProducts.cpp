// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Transforms/Passes.h"
#include "compiler/Transforms/Weights.h"
#include "dialects/Graph/GraphPaths.h"

#include "mlir/IR/Dominance.h"

using namespace mlir;

namespace ashlar {

#define GEN_PASS_DEF_MERGEPRODUCTSPASS
#include "compiler/Transforms/Passes.h.inc"

using namespace graph;

namespace {

/// The addition of a parameter vector of the product's width that is its only use, or null.
AddOp getBias(MatmulOp product) {
  if (!product->hasOneUse())
    return nullptr;
  auto add = dyn_cast<AddOp>(*product->user_begin());
  if (!add || add.getX() != product.getResult())
    return nullptr;
  Dims bias = getDims(cast<RankedTensorType>(add.getY().getType()));
  Dim width = getDims(cast<RankedTensorType>(product.getType())).back();
  return getParameter(add.getY()) && bias.size() == 1 && bias[0] == width ? add : nullptr;
}

/// Where a value's chain of elementwise ops with one use each leads: the first op that is not, or
/// has several operands computed in this function.
Operation *followElementwise(Value value) {
  while (value.hasOneUse()) {
    Operation *user = *value.user_begin();
    if (!isa<ElementwiseOpInterface>(user))
      return user;
    unsigned computed = llvm::count_if(user->getOperands(), [](Value operand) {
      Operation *op = operand.getDefiningOp();
      return op && !isa<ReadOp, ConstantOp>(op);
    });
    if (computed > 1)
      return user;
    value = user->getResult(0);
  }
  return nullptr;
}

bool canMerge(MatmulOp a, MatmulOp b) {
  return a.getA() == b.getA() && a.getTransposeB() == b.getTransposeB() && getParameter(b.getB()) &&
         cast<RankedTensorType>(a.getB().getType()).getElementType() ==
             cast<RankedTensorType>(b.getB().getType()).getElementType() &&
         a->getBlock() == b->getBlock();
}

/// The value whose uses the product's slice replaces: the biased sum, or the product itself.
Value getProductEnd(MatmulOp product, bool biased) {
  return biased ? getBias(product).getZ() : product.getC();
}

/// The location of values side by side; its path is new.
Location joinLocs(ArrayRef<Value> values, PathTable &table) {
  SmallVector<StringRef> paths =
      llvm::map_to_vector(values, [](Value value) { return getPath(value.getLoc()); });
  Location first = values.front().getLoc();
  return llvm::is_contained(paths, "") ? first : withPath(first, table.take(joinPaths(paths)));
}

void merge(ArrayRef<MatmulOp> products, bool biased, PathTable &paths) {
  MatmulOp first = products.front();
  SmallVector<Value> weights, biases;
  // The merged product stands behind the last weight and bias that it reads; those are readings,
  // which can move up.
  OpBuilder builder(first);
  for (MatmulOp product : products) {
    weights.push_back(product.getB());
    if (biased)
      biases.push_back(getBias(product).getY());
  }
  for (Value value : llvm::concat<Value>(weights, biases))
    if (!value.getDefiningOp()->isBeforeInBlock(first))
      value.getDefiningOp()->moveBefore(first);
  SmallVector<Value> results, ends;
  for (MatmulOp product : products) {
    results.push_back(product.getC());
    ends.push_back(getProductEnd(product, biased));
  }
  Value weight =
      ConcatOp::create(builder, joinLocs(weights, paths), weights, first.getTransposeB() ? 0 : 1);
  Value sum = MatmulOp::create(builder, joinLocs(results, paths), first.getA(), weight,
                               first.getTransposeB());
  if (biased)
    sum = AddOp::create(builder, joinLocs(ends, paths), sum,
                        ConcatOp::create(builder, joinLocs(biases, paths), biases, 0));
  int64_t rank = cast<RankedTensorType>(sum.getType()).getRank(), offset = 0;
  for (MatmulOp product : products) {
    int64_t size = cast<RankedTensorType>(product.getType()).getShape().back();
    Value end = getProductEnd(product, biased);
    Value slice = SliceOp::create(builder, end.getLoc(), sum, rank - 1, offset, size);
    end.replaceAllUsesWith(slice);
    offset += size;
    if (biased)
      end.getDefiningOp()->erase();
  }
  for (MatmulOp product : products)
    product.erase();
}

struct MergeProducts : impl::MergeProductsPassBase<MergeProducts> {
  void runOnOperation() override {
    PathTable paths(getOperation());
    llvm::MapVector<Value, SmallVector<MatmulOp>> byLeft;
    getOperation().walk([&](MatmulOp product) {
      if (hasPackedWeight(product) && getParameter(product.getB()))
        byLeft[product.getA()].push_back(product);
    });
    for (auto &[left, products] : byLeft) {
      SmallVector<MatmulOp> group;
      for (MatmulOp product : products)
        if (group.empty() || canMerge(group.front(), product))
          group.push_back(product);
      if (group.size() < 2)
        continue;
      llvm::SmallPtrSet<Operation *, 4> ends;
      bool meet = llvm::any_of(group, [&](MatmulOp product) {
        Operation *end = followElementwise(product.getC());
        return end && isa<ElementwiseOpInterface>(end) && !ends.insert(end).second;
      });
      unsigned biased =
          llvm::count_if(group, [](MatmulOp product) { return getBias(product) != nullptr; });
      if (!meet && (biased == 0 || biased == group.size()))
        merge(group, biased > 0, paths);
    }
  }
};

} // namespace
} // namespace ashlar
