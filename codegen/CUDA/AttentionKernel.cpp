// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention: the skeletons of kernels/attention_*.cuh with functions that read or compute queries,
// keys, values and the mask in place. Where the queries come from 16-bit memory the tensor cores
// multiply. The query heads that share a key head are rows of the same block: row r is query r /
// group of head r % group. Offsets and lengths are read from memory, so that a captured step serves
// every position. Parts of the keys are blocks of their own.

#include "codegen/CUDA/Arithmetic.h"
#include "codegen/CUDA/Kernels.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cuda {
namespace {

/// Rows of a key head and sequence up to which keys and values are read for few.
constexpr int64_t kFewRows = 16;

class AttentionWriter {
public:
  AttentionWriter(KernelFrame &frame)
      : frame(frame), writer(frame.writer), code(frame.body),
        op(*frame.kernel.getOps<AttentionOp>().begin()) {}

  LogicalResult write();

private:
  LogicalResult chooseShape();
  /// Whether the step's rows are few enough, and the caches' rows such, for attention_few_rows.
  bool chooseFewRowsShape(const Monomial &rows);
  LogicalResult chooseFmaShape(const Monomial &rows);
  void writeRange();
  /// "auto name = [&](int32 row, int32 column) { return element; };"
  void writeFunction(StringRef name, StringRef row, StringRef column,
                     llvm::function_ref<std::string(Code &)> body);
  /// Whether a key takes part for its own sake, and whether a query sees it where it stands.
  std::string writeTakesPart();
  std::string writeSees(Code &code);
  void writeAllSee();
  /// "const Matrix<bf16, true> name{...};" where the operand's rows of a sequence and key head lie
  /// in memory.
  bool writeMatrix(StringRef name, Value operand);
  LogicalResult writeResults();

  KernelFrame &frame;
  ElementWriter &writer;
  Code &code;
  AttentionOp op;
  int64_t heads = 0, keyHeads = 0, group = 1, width = 0, valueWidth = 0;
  std::string keyCount; // keys, or positions of the cache
  Dim batch, queries;
  Type narrow; // what the tensor cores multiply, where they do
  StringRef skeleton;
};

/// The type of 16-bit elements in memory that the value is made of: what the first operands of the
/// ops that make it lead to.
Type getNarrowSource(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<CastOp, ReshapeOp, SliceOp, TransposeOp, RopeOp>(op))
      return nullptr;
    value = op->getOperand(0);
  }
  Type type = elementOf(value);
  return type.isBF16() || type.isF16() ? type : Type();
}

LogicalResult AttentionWriter::chooseShape() {
  Dims q = dimsOf(op.getQueries()), out = dimsOf(op.getOutput());
  batch = q[0], queries = q[1];
  heads = q[2].size, width = q[3].size, valueWidth = out.back().size;
  if (auto cache = dyn_cast<CacheType>(op.getKeys().getType())) {
    keyHeads = cache.getHeads();
    keyCount = std::to_string(cache.getPositions());
  } else {
    Dims keys = dimsOf(op.getKeys());
    keyHeads = keys[2].size;
    keyCount = writer.getSize(keys[1]);
  }
  group = heads / keyHeads;
  Monomial rows = getElementCount({queries}).terms.front();
  rows.scale *= group;
  constexpr int64_t kMostWidth = 128; // what registers hold
  narrow = getNarrowSource(op.getQueries());
  // Keys and values of f32 that no product made are not to be rounded.
  for (Value operand : {op.getKeys(), op.getValues()})
    if (!isa<CacheType>(operand.getType()) && getNarrowSource(operand) != narrow)
      narrow = nullptr;
  int64_t rowBound = frame.getBound(rows);
  if (!narrow || rowBound <= kFewRows || width > kMostWidth || valueWidth > kMostWidth) {
    narrow = nullptr;
    return success(chooseFewRowsShape(rows) || succeeded(chooseFmaShape(rows)));
  }
  int64_t warps = rowBound <= 64 ? 4 : 8;
  auto number = [](int64_t value) { return std::to_string(value); };
  frame.declarations.line("using Shape = MmaAttentionShape<" + getMemoryType(narrow) + ", " +
                          number(warps) + ", 64, " + number(width) + ", " + number(valueWidth) +
                          ">;\n");
  skeleton = "attention_mma";
  frame.threadCount = static_cast<uint32_t>(warps * 32);
  frame.grid = {asExtent(rows, warps * 16)};
  return success();
}

