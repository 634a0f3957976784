// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/Tiles.h"

#include "codegen/CPU/Bf16Unit.h"
#include "codegen/CPU/Functions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace ashlar::cpu {

namespace {

/// How far ahead a kernel asks for what it will read itself, in bytes of all runs together.
constexpr int64_t kStreamAhead = 8192;
/// A call asks for at least one line in 2^kMostSpread steps.
constexpr int64_t kMostSpread = 3;
/// A step of depth of this many columns fills a cache line of f32, or shares one of bf16 with the
/// next.
constexpr int64_t kLineColumns = 16;
/// The pair of rows of a bf16 run.
constexpr int64_t kPairElements = 32;

Type getLeftType(Emitter &e, WeightType type) {
  return type == WeightType::BF16Dot ? e.b.getBF16Type() : e.f32;
}

/// The type of B's elements where it lies row by row.
Type getRowType(Emitter &e, WeightType type) {
  return type == WeightType::BF16Rows  ? Type(e.b.getBF16Type())
         : type == WeightType::F16Rows ? Type(e.b.getF16Type())
                                       : e.f32;
}

StringRef getTypeName(WeightType type) {
  switch (type) {
  case WeightType::F32:
    return "f32";
  case WeightType::BF16Rows:
    return "bf16_rows";
  case WeightType::F16Rows:
    return "f16_rows";
  case WeightType::BF16:
    return "bf16";
  case WeightType::BF16Dot:
    return "bf16_dot";
  }
  llvm_unreachable("all kinds are above");
}

/// What a kernel asks for ahead of time: nothing, what it will read itself, or the part of B that
/// comes next; or nothing of a run that it reads from end to end.
enum class Ahead { Nothing, Own, Next, Run };

/// A kernel or a function over them: for B's kind and columns.
struct TileShape {
  WeightType type;
  int64_t columns;
  Ahead ahead;

  int64_t elementBytes() const { return type == WeightType::F32 ? 4 : 2; }
  /// Bytes of a step of depth in kLineColumns columns.
  int64_t stepBytes() const { return kLineColumns * elementBytes(); }
  std::string getName() const {
    return ("tile_" + getTypeName(type) + "_" + Twine(columns) +
            (ahead == Ahead::Nothing ? ""
             : ahead == Ahead::Own   ? "_stream"
             : ahead == Ahead::Next  ? "_next"
                                     : "_run"))
        .str();
  }
};

/// The arguments of a kernel, by name. `next` is null unless the kernel asks for it: at step k for
/// what lies k >> spread steps behind it.
struct TileArguments {
  Value a, lda, b, ldb, runStride, c, ldc, depth, accumulate, next, spread;
};

/// Emits the straight-line kernel for a fixed number of rows.
class TileEmitter {
public:
  TileEmitter(Emitter &e, const TileShape &shape, int64_t rows, const TileArguments &args)
      : e(e), shape(shape), rows(rows), args(args), registers(shape.columns / e.model.lanes) {}

  void emit() {
    SmallVector<Value> sums = emitStart();
    for (int64_t row = 0; row < rows; ++row)
      rowPointers.push_back(e.offset(args.a, getLeftType(e, shape.type), e.mul(args.lda, row)));
    if (shape.type == WeightType::BF16Dot)
      sums = emitDots(sums);
    else if (!hasPairs(shape.type))
      sums = e.loop(e.constant(0), args.depth, 1, sums, [&](Value k, ValueRange carried) {
        prefetch(k);
        return step(k, loadRow(k), carried);
      });
    else
      sums = emitPairs(sums);
    size_t next = 0;
    forEachSum([&](Value position) {
      e.store(e.f32, sums[next++], args.c, position, {e.model.lanes, nullptr});
    });
  }

private:
  /// The sums that C has, or zeros.
  SmallVector<Value> emitStart() {
    SmallVector<Type> types(rows * registers, e.vector(e.f32, e.model.lanes));
    auto branch = scf::IfOp::create(e.b, types, args.accumulate, true, true);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> sums;
    forEachSum([&](Value position) {
      sums.push_back(e.load(e.f32, args.c, position, {e.model.lanes, nullptr}));
    });
    scf::YieldOp::create(e.b, sums);
    e.b.setInsertionPointToStart(branch.elseBlock());
    sums.assign(sums.size(), e.f32Constant(0.0, e.model.lanes));
    scf::YieldOp::create(e.b, sums);
    return SmallVector<Value>(branch.getResults());
  }

