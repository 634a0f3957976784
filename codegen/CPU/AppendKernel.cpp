// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// New keys and values into their caches, in the layout in which attention reads them: keys
// [batch][head] [position / 32][width][32], values [batch][head][position][width padded to 32]. A
// work item is one head of a token where all caches have equally many: a token's keys lie in as
// many cache lines as they have elements, and one core alone waits for each of them. What makes the
// new rows (a slice of a merged product, a rotation) is evaluated on the way.

#include "codegen/CPU/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cpu {

namespace {

class AppendKernel : public KernelShape {
public:
  static FailureOr<std::unique_ptr<KernelShape>> create(func::FuncOp kernel);

  KernelDescription describe(llvm::ArrayRef<CpuModel>) const override {
    KernelDescription description;
    description.grid.push_back(asExtent(getElementCount(ArrayRef(tokens)).terms.front()));
    description.grid.push_back(Extent{itemsPerToken, {}, 1});
    return description;
  }
  void emit(KernelContext &context) const override;

private:
  /// Where a work item's rows go; `item` counts within the token.
  struct Place {
    Value sequence, token, item;
  };

  void emitAppend(KernelContext &c, CacheAppendOp append, const Place &place) const;

  SmallVector<CacheAppendOp> appends;
  Dims tokens; // [batch, seq]
  int64_t itemsPerToken = 1;
};

FailureOr<std::unique_ptr<KernelShape>> AppendKernel::create(func::FuncOp kernel) {
  auto shape = std::make_unique<AppendKernel>();
  for (auto append : kernel.getOps<CacheAppendOp>()) {
    auto cache = dyn_cast<BlockArgument>(append.getCache());
    if (!cache || (getLayout(cache) != "key_panels" && getLayout(cache) != "value_rows"))
      return append.emitOpError() << "needs a cache argument with a layout";
    Dims dims = getDims(cast<RankedTensorType>(append.getValues().getType()));
    Dims tokens(dims.begin(), dims.begin() + 2);
    if (!shape->appends.empty() && tokens != shape->tokens)
      return append.emitOpError() << "appends " << toString(tokens)
                                  << " tokens, the append that it is fused with "
                                  << toString(shape->tokens);
    shape->tokens = tokens;
    shape->appends.push_back(append);
  }
  auto heads = [](CacheAppendOp append) {
    return cast<CacheType>(append.getCache().getType()).getHeads();
  };
  if (llvm::all_equal(llvm::map_range(shape->appends, heads)))
    shape->itemsPerToken = heads(shape->appends.front());
  return std::unique_ptr<KernelShape>(std::move(shape));
}

void AppendKernel::emit(KernelContext &c) const {
  c.e.loop(c.begin, c.end, 1, [&](Value item) {
    Value items = c.e.constant(itemsPerToken);
    SmallVector<Value> at = c.evaluator.delinearise(c.e.div(item, items), tokens);
    for (CacheAppendOp append : appends)
      emitAppend(c, append, {at[0], at[1], c.e.rem(item, items)});
  });
}

void AppendKernel::emitAppend(KernelContext &c, CacheAppendOp append, const Place &place) const {
  Emitter &e = c.e;
  Value sequence = place.sequence, token = place.token, part = place.item;
  auto type = cast<CacheType>(append.getCache().getType());
  auto argument = cast<BlockArgument>(append.getCache());
  bool keys = getLayout(argument) == "key_panels";
  Value pointer = c.evaluator.buffer(argument.getArgNumber());
  Value length = c.evaluator.evaluate(append.getLengths(), {sequence});
  if (length.getType() != e.i64)
    length = arith::ExtSIOp::create(e.b, e.i64, length);
  Value position = e.add(length, token);
  int64_t positions = llvm::alignTo(type.getPositions(), kPanel), width = type.getWidth();
  int64_t rowWidth = keys ? width : llvm::alignTo(width, kPanel);
  bool vectorised = !keys && c.evaluator.isVectorisable(append.getValues());
  // The caller keeps lengths within the cache; a row that would fall outside is not written.
  Value inside = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ult, position,
                                       e.constant(type.getPositions()));
  e.when(inside, [&] {
    int64_t heads = type.getHeads() / itemsPerToken; // of an item: one, or all
    Value first = e.mul(part, heads);
    e.loop(first, e.add(first, heads), 1, [&](Value head) {
      Value base = e.mul(e.add(e.mul(sequence, type.getHeads()), head), positions * rowWidth);
      e.columns(e.constant(width), vectorised, [&](Value column, Lanes lanes) {
        Value element =
            c.evaluator.evaluate(append.getValues(), {sequence, token, head, column}, lanes);
        Value at = keys ? e.add(e.add(e.mul(e.div(position, e.constant(kPanel)), width * kPanel),
                                      e.mul(column, kPanel)),
                                e.rem(position, e.constant(kPanel)))
                        : e.add(e.mul(position, rowWidth), column);
        e.store(type.getElementType(), element, pointer, e.add(base, at), lanes);
      });
    });
  });
}

} // namespace

FailureOr<std::unique_ptr<KernelShape>> createAppendKernel(func::FuncOp kernel) {
  return AppendKernel::create(kernel);
}

} // namespace ashlar::cpu