bool AttentionWriter::chooseFewRowsShape(const Monomial &rows) {
  constexpr int64_t kMostRows = 8, kMostWidth = 256; // what registers hold
  auto isFit = [&](Value operand) {
    auto cache = dyn_cast<CacheType>(operand.getType());
    return cache && cache.getWidth() % 8 == 0 && cache.getWidth() <= kMostWidth;
  };
  int64_t rowBound = frame.getBound(rows);
  if (rowBound > kFewRows || !isFit(op.getKeys()) || !isFit(op.getValues()))
    return false;
  int64_t tile = std::min<int64_t>(llvm::PowerOf2Ceil(rowBound), kMostRows);
  auto describe = [](Value operand) {
    auto cache = cast<CacheType>(operand.getType());
    return (getMemoryType(cache.getElementType()) + ", " + Twine(cache.getWidth())).str();
  };
  frame.declarations.line("using Shape = FewRowsAttentionShape<" + std::to_string(tile) + ", " +
                          describe(op.getKeys()) + ", " + describe(op.getValues()) + ">;\n");
  skeleton = "attention_few_rows";
  frame.threadCount = 256;
  frame.grid = {asExtent(rows, tile)};
  return true;
}

LogicalResult AttentionWriter::chooseFmaShape(const Monomial &rows) {
  // The first that holds all rows of a step, or else the largest whose tiles fit shared memory.
  struct Choice {
    int64_t rows, lanes, keys;
  };
  constexpr int64_t kSharedFloats = 24 * 1024;
  std::optional<Choice> chosen;
  for (Choice choice : {Choice{32, 4, 32}, {16, 8, 32}, {16, 8, 16}, {8, 16, 16}}) {
    int64_t floats = choice.rows * (width + 8) + choice.keys * (width + valueWidth + 16) +
                     choice.rows * (choice.keys + 1);
    bool isEnough = choice.rows >= frame.getBound(rows);
    if (floats <= kSharedFloats && (!chosen || isEnough))
      chosen = choice;
  }
  if (!chosen)
    return op.emitOpError() << "has heads of " << width << " and " << valueWidth
                            << " elements, whose tiles do not fit shared memory";
  auto number = [](int64_t value) { return std::to_string(value); };
  frame.declarations.line("using Shape = FmaAttentionShape<" + number(chosen->rows) + ", " +
                          number(chosen->lanes) + ", " + number(chosen->keys) + ", " +
                          number(width) + ", " + number(valueWidth) + ">;\n");
  skeleton = "attention_fma";
  frame.threadCount = static_cast<uint32_t>(chosen->rows * chosen->lanes);
  frame.grid = {asExtent(rows, chosen->rows)};
  return success();
}

void AttentionWriter::writeRange() {
  writer.writeTo(code);
  std::string count = writer.getSize(queries);
  if (op.getParts())
    code.line("constexpr int32 kParts = " + std::to_string(*op.getParts()) +
              ", kPartKeys = " + std::to_string(*op.getPartKeys()) +
              ";\n"
              "const " +
              writer.index + " part = block_y() % kParts, key_head = block_y() / kParts;\nconst " +
              writer.index + " sequence = block_z();");
  else
    code.line("const " + writer.index + " key_head = block_y(), sequence = block_z();");
  code.line("constexpr int32 kGroup = " + std::to_string(group) + "; // heads of a key head");
  Place sequence{{"sequence"}, "sequence"};
  if (op.getQueryOffsets())
    code.line("const int64 offset = " + writer.evaluate(op.getQueryOffsets(), sequence) + ";");
  // One by one: constants in braces are copied from a table, which the emulator knows nothing of.
  code.line("AttentionRange range;\nrange.rows = static_cast<int32>(" + count +
            ") * kGroup;\nrange.first = 0;\nrange.end = static_cast<int32>(" + keyCount + ");");
  if (op.getKeyLengths())
    code.line("range.end = minimum(range.end, static_cast<int32>(" +
              writer.evaluate(op.getKeyLengths(), sequence) + "));");
  std::string offset = op.getQueryOffsets() ? "static_cast<int32>(offset) + " : "";
  if (op.getCausal())
    code.line("// Keys behind the block's last query, or before the window of its first, hide.\n"
              "const int32 behind = minimum(static_cast<int32>(block_x() + 1) * Shape::kRows, "
              "range.rows);\n"
              "range.end = minimum(range.end, " +
              offset + "(behind - 1) / kGroup + 1);");
  if (op.getWindow())
    code.line("const int32 oldest = " + offset +
              "static_cast<int32>(block_x()) * Shape::kRows / kGroup - " +
              std::to_string(*op.getWindow() - 1) +
              ";\n"
              "range.first = oldest > 0 ? oldest / Shape::kKeys * Shape::kKeys : 0;");
  if (op.getParts())
    code.line("range.first = maximum(range.first, static_cast<int32>(part) * kPartKeys);\n"
              "range.end = minimum(range.end, static_cast<int32>(part + 1) * kPartKeys);");
}