  void forEachSum(llvm::function_ref<void(Value)> body) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = 0; i < registers; ++i)
        body(e.add(e.mul(args.ldc, row), i * e.model.lanes));
  }

  /// One step of depth: every sum takes A[row, k] times its register of B's row k.
  SmallVector<Value> step(Value k, ArrayRef<Value> bRow, ValueRange carried) {
    SmallVector<Value> sums(carried);
    for (int64_t row = 0; row < rows; ++row) {
      Value a = e.splat(e.load(e.f32, rowPointers[row], k), e.model.lanes);
      for (int64_t i = 0; i < registers; ++i)
        sums[row * registers + i] = e.fma(a, bRow[i], sums[row * registers + i]);
    }
    return sums;
  }

  /// Where the run of a column begins, in elements.
  Value getRun(int64_t column) { return e.mul(args.runStride, column / getRunColumns(shape.type)); }

  SmallVector<Value> loadRow(Value k) {
    SmallVector<Value> bRow;
    for (int64_t column = 0; column < shape.columns; column += e.model.lanes) {
      Value row = e.add(getRun(column), e.mul(k, args.ldb));
      bRow.push_back(e.load(getRowType(e, shape.type), args.b, e.add(row, column % kPanel),
                            {e.model.lanes, nullptr}));
    }
    return bRow;
  }

  /// Two steps of depth at once: a 32-bit lane holds rows k (low half) and k + 1 of one column. An
  /// odd depth ends with half a pair.
  SmallVector<Value> emitPairs(ArrayRef<Value> initial) {
    Value evenEnd = e.mul(e.div(args.depth, e.constant(2)), 2);
    SmallVector<Value> even, odd;
    SmallVector<Value> sums =
        e.loop(e.constant(0), evenEnd, 2, initial, [&](Value k, ValueRange carried) {
          prefetch(k);
          loadPairs(k, even, odd);
          SmallVector<Value> half = step(k, even, carried);
          return step(e.add(k, 1), odd, half);
        });
    return e.loop(evenEnd, args.depth, 1, sums, [&](Value k, ValueRange carried) {
      loadPairs(k, even, odd);
      return step(k, even, carried);
    });
  }

  /// Two steps of depth at once, on pairs of both operands; the depth is even.
  SmallVector<Value> emitDots(ArrayRef<Value> initial) {
    Bf16Unit unit(e);
    return e.loop(e.constant(0), args.depth, 2, initial, [&](Value k, ValueRange carried) {
      prefetch(k);
      SmallVector<Value> pairs, sums(carried);
      for (int64_t column = 0; column < shape.columns; column += e.model.lanes)
        pairs.push_back(loadPair(k, column));
      for (int64_t row = 0; row < rows; ++row) {
        Value address = e.offset(rowPointers[row], e.b.getBF16Type(), k);
        Value a = e.splat(e.load(e.i32, address, e.constant(0)), e.model.lanes);
        for (int64_t i = 0; i < registers; ++i)
          sums[row * registers + i] = unit.dot(sums[row * registers + i], a, pairs[i]);
      }
      return sums;
    });
  }

  /// Rows k and k + 1, for an even k, of a register of columns from `column` on.
  Value loadPair(Value k, int64_t column) {
    Value pair = e.add(getRun(column), e.mul(k, kPairElements / 2));
    Value address = e.offset(args.b, e.b.getBF16Type(), e.add(pair, column % 16 * 2));
    return e.load(e.i32, address, e.constant(0), {e.model.lanes, nullptr});
  }

  /// Rows k and k + 1, for an even k, as f32.
  void loadPairs(Value k, SmallVectorImpl<Value> &even, SmallVectorImpl<Value> &odd) {
    auto words = VectorType::get({e.model.lanes}, e.i32);
    auto splat = [&](uint32_t value) -> Value {
      return arith::ConstantOp::create(e.b, SplatElementsAttr::get(words, APInt(32, value)));
    };
    Type floats = VectorType::get({e.model.lanes}, e.f32);
    even.clear();
    odd.clear();
    for (int64_t column = 0; column < shape.columns; column += e.model.lanes) {
      Value raw = loadPair(k, column);
      even.push_back(
          arith::BitcastOp::create(e.b, floats, arith::ShLIOp::create(e.b, raw, splat(16))));
      odd.push_back(arith::BitcastOp::create(e.b, floats,
                                             arith::AndIOp::create(e.b, raw, splat(0xffff0000u))));
    }
  }

  /// Asks for lines, at step k.
  void prefetch(Value k) {
    if (shape.ahead == Ahead::Next)
      e.prefetch(args.next, e.mul(e.shiftRight(k, args.spread), shape.stepBytes()), 2);
    if (shape.ahead != Ahead::Own)
      return;
    bool isByRows = !hasPairs(shape.type);
    int64_t ahead = kStreamAhead * getRunColumns(shape.type) / shape.columns;
    Value row = e.mul(k, isByRows ? args.ldb : e.constant(kPairElements / 2));
    for (int64_t column = 0; column < shape.columns; column += kLineColumns) {
      Value position = e.add(e.add(getRun(column), row), isByRows ? column % kPanel : 0);
      e.prefetch(args.b, e.add(e.mul(position, shape.elementBytes()), ahead), 3);
    }
  }

  Emitter &e;
  TileShape shape;
  int64_t rows;
  TileArguments args;
  int64_t registers;
  SmallVector<Value> rowPointers;
};

