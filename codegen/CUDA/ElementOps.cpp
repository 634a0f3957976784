// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements of the ops that are more than a formula: lookups, rotations, sums over a dimension.

#include "codegen/CUDA/Arithmetic.h"
#include "codegen/CUDA/ElementWriter.h"

#include <limits>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cuda {

std::string ElementWriter::evaluateGather(GatherOp op, Place &place) {
  std::string row = evaluate(op.getIndices(), Place{{place.at[0]}, place.at[0]});
  std::string last = getSize(dimsOf(op.getX())[1]) + " - 1";
  std::string inside = code().constant(
      "int64", "row", "minimum(maximum(int64(" + row + "), int64(0)), int64(" + last + "))");
  Place moved{place.at, "", place.lanes};
  moved.at.insert(moved.at.begin() + 1, inside);
  return evaluate(op.getX(), moved);
}

std::string ElementWriter::evaluateEmbedding(EmbeddingOp op, Place &place) {
  Place token;
  token.at.assign(place.at.begin(), place.at.end() - 1);
  std::string id = evaluate(op.getIds(), token);
  std::string rows = getSize(dimsOf(op.getTable())[0]);
  std::string inside = code().constant("bool", "inside", id + " >= 0 && " + id + " < " + rows);
  std::string safe = code().constant("int64", "row", inside + " ? " + id + " : 0");
  std::string element = evaluate(op.getTable(), Place{{safe, place.at.back()}, "", place.lanes});
  return code(place.lanes).constant("float", "embedding_", inside + " ? " + element + " : 0.0f");
}

std::string ElementWriter::evaluateConcat(ConcatOp op, Place &place) {
  // One input holds the element; a chain of branches finds it.
  std::string result = names.fresh("concat_");
  code().line(getValueType(elementOf(op.getResult())) + " " + result + ";");
  int64_t before = 0;
  for (size_t input = 0; input < op.getInputs().size(); ++input) {
    Value operand = op.getInputs()[input];
    Place moved{place.at, "", false};
    std::string &at = moved.at[op.getAxis()];
    int64_t size = dimsOf(operand)[op.getAxis()].size, end = before + size;
    bool last = input + 1 == op.getInputs().size();
    std::string condition = "if (" + at + " < " + std::to_string(end) + ")";
    if (before > 0)
      at += " - " + std::to_string(before);
    auto body = [&] { code().line(result + " = " + evaluate(operand, moved) + ";"); };
    code().block((input ? "else " : "") + (last ? std::string() : condition), body);
    before = end;
  }
  return result;
}

std::string ElementWriter::evaluateRope(RopeOp op, Place &place) {
  int64_t pairs = dimsOf(op.getCosines()).back().size, width = dimsOf(op.getY()).back().size;
  std::string column = place.at.back(), half = std::to_string(pairs);
  // The element's partner, its pair and which of the two it is.
  std::string pair, isSecond, partner;
  if (op.getInterleaved()) {
    isSecond = code().constant("bool", "second", modulo(column, "2") + " == 1");
    pair = code().constant(index, "pair", divide(column, "2"));
    partner =
        code().constant(index, "partner", isSecond + " ? " + column + " - 1 : " + column + " + 1");
  } else {
    isSecond = code().constant("bool", "second", column + " >= " + half);
    pair =
        code().constant(index, "pair", isSecond + " ? " + column + " - " + half + " : " + column);
    partner =
        code().constant(index, "partner", isSecond + " ? " + pair + " : " + column + " + " + half);
  }
  auto rotate = [&] {
    Place other{place.at, "", place.lanes};
    other.at.back() = partner;
    Place angle{{place.at[0], place.at[1], pair}, "", place.lanes};
    std::string x = evaluate(op.getX(), place), y = evaluate(op.getX(), other),
                cosine = evaluate(op.getCosines(), angle), sine = evaluate(op.getSines(), angle);
    return x + " * " + cosine + " + " + y + " * (" + isSecond + " ? " + sine + " : -" + sine + ")";
  };
  if (width == 2 * pairs) {
    std::string rotated = rotate();
    return code(place.lanes).constant("float", "rope_", rotated);
  }
  std::string result = names.fresh("rope_");
  code().line("float " + result + " = " + evaluate(op.getX(), place) + ";");
  code().block("if (" + column + " < " + std::to_string(2 * pairs) + ")",
               [&] { code().line(result + " = " + rotate() + ";"); });
  return result;
}

std::string ElementWriter::evaluateRopeTable(RopeTableOp op, Value value, Place &place) {
  std::string position = evaluate(op.getPositions(), Place{{place.at[0], place.at[1]}, "", false});
  std::string frequency =
      evaluate(op.getFrequencies(), Place{{place.at.back()}, place.at.back(), place.lanes});
  std::string angle =
      code(place.lanes)
          .constant("float", "angle", "static_cast<float>(" + position + ") * " + frequency);
  std::string scale = getLiteral(
      FloatAttr::get(Float32Type::get(op.getContext()), op.getScale().convertToDouble()));
  bool isCosine = value == op.getCosines();
  return code(place.lanes)
      .constant("float", isCosine ? "cosine" : "sine",
                std::string(isCosine ? "cos(" : "sin(") + angle + ") * " + scale);
}