void AttentionWriter::writeFunction(StringRef name, StringRef row, StringRef column,
                                    llvm::function_ref<std::string(Code &)> body) {
  std::string second = column.empty() ? "" : ", int32 " + column.str();
  code.block(
      "auto " + name + " = [&](int32 " + row + second + ")",
      [&] {
        Code lambda(frame.names);
        writer.writeTo(lambda);
        std::string element = body(lambda);
        code.append(lambda);
        code.line("return " + element + ";");
      },
      "};");
}

std::string AttentionWriter::writeTakesPart() {
  if (!op.getKeyMask())
    return "true";
  return writer.evaluate(op.getKeyMask(), Place{{"sequence", "key"}, ""}) + " != 0";
}

std::string AttentionWriter::writeSees(Code &lambda) {
  if (!op.getCausal() && !op.getWindow())
    return "true";
  std::string position = lambda.constant(
      "int64", "position", op.getQueryOffsets() ? "offset + row / kGroup" : "row / kGroup");
  std::string visible = op.getCausal() ? "key <= " + position : "";
  if (op.getWindow())
    visible +=
        (visible.empty() ? "" : " && ") + position + " - key < " + std::to_string(*op.getWindow());
  return visible;
}

void AttentionWriter::writeAllSee() {
  std::string end = "range.end";
  if (op.getKeyMask() || op.getWindow())
    end = "0";
  else if (op.getCausal())
    end = std::string("minimum(range.end, ") +
          (op.getQueryOffsets() ? "static_cast<int32>(offset) + " : "") +
          "static_cast<int32>(block_x()) * Shape::kRows / kGroup + 1)";
  code.line("const int32 all_see = " + end + "; // keys before it are for every row");
}

bool AttentionWriter::writeMatrix(StringRef name, Value operand) {
  std::string type, start, stride;
  bool isAligned = true;
  if (auto cache = dyn_cast<CacheType>(operand.getType())) {
    type = getMemoryType(cache.getElementType()).str();
    int64_t cacheWidth = cache.getWidth();
    start = writer.getBuffer(cast<BlockArgument>(operand).getArgNumber()) + " + (sequence * " +
            std::to_string(cache.getHeads()) + " + key_head) * " +
            std::to_string(cache.getPositions() * cacheWidth);
    stride = std::to_string(cacheWidth);
    isAligned = cacheWidth % 8 == 0;
  } else {
    if (auto cast = operand.getDefiningOp<CastOp>(); cast && elementOf(cast.getX()) == narrow)
      operand = cast.getX();
    auto view = getView(operand);
    if (!view || !view->isContiguousInLast() || !getLayout(view->buffer).empty())
      return false;
    type = getMemoryType(elementOf(operand)).str();
    isAligned = view->offset % 8 == 0 && view->dims[3].isNumber() && view->dims[3].size % 8 == 0;
    start = add(writer.getBuffer(view->buffer.getArgNumber()), std::to_string(view->offset));
    for (auto [d, at] : {std::pair<int, std::string>{0, "sequence"}, {2, "key_head"}}) {
      isAligned &= view->dims[d].isOne() || view->strides[d].scale % 8 == 0;
      start = add(start, multiply(at, writer.getProduct(view->strides[d])));
    }
    isAligned &= view->dims[1].isOne() || view->strides[1].scale % 8 == 0;
    stride = writer.getProduct(view->strides[1]);
  }
  code.line("const Matrix<" + type + ", " + (isAligned ? "true" : "false") + "> " + name + "{" +
            start + ", " + stride + "};");
  return true;
}

