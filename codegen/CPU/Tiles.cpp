// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/Tiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace ashlar::cpu {

namespace {

/// The arguments of a tile function, by name.
struct TileArguments {
  Value a, lda, b, ldb, c, ldc, depth;
};

/// Emits the straight-line kernel for a fixed number of rows.
class TileEmitter {
public:
  TileEmitter(Emitter &e, WeightType type, int64_t rows, TileArguments args)
      : e(e), type(type), rows(rows), args(args), registers(e.model.tileColumns / e.model.lanes) {}

  void emit() {
    SmallVector<Value> sums;
    forEachAccumulator([&](Value position) {
      sums.push_back(e.load(e.f32, args.c, position, {e.model.lanes, nullptr}));
    });
    for (int64_t row = 0; row < rows; ++row)
      rowPointers.push_back(e.offset(args.a, e.f32, e.mul(args.lda, row)));
    if (type == WeightType::F32)
      sums = e.loop(e.constant(0), args.depth, 1, sums,
                    [&](Value k, ValueRange carried) { return step(k, loadRow(k), carried); });
    else
      sums = emitPairs(sums);
    size_t next = 0;
    forEachAccumulator([&](Value position) {
      e.store(e.f32, sums[next++], args.c, position, {e.model.lanes, nullptr});
    });
  }

private:
  void forEachAccumulator(llvm::function_ref<void(Value)> body) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = 0; i < registers; ++i)
        body(e.add(e.mul(args.ldc, row), i * e.model.lanes));
  }

  /// One step of depth: every accumulator takes A[row, k] times its register of B's row k.
  SmallVector<Value> step(Value k, ArrayRef<Value> bRow, ValueRange carried) {
    SmallVector<Value> sums(carried);
    for (int64_t row = 0; row < rows; ++row) {
      Value a = e.splat(e.load(e.f32, rowPointers[row], k), e.model.lanes);
      for (int64_t i = 0; i < registers; ++i)
        sums[row * registers + i] = e.fma(a, bRow[i], sums[row * registers + i]);
    }
    return sums;
  }

  SmallVector<Value> loadRow(Value k) {
    SmallVector<Value> bRow;
    for (int64_t i = 0; i < registers; ++i)
      bRow.push_back(e.load(e.f32, args.b, e.add(e.mul(k, args.ldb), i * e.model.lanes),
                            {e.model.lanes, nullptr}));
    return bRow;
  }

  /// Two steps of depth from panels of bf16 pairs: a 32-bit lane holds rows k (low half) and k + 1
  /// of one column.
  SmallVector<Value> emitPairs(ArrayRef<Value> initial) {
    Value pairs = e.div(args.depth, e.constant(2));
    SmallVector<Value> sums =
        e.loop(e.constant(0), pairs, 1, initial, [&](Value pair, ValueRange carried) {
          Value k = e.mul(pair, 2);
          SmallVector<Value> even, odd;
          loadPairs(pair, even, odd);
          SmallVector<Value> half = step(k, even, carried);
          return step(e.add(k, 1), odd, half);
        });
    // An odd depth ends with half a pair.
    SmallVector<Type> types(sums.size(), sums.front().getType());
    Value isOdd = e.equal(e.rem(args.depth, e.constant(2)), e.constant(1));
    auto branch = scf::IfOp::create(e.b, types, isOdd, true, true);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> even, odd;
    loadPairs(pairs, even, odd);
    scf::YieldOp::create(e.b, step(e.mul(pairs, 2), even, sums));
    e.b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(e.b, sums);
    return SmallVector<Value>(branch.getResults());
  }

  void loadPairs(Value pair, SmallVectorImpl<Value> &even, SmallVectorImpl<Value> &odd) {
    auto words = VectorType::get({e.model.lanes}, e.i32);
    auto splat = [&](uint32_t value) -> Value {
      return arith::ConstantOp::create(e.b, SplatElementsAttr::get(words, APInt(32, value)));
    };
    Type floats = VectorType::get({e.model.lanes}, e.f32);
    for (int64_t i = 0; i < registers; ++i) {
      int64_t column = i * e.model.lanes;
      // Panels are 16 columns wide; in 32-bit words a pair is one element.
      Value panel = e.mul(args.ldb, column / 16);
      Value position = e.add(panel, e.add(e.mul(pair, 32), (column % 16) * 2));
      Value address = e.offset(args.b, e.b.getBF16Type(), position);
      Value raw = e.load(e.i32, address, e.constant(0), {e.model.lanes, nullptr});
      even.push_back(
          arith::BitcastOp::create(e.b, floats, arith::ShLIOp::create(e.b, raw, splat(16))));
      odd.push_back(arith::BitcastOp::create(e.b, floats,
                                             arith::AndIOp::create(e.b, raw, splat(0xffff0000u))));
    }
  }

  Emitter &e;
  WeightType type;
  int64_t rows;
  TileArguments args;
  int64_t registers;
  SmallVector<Value> rowPointers;
};

} // namespace

