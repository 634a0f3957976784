// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention: the skeleton of kernels/attention_fma.cuh with functions that read or compute queries,
// keys, values and the mask in place. The query heads that share a key head are rows of the same
// block: row r is query r / group of head r % group. Offsets and lengths are read from memory, so
// that a captured step serves every position.

#include "codegen/CUDA/Arithmetic.h"
#include "codegen/CUDA/Kernels.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cuda {
namespace {

class AttentionWriter {
public:
  AttentionWriter(KernelFrame &frame)
      : frame(frame), writer(frame.writer), code(frame.body),
        op(*frame.kernel.getOps<AttentionOp>().begin()) {}

  LogicalResult write();

private:
  LogicalResult chooseShape();
  void writeRange();
  /// "auto name = [&](int32 row, int32 column) { return element; };"
  void writeFunction(StringRef name, StringRef row, StringRef column,
                     llvm::function_ref<std::string(Code &)> body);
  std::string readCache(Code &code, Value cache, StringRef position, StringRef column);
  std::string writeVisible(Code &code);
  LogicalResult writeResults();

  KernelFrame &frame;
  ElementWriter &writer;
  Code &code;
  AttentionOp op;
  int64_t heads = 0, keyHeads = 0, group = 1, width = 0, valueWidth = 0;
  std::string keyCount; // keys, or positions of the cache
  Dim batch, queries;
};

LogicalResult AttentionWriter::chooseShape() {
  Dims q = dimsOf(op.getQueries()), out = dimsOf(op.getOutput());
  batch = q[0], queries = q[1];
  heads = q[2].size, width = q[3].size, valueWidth = out[3].size;
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
  frame.includes = {"attention_fma.cuh"};
  frame.sharedLayout = "Shape::Shared";
  frame.threads = "Shape::kThreads";
  frame.threadCount = static_cast<uint32_t>(chosen->rows * chosen->lanes);
  frame.isResident = true;
  frame.grid = {asExtent(rows, chosen->rows), asExtent({keyHeads, {}}),
                asExtent(getElementCount({batch}).terms.front())};
  return success();
}

void AttentionWriter::writeRange() {
  writer.writeTo(code);
  std::string count = writer.getSize(queries);
  code.line("const " + writer.index + " key_head = block_y(), sequence = block_z();");
  code.line("constexpr int32 kGroup = " + std::to_string(group) + "; // heads of a key head");
  Place sequence{{"sequence"}, "sequence"};
  if (op.getQueryOffsets())
    code.line("const int64 offset = " + writer.evaluate(op.getQueryOffsets(), sequence) + ";");
  code.line("AttentionRange range = {static_cast<int32>(" + count +
            ") * kGroup, 0, static_cast<int32>(" + keyCount + ")};");
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

std::string AttentionWriter::readCache(Code &lambda, Value value, StringRef position,
                                       StringRef column) {
  auto cache = cast<CacheType>(value.getType());
  std::string buffer = writer.getBuffer(cast<BlockArgument>(value).getArgNumber());
  std::string at = "((sequence * " + std::to_string(cache.getHeads()) + " + key_head) * " +
                   std::to_string(cache.getPositions()) + " + " + position.str() + ") * " +
                   std::to_string(cache.getWidth()) + " + " + column.str();
  return "to_float(" + buffer + "[" + at + "])";
}

std::string AttentionWriter::writeVisible(Code &lambda) {
  std::string visible;
  auto require = [&](const std::string &condition) {
    visible += (visible.empty() ? "" : " && ") + condition;
  };
  std::string position = op.getQueryOffsets() ? "offset + row / kGroup" : "row / kGroup";
  if (op.getCausal() || op.getWindow())
    position = lambda.constant("int64", "position", position);
  if (op.getCausal())
    require("key <= " + position);
  if (op.getWindow())
    require(position + " - key < " + std::to_string(*op.getWindow()));
  if (op.getKeyMask())
    require(writer.evaluate(op.getKeyMask(), Place{{"sequence", "key"}, ""}) + " != 0");
  return visible.empty() ? "true" : visible;
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
  writeRange();
  std::string scale = getLiteral(
      FloatAttr::get(Float32Type::get(op.getContext()), op.getScale().convertToDouble()));
  writeFunction("query", "row", "column", [&](Code &lambda) {
    std::string at = lambda.constant(writer.index, "at", "row / kGroup"),
                head = lambda.constant(writer.index, "head", "key_head * kGroup + row % kGroup");
    return writer.evaluate(op.getQueries(), Place{{"sequence", at, head, "column"}, ""});
  });
  for (auto [name, operand] : {std::pair<StringRef, Value>{"keys", op.getKeys()},
                               std::pair<StringRef, Value>{"values", op.getValues()}})
    writeFunction(name, "key", "column", [&, operand = operand](Code &lambda) {
      if (isa<CacheType>(operand.getType()))
        return readCache(lambda, operand, "key", "column");
      std::string at = lambda.constant(writer.index, "at", "key");
      return writer.evaluate(operand, Place{{"sequence", at, "key_head", "column"}, ""});
    });
  writeFunction("sees", "row", "key", [&](Code &lambda) { return writeVisible(lambda); });
  if (failed(writeResults()))
    return failure();
  code.line("attention_fma<Shape>(range, " + scale +
            ", query, keys, values, sees, finish, "
            "logsumexp);");
  return success();
}

} // namespace

LogicalResult writeAttentionKernel(KernelFrame &frame) { return AttentionWriter(frame).write(); }

} // namespace ashlar::cuda