LogicalResult AttentionWriter::writeResults() {
  SmallVector<Stored> outputs, sums;
  for (const Stored &result : getResults(frame.kernel)) {
    Value value = result.value;
    while (isa_and_nonnull<ReshapeOp, CastOp>(value.getDefiningOp()))
      value = value.getDefiningOp()->getOperand(0);
    if (value != op.getOutput() && value != op.getLogsumexp())
      return frame.kernel.emitError() << "kernel '" << frame.kernel.getSymName()
                                      << "' returns a value that attention did not make";
    (value == op.getOutput() ? outputs : sums).push_back(result);
  }
  auto provide = [&](Value value) {
    writer.provide(value, [](const Place &) { return std::string("value"); });
  };
  provide(op.getOutput());
  provide(op.getLogsumexp());
  auto write = [&](StringRef name, StringRef parameters, ArrayRef<Stored> results,
                   int64_t columns) {
    code.block(
        "auto " + name + " = [&](" + parameters + ")",
        [&] {
          if (results.empty())
            return;
          Code lambda(frame.names);
          std::string row = "((sequence * " + writer.getSize(queries) + " + row / kGroup) * " +
                            std::to_string(heads) + " + key_head * kGroup + row % kGroup)";
          if (op.getParts())
            row = "(" + row + " * kParts + part)";
          std::string at = lambda.constant(writer.index, "at",
                                           columns > 1 || name == "finish"
                                               ? row + " * " + std::to_string(columns) + " + column"
                                               : row);
          code.append(lambda);
          for (const Stored &result : results)
            writeStores(frame, code, result, Place{{}, at}, 1);
        },
        "};");
  };
  write("finish", "int32 row, int32 column, float value", outputs, valueWidth);
  write("logsumexp", "int32 row, float value", sums, 1);
  return success();
}

LogicalResult AttentionWriter::write() {
  if (failed(chooseShape()))
    return failure();
  for (Value operand : {op.getKeys(), op.getValues()})
    if (isa<CacheType>(operand.getType())) {
      auto cache = dyn_cast<BlockArgument>(operand);
      if (!cache || getLayout(cache) != "head_rows")
        return op.emitOpError() << "needs a cache argument with a layout";
    }
  frame.includes = {(skeleton + ".cuh").str()};
  frame.sharedLayout = "Shape::Shared";
  frame.threads = "Shape::kThreads";
  frame.isResident = true;
  frame.grid.push_back(asExtent({keyHeads * static_cast<int64_t>(op.getParts().value_or(1)), {}}));
  frame.grid.push_back(asExtent(getElementCount({batch}).terms.front()));
  writeRange();
  std::string scale = getLiteral(
      FloatAttr::get(Float32Type::get(op.getContext()), op.getScale().convertToDouble()));
  // A row is a query where every head has keys of its own.
  if (!narrow || group != 1 || !writeMatrix("query", op.getQueries()))
    writeFunction("query", "row", "column", [&](Code &lambda) {
      std::string at = lambda.constant(writer.index, "at", "row / kGroup"),
                  head = lambda.constant(writer.index, "head", "key_head * kGroup + row % kGroup");
      return writer.evaluate(op.getQueries(), Place{{"sequence", at, head, "column"}, ""});
    });
  for (auto [name, operand] : {std::pair<StringRef, Value>{"keys", op.getKeys()},
                               std::pair<StringRef, Value>{"values", op.getValues()}})
    if (!(narrow || isa<CacheType>(operand.getType())) || !writeMatrix(name, operand))
      writeFunction(name, "key", "column", [&, operand = operand](Code &lambda) {
        std::string at = lambda.constant(writer.index, "at", "key");
        return writer.evaluate(operand, Place{{"sequence", at, "key_head", "column"}, ""});
      });
  if (narrow) {
    writeAllSee();
    writeFunction("takes_part", "key", "", [&](Code &) { return writeTakesPart(); });
  }
  writeFunction("sees", "row", "key", [&](Code &lambda) {
    std::string sees = writeSees(lambda), takesPart = narrow ? "true" : writeTakesPart();
    return sees == "true" ? takesPart : takesPart == "true" ? sees : sees + " && " + takesPart;
  });
  if (failed(writeResults()))
    return failure();
  if (op.getParts())
    code.line("if (leave_empty_part<Shape>(range, logsumexp))\n  return;");
  code.line(skeleton.str() + "<Shape>(range, " + (narrow ? "all_see, " : "") + scale +
            ", query, keys, values, " + (narrow ? "takes_part, " : "") +
            "sees, finish, logsumexp);");
  return success();
}

} // namespace

LogicalResult writeAttentionKernel(KernelFrame &frame) { return AttentionWriter(frame).write(); }

} // namespace ashlar::cuda