/// Emits the function for a group of rows: one register tile of columns after the other.
class GroupFunction {
public:
  /// Where the group is among the groups of a call.
  struct Group {
    Value count, index, groups; // rows of this group; index in [0, groups)
  };

  GroupFunction(Emitter &e, ModuleOp module, const TileShape &shape, const TileArguments &args,
                const Group &group)
      : e(e), module(module), shape(shape), args(args), group(group),
        tileColumns(getTileColumns(e.model, shape)), mostRows(getMostRows(e.model, shape)) {}

  static int64_t getTileColumns(const CpuModel &model, const TileShape &shape) {
    return shape.ahead == Ahead::Run ? kPanel
                                     : std::min(shape.columns, model.tileRegisters * model.lanes);
  }
  static int64_t getMostRows(const CpuModel &model, const TileShape &shape) {
    return model.accumulators / (getTileColumns(model, shape) / model.lanes);
  }

  void emit() {
    // Few groups ask for less than all that comes next: the first asks for what it reads, too.
    Value isOwn;
    if (shape.ahead == Ahead::Next)
      isOwn =
          arith::AndIOp::create(e.b, e.less(group.groups, e.constant(shape.columns / kLineColumns)),
                                e.equal(group.index, e.constant(0)));
    for (int64_t size = mostRows; size >= 1; --size)
      e.when(e.equal(group.count, e.constant(size)), [&] {
        if (shape.ahead == Ahead::Run)
          return emitKernels(size, Ahead::Run,
                             2 * size <= mostRows ? getRunColumns(shape.type) : kPanel);
        if (shape.ahead == Ahead::Nothing)
          return emitKernels(size, Ahead::Nothing, tileColumns);
        e.when(isOwn, [&] { emitKernels(size, Ahead::Own, getOwnColumns(size)); });
        // Groups are balanced: where there are several, each is at least half full.
        if (2 * size >= mostRows)
          e.when(e.isNot(isOwn), [&] { emitKernels(size, Ahead::Next, tileColumns); });
      });
  }

private:
  /// The columns of a tile of `size` rows of A whose part of B comes straight from memory: as many
  /// as there are registers for, because memory delivers more when more streams are read at a time.
  int64_t getOwnColumns(int64_t size) const {
    int64_t width = shape.columns;
    while (width > tileColumns && size * width / e.model.lanes > e.model.accumulators)
      width /= 2;
    return width;
  }

