// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/lib/RandomGraph.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <random>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::test {
namespace {

/// Grows a function over values [batch, seq, width] of different widths.
class RandomGraph {
public:
  RandomGraph(MLIRContext &context, uint32_t seed, bool allOps)
      : module(ModuleOp::create(UnknownLoc::get(&context))), b(UnknownLoc::get(&context), &context),
        random(seed), allOps(allOps) {
    b.setInsertionPointToEnd(module->getBody());
    DimOp::create(b, "batch", 1, 3, nullptr, nullptr);
    DimOp::create(b, "seq", 1, 9, nullptr, nullptr);
    leading = {Dim::named(b.getStringAttr("batch")), Dim::named(b.getStringAttr("seq"))};
    RankedTensorType type = tensor(kRandomGraphWidth);
    auto function = func::FuncOp::create(b, "f", b.getFunctionType({type}, {}));
    function.setArgAttr(0, kNameAttr, b.getStringAttr("x"));
    Block *block = function.addEntryBlock();
    b.setInsertionPointToEnd(block);
    values.push_back(block->getArgument(0));
    for (int i = 0; i < 14; ++i)
      grow();
    finish(function);
  }

  OwningOpRef<ModuleOp> module;

private:
  int64_t pick(int64_t count) {
    return static_cast<int64_t>(random() % static_cast<uint32_t>(count));
  }
  Value pickValue() { return values[pick(static_cast<int64_t>(values.size()))]; }
  int64_t widthOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape().back(); }
  RankedTensorType tensor(int64_t width) {
    Dims dims = leading;
    dims.push_back(Dim::number(width));
    return getTensor(dims, b.getF32Type());
  }

  Value parameter(ArrayRef<int64_t> shape) {
    auto type = RankedTensorType::get(shape, b.getF32Type());
    std::string name = "p" + std::to_string(parameters++);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module->getBody());
    StateOp::create(b, StateRole::Parameter, StateScope::Model, name, type, nullptr, nullptr,
                    nullptr, InitKindAttr::get(b.getContext(), InitKind::Normal),
                    b.getF32FloatAttr(0.3f));
    b.setInsertionPointToStart(&module->lookupSymbol<func::FuncOp>("f").getBody().front());
    return ReadOp::create(b, type, name);
  }

  Value attend(Value x) {
    int64_t width = widthOf(x), heads = width % 4 == 0 ? 4 : 1;
    Dims dims = leading;
    dims.append({Dim::number(heads), Dim::number(width / heads)});
    Value q = ReshapeOp::create(b, getTensor(dims, b.getF32Type()), x);
    Value k = ReshapeOp::create(b, q.getType(), NegOp::create(b, x));
    auto attention = AttentionOp::create(b, q, k, q, Value(), Value(), Value(), llvm::APFloat(0.7),
                                         pick(2) == 0, nullptr, nullptr, nullptr);
    return ReshapeOp::create(b, x.getType(), attention.getOutput());
  }

  Value norm(Value x) {
    Value scale = parameter({widthOf(x)});
    if (pick(2))
      return RmsNormOp::create(b, x, scale, llvm::APFloat(1e-3));
    return LayerNormOp::create(b, x, scale, parameter({widthOf(x)}), llvm::APFloat(1e-3));
  }

  Value combine(Value x) {
    Value y = pickValue();
    if (widthOf(y) != widthOf(x))
      return ConcatOp::create(b, ValueRange{x, y}, 2);
    if (pick(2))
      return AddOp::create(b, x, y);
    return MulOp::create(b, TanhOp::create(b, x), y);
  }

  /// Subtracts a reduction along some dimension.
  Value average(Value x) {
    ReduceKind kinds[] = {ReduceKind::Mean, ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min};
    Value reduced = ReduceOp::create(b, kinds[pick(4)], x, pick(3), /*keep_dims=*/true);
    return SubOp::create(b, x, TanhOp::create(b, reduced));
  }

  /// Adds the row number, and looks up a row of a table by it.
  Value position(Value x) {
    Value rows = IotaOp::create(b, getTensor(leading, b.getI64Type()), 1);
    Value looked = EmbeddingOp::create(b, parameter({7, widthOf(x)}), rows, nullptr);
    return AddOp::create(b, x, looked);
  }

  /// x x^T x per sequence, through a transposition.
  Value multiply(Value x) {
    Value scores = MatmulOp::create(b, x, x, /*transpose_b=*/true);
    Value weights = SoftmaxOp::create(b, scores);
    return MatmulOp::create(b, weights, x, /*transpose_b=*/false);
  }

  /// Adds the first row of each sequence to all of them.
  Value last(Value x) {
    Value zero = IotaOp::create(b, getTensor({leading[0]}, b.getI64Type()), 0);
    Value row = GatherOp::create(b, x, SubOp::create(b, zero, zero));
    Dims dims = {leading[0], Dim::number(1), Dim::number(widthOf(x))};
    return AddOp::create(b, x, ReshapeOp::create(b, getTensor(dims, b.getF32Type()), row));
  }

  void grow() {
    Value x = pickValue(), y;
    switch (pick(allOps ? 14 : 9)) {
    case 0:
      y = SiluOp::create(b, x);
      break;
    case 1:
      y = MatmulOp::create(b, x, parameter({8 * (1 + pick(5)), widthOf(x)}), /*transpose_b=*/true);
      break;
    case 2:
      y = MatmulOp::create(b, x, parameter({widthOf(x), 13}), /*transpose_b=*/false);
      break;
    case 3:
      y = norm(x);
      break;
    case 4:
      y = SoftmaxOp::create(b, x);
      break;
    case 5:
      y = attend(x);
      break;
    case 6:
      y = widthOf(x) > 4 ? Value(SliceOp::create(b, x, 2, 2, widthOf(x) - 3))
                         : Value(NegOp::create(b, x));
      break;
    case 7:
      y = AddOp::create(b, x, parameter({widthOf(x)}));
      break;
    case 9:
      y = average(x);
      break;
    case 10:
      y = position(x);
      break;
    case 11:
      y = multiply(x);
      break;
    case 12:
      y = CumsumOp::create(b, TanhOp::create(b, x), pick(3));
      break;
    case 13:
      y = last(x);
      break;
    default:
      y = combine(x);
      break;
    }
    if (widthOf(y) <= 160)
      values.push_back(y);
  }

  void finish(func::FuncOp function) {
    SmallVector<Value> results = {values.back(), pickValue(), tanhOf(pickValue())};
    func::ReturnOp::create(b, results);
    SmallVector<Type> types =
        llvm::map_to_vector(results, [](Value value) { return value.getType(); });
    function.setFunctionType(b.getFunctionType(function.getArgumentTypes(), types));
    for (unsigned i = 0; i < results.size(); ++i)
      function.setResultAttr(i, kNameAttr, b.getStringAttr("r" + std::to_string(i)));
    function->setAttr(kEntryAttr, b.getUnitAttr());
  }
  Value tanhOf(Value x) { return TanhOp::create(b, x); }

  ImplicitLocOpBuilder b;
  std::mt19937 random;
  bool allOps;
  Dims leading;
  SmallVector<Value> values;
  int parameters = 0;
};

} // namespace

OwningOpRef<ModuleOp> makeRandomGraph(MLIRContext &context, uint32_t seed, bool allOps) {
  return std::move(RandomGraph(context, seed, allOps).module);
}

} // namespace ashlar::test