static LLVM::LLVMFuncOp createFunction(Emitter &e, ModuleOp module, const Twine &name,
                                       ArrayRef<Type> inputs) {
  OpBuilder::InsertionGuard guard(e.b);
  e.b.setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(e.b.getContext()), inputs);
  auto function = LLVM::LLVMFuncOp::create(e.b, name.str(), type, LLVM::Linkage::Internal);
  function.setPassthroughAttr(e.b.getStrArrayAttr({"noinline", "nounwind"}));
  for (auto [index, input] : llvm::enumerate(inputs))
    if (isa<LLVM::LLVMPointerType>(input))
      function.setArgAttr(index, LLVM::LLVMDialect::getNoAliasAttrName(), e.b.getUnitAttr());
  return function;
}

/// The kernel for exactly `rows` rows.
static LLVM::LLVMFuncOp getRowKernel(Emitter &e, ModuleOp module, WeightType type, int64_t rows) {
  std::string name = (type == WeightType::F32 ? "tile_f32_" : "tile_bf16_") + std::to_string(rows);
  if (auto existing = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
    return existing;
  auto function = createFunction(e, module, name,
                                 {e.pointer, e.i64, e.pointer, e.i64, e.pointer, e.i64, e.i64});
  OpBuilder::InsertionGuard guard(e.b);
  Block *entry = function.addEntryBlock(e.b);
  e.b.setInsertionPointToStart(entry);
  auto args = entry->getArguments();
  TileEmitter(e, type, rows, {args[0], args[1], args[2], args[3], args[4], args[5], args[6]})
      .emit();
  LLVM::ReturnOp::create(e.b, ValueRange{});
  return function;
}

/// The function for any number of rows and kPanel columns: balanced groups of rows, one register
/// tile of columns after the other.
static LLVM::LLVMFuncOp getTileFunction(Emitter &e, ModuleOp module, WeightType type) {
  StringRef name = type == WeightType::F32 ? "tile_f32" : "tile_bf16";
  if (auto existing = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
    return existing;
  auto function = createFunction(
      e, module, name, {e.pointer, e.i64, e.pointer, e.i64, e.pointer, e.i64, e.i64, e.i64});
  OpBuilder::InsertionGuard guard(e.b);
  Block *entry = function.addEntryBlock(e.b);
  e.b.setInsertionPointToStart(entry);
  Value a = entry->getArgument(0), lda = entry->getArgument(1), b = entry->getArgument(2),
        ldb = entry->getArgument(3);
  Value c = entry->getArgument(4), ldc = entry->getArgument(5), depth = entry->getArgument(6),
        rows = entry->getArgument(7);
  Value groups = e.ceilDiv(rows, e.model.tileRows);
  Value least = e.div(rows, e.max(groups, e.constant(1))),
        larger = e.sub(rows, e.mul(least, groups));
  e.loop(e.constant(0), groups, 1, [&](Value group) {
    Value first = e.add(e.mul(group, least), e.min(group, larger));
    Value count = e.add(least, e.select(e.less(group, larger), e.constant(1), e.constant(0)));
    Value aRows = e.offset(a, e.f32, e.mul(first, lda)),
          cRows = e.offset(c, e.f32, e.mul(first, ldc));
    for (int64_t size = e.model.tileRows; size >= 1; --size) {
      auto kernel = getRowKernel(e, module, type, size);
      e.when(e.equal(count, e.constant(size)), [&] {
        for (int64_t column = 0; column < kPanel; column += e.model.tileColumns) {
          Value bColumn = type == WeightType::F32
                              ? e.offset(b, e.f32, e.constant(column))
                              : e.offset(b, e.b.getBF16Type(), e.mul(ldb, column / 16));
          Value cColumn = e.offset(cRows, e.f32, e.constant(column));
          LLVM::CallOp::create(e.b, kernel,
                               ValueRange{aRows, lda, bColumn, ldb, cColumn, ldc, depth});
        }
      });
    }
  });
  LLVM::ReturnOp::create(e.b, ValueRange{});
  return function;
}

void emitTiles(Emitter &e, ModuleOp module, WeightType type, Value a, Value lda, Value b, Value ldb,
               Value c, Value ldc, Value depth, Value rows) {
  auto function = getTileFunction(e, module, type);
  LLVM::CallOp::create(e.b, function, ValueRange{a, lda, b, ldb, c, ldc, depth, rows});
}

} // namespace ashlar::cpu