  void emitKernels(int64_t size, Ahead ahead, int64_t width) {
    TileShape tile{shape.type, width, ahead};
    std::string name = tile.getName() + "_" + std::to_string(size);
    for (int64_t column = 0; column < shape.columns; column += width) {
      SmallVector<Value> inputs = {
          args.a,   args.lda,       getColumn(column),
          args.ldb, args.runStride, e.offset(args.c, e.f32, e.constant(column)),
          args.ldc, args.depth,     args.accumulate};
      if (ahead == Ahead::Next)
        inputs.append({getNext(column / width), args.spread});
      callFunction(e, module, name, inputs, [&](ValueRange in) {
        Value next = ahead == Ahead::Next ? in[9] : Value(),
              spread = ahead == Ahead::Next ? in[10] : Value();
        TileEmitter(e, tile, size,
                    {in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], in[8], next, spread})
            .emit();
      });
    }
  }

  Value getColumn(int64_t column) {
    int64_t run = column / getRunColumns(shape.type), rest = column % getRunColumns(shape.type);
    Value position = e.add(e.mul(args.runStride, run), hasPairs(shape.type) ? 0 : rest);
    return e.offset(args.b, e.i8, e.mul(position, shape.elementBytes()));
  }

  /// Where one call asks for lines: the calls go through the next part in pieces of kLineColumns
  /// columns, 2^spread calls each; those that are left ask for the end of the last piece again,
  /// which costs little.
  Value getNext(int64_t tile) {
    Value call = e.add(e.mul(group.index, shape.columns / tileColumns), tile);
    Value calls = e.shiftLeft(e.constant(shape.columns / kLineColumns), args.spread);
    call = e.min(call, e.sub(calls, e.constant(1)));
    Value number = e.shiftRight(call, args.spread);
    Value step =
        e.mul(e.sub(call, e.shiftLeft(number, args.spread)), e.shiftRight(args.depth, args.spread));
    int64_t pieces = getRunColumns(shape.type) / kLineColumns; // of a run
    Value run = e.div(number, e.constant(pieces)), piece = e.rem(number, e.constant(pieces));
    Value bytes = e.add(e.mul(e.mul(run, args.runStride), shape.elementBytes()),
                        e.mul(e.add(e.mul(piece, args.depth), step), shape.stepBytes()));
    return e.offset(args.next, e.i8, bytes);
  }

  Emitter &e;
  ModuleOp module;
  TileShape shape;
  TileArguments args;
  Group group;
  int64_t tileColumns, mostRows;
};

} // namespace

int64_t getMostStreamedRows(const CpuModel &model, WeightType type) {
  return GroupFunction::getMostRows(model, {type, kPanel, Ahead::Run});
}

void emitTiles(Emitter &e, ModuleOp module, const TileProduct &p,
               llvm::function_ref<void(Value, Value)> finish) {
  TileShape shape{p.type, p.columns,
                  p.isStreamed ? Ahead::Run
                  : p.next     ? Ahead::Next
                               : Ahead::Nothing};
  Value groups = e.ceilDiv(p.rows, GroupFunction::getMostRows(e.model, shape));
  Value least = e.div(p.rows, e.max(groups, e.constant(1))),
        larger = e.sub(p.rows, e.mul(least, groups));
  // The more calls there are, the fewer lines each asks for: memory is kept busy all along, and
  // what a kernel loads for itself does not queue behind a burst.
  Value spread = e.constant(0);
  Value calls = e.mul(groups, p.columns / GroupFunction::getTileColumns(e.model, shape));
  for (int64_t shift = 1; shift <= kMostSpread; ++shift) {
    Value enough = e.constant((p.columns / kLineColumns << shift) - 1);
    spread = e.add(spread, e.select(e.less(enough, calls), e.constant(1), e.constant(0)));
  }
  e.loop(e.constant(0), groups, 1, [&](Value index) {
    Value first = e.add(e.mul(index, least), e.min(index, larger));
    Value count = e.add(least, e.select(e.less(index, larger), e.constant(1), e.constant(0)));
    Value a = e.offset(p.a, getLeftType(e, p.type), e.mul(first, p.lda)),
          c = e.offset(p.c, e.f32, e.mul(first, p.ldc));
    SmallVector<Value> inputs = {a,     p.lda,   p.b,          p.ldb, p.runStride, c,
                                 p.ldc, p.depth, p.accumulate, count, index,       groups};
    if (p.next)
      inputs.append({p.next, spread});
    callFunction(e, module, shape.getName(), inputs, [&](ValueRange in) {
      Value next = p.next ? in[12] : Value(), spread = p.next ? in[13] : Value();
      GroupFunction(e, module, shape,
                    {in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], in[8], next, spread},
                    {in[9], in[10], in[11]})
          .emit();
    });
    if (finish)
      finish(first, count);
  });
}

} // namespace ashlar::cpu