std::string ElementWriter::evaluateMatmul(MatmulOp op, Place &place) {
  // The plain sum of one element, for products that are not worth a kernel of their own.
  std::string sum = names.fresh("sum"), k = names.fresh("k");
  code().line("float " + sum + " = 0.0f;");
  size_t rank = dimsOf(op.getB()).size();
  code().block("for (" + index + " " + k + " = 0; " + k + " < " +
                   getSize(dimsOf(op.getA()).back()) + "; ++" + k + ")",
               [&] {
                 Place left{place.at, "", false}, right;
                 right.at.assign(place.at.end() - rank, place.at.end());
                 left.at.back() = k;
                 right.at[op.getTransposeB() ? rank - 1 : rank - 2] = k;
                 if (op.getTransposeB())
                   right.at[rank - 2] = place.at.back();
                 std::string a = evaluate(op.getA(), left), b = evaluate(op.getB(), right);
                 code().line(sum + " = fma(" + a + ", " + b + ", " + sum + ");");
               });
  return sum;
}

std::string ElementWriter::evaluateCumsum(CumsumOp op, Place &place) {
  // Every element adds up what lies before it: positions of tokens, a few hundred at most.
  std::string sum = names.fresh("sum"), i = names.fresh("j");
  code().line(getValueType(elementOf(op.getY())) + " " + sum + " = 0;");
  code().block("for (" + index + " " + i + " = 0; " + i + " <= " + place.at[op.getAxis()] + "; ++" +
                   i + ")",
               [&] {
                 Place moved{place.at, "", false};
                 moved.at[op.getAxis()] = i;
                 code().line(sum + " = " + sum + " + " + evaluate(op.getX(), moved) + ";");
               });
  return sum;
}

/// What a reduction of no elements gives.
static std::string getNeutral(ReduceKind kind, Type element) {
  bool isSum = kind == ReduceKind::Sum || kind == ReduceKind::Mean, isMax = kind == ReduceKind::Max;
  if (isa<FloatType>(element)) {
    double infinity = std::numeric_limits<double>::infinity();
    return getLiteral(FloatAttr::get(Float32Type::get(element.getContext()), isSum   ? 0.0
                                                                             : isMax ? -infinity
                                                                                     : infinity));
  }
  unsigned bits = element.getIntOrFloatBitWidth();
  llvm::APInt value = isSum       ? llvm::APInt(bits, 0)
                      : bits == 1 ? llvm::APInt(1, !isMax)
                      : isMax     ? llvm::APInt::getSignedMinValue(bits)
                                  : llvm::APInt::getSignedMaxValue(bits);
  return getLiteral(IntegerAttr::get(element, value));
}

std::string ElementWriter::evaluateReduce(ReduceOp op, Place &place) {
  Type element = elementOf(op.getY());
  ReduceKind kind = op.getKind();
  bool isSum = kind == ReduceKind::Sum || kind == ReduceKind::Mean;
  std::string type = getValueType(element).str(), result = names.fresh("reduced"),
              i = names.fresh("j"), count = getSize(dimsOf(op.getX())[op.getAxis()]);
  code().line(type + " " + result + " = " + getNeutral(kind, element) + ";");
  code().block("for (" + index + " " + i + " = 0; " + i + " < " + count + "; ++" + i + ")", [&] {
    Place moved{place.at, "", false};
    if (op.getKeepDims())
      moved.at[op.getAxis()] = i;
    else
      moved.at.insert(moved.at.begin() + op.getAxis(), i);
    std::string x = evaluate(op.getX(), moved);
    code().line(result + " = " +
                (isSum                     ? result + " + " + x
                 : kind == ReduceKind::Max ? "maximum(" + result + ", " + x + ")"
                                           : "minimum(" + result + ", " + x + ")") +
                ";");
  });
  if (kind != ReduceKind::Mean)
    return result;
  // The count of a narrow integer's elements may not fit it.
  std::string wide = isa<FloatType>(element) ? "float" : "int64";
  return code().constant(type, "mean",
                         "static_cast<" + type + ">(" + wide + "(" + result + ") / " + wide + "(" +
                             count + "))");
}

std::string ElementWriter::evaluateMergeAttention(MergeAttentionOp op, Value value, Place &place) {
  bool isOutput = value == op.getOutput();
  std::string largest = names.fresh("largest"), sum = names.fresh("sum"),
              merged = names.fresh("merged"), part = names.fresh("j");
  Place sums{{place.at.begin(), place.at.begin() + 3}, ""};
  sums.at.push_back(part);
  auto forParts = [&](llvm::function_ref<void(const std::string &)> body) {
    std::string head = "for (int32 " + part + " = 0; " + part + " < " +
                       getSize(dimsOf(op.getLogsumexps())[3]) + "; ++" + part + ")";
    code().block(head, [&] { body(evaluate(op.getLogsumexps(), sums)); });
  };
  std::string nothing = getNeutral(ReduceKind::Max, elementOf(op.getLogsumexps()));
  code().line("float " + largest + " = " + nothing + ", " + sum + " = 0.0f, " + merged +
              " = 0.0f;");
  forParts(
      [&](const std::string &x) { code().line(largest + " = max(" + largest + ", " + x + ");"); });
  forParts([&](const std::string &x) {
    // Where nothing was seen there is no output to read; what is not a number was.
    code().block("if (" + x + " != " + nothing + ")", [&] {
      std::string weight = code().constant("float", "weight", "exp(" + x + " - " + largest + ")");
      code().line(sum + " += " + weight + ";");
      if (!isOutput)
        return;
      Place element = sums;
      element.at.push_back(place.at.back());
      std::string y = evaluate(op.getOutputs(), element);
      code().line(merged + " = fma(" + weight + ", " + y + ", " + merged + ");");
    });
  });
  // The largest weighs 1.
  return code().constant("float", isOutput ? "output" : "logsumexp",
                         isOutput ? sum + " == 0.0f ? 0.0f : " + merged + " / " + sum
                                  : largest + " + log(" + sum + ")");
}

} // namespace ashlar::cuda
