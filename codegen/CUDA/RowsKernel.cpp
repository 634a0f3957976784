// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is elementwise or moves data: one group of neighbours a thread. What reduces along the last
// dimension (softmax, the norms): a row for a warp, or for a block where it is long, held in
// registers between the passes over it, so that its operands are read once. All results of one
// kernel have the same dimensions.

#include "codegen/CUDA/Arithmetic.h"
#include "codegen/CUDA/Kernels.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cuda {
namespace {

/// Values that a thread keeps of one pass, at most; rows that are longer are computed anew in each.
constexpr int64_t kMostKept = 64;

class RowsWriter {
public:
  RowsWriter(KernelFrame &frame) : frame(frame), writer(frame.writer), code(frame.body) {}

  LogicalResult write();

private:
  void writeElements();
  void writePasses();
  void writeHead(const Monomial &rows, int64_t rowsPerBlock, int64_t groups);
  void writeSoftmax(SoftmaxOp op);
  void writeNorm(Operation *op);

  /// Loops over the groups of columns of a thread; `body` writes into the loop.
  void forColumns(llvm::function_ref<void(Code &)> body);
  /// A loop that evaluates x, keeps it in `kept` and folds it into `result` (a float variable) by
  /// `fold`, an expression of x; then reduces over the row.
  std::string reduce(Value x, StringRef op, StringRef kept, StringRef hint,
                     llvm::function_ref<std::string(const std::string &x)> fold,
                     llvm::function_ref<std::string(const std::string &x)> store = nullptr);
  /// From now on x is what `kept` holds.
  void provideKept(Value x, const std::string &kept);
  std::string keptElement(StringRef kept) const {
    return kept.str() + "[g][" + (lanes > 1 ? ElementWriter::kLane.str() : "0") + "]";
  }
  bool isHere(const Place &place) const {
    return place.at == here.at || place.linear == here.linear;
  }

  KernelFrame &frame;
  ElementWriter &writer;
  Code &code;
  SmallVector<Stored> results;
  SmallVector<Operation *> passes;
  Dims outer;
  Dim last;
  Place here; // the group of columns that a loop has come to
  int64_t lanes = 1, threadsPerRow = 32;
  bool keeps = false;
  Operation *misplaced = nullptr; // a reduction whose result is asked for at another place
};

LogicalResult RowsWriter::write() {
  results = getResults(frame.kernel);
  if (results.empty())
    return frame.kernel.emitError() << "a kernel without results";
  Dims dims = dimsOf(results.front().value);
  for (const Stored &result : results)
    if (dimsOf(result.value) != dims)
      return frame.kernel.emitError()
             << "kernel '" << frame.kernel.getSymName()
             << "' has results of different dimensions: " << results.front().value.getType()
             << " and " << result.value.getType();
  outer = dims;
  last = dims.empty() ? Dim::number(1) : outer.pop_back_val();
  for (Operation &op : frame.kernel.getBody().front().without_terminator()) {
    if (isa<FusedOp, ReadOp, WriteOp>(op))
      return op.emitOpError() << "cannot be part of a row kernel";
    if (!isa<SoftmaxOp, LayerNormOp, RmsNormOp>(op))
      continue;
    if (dimsOf(op.getResult(0)) != dims)
      return op.emitOpError() << "reduces rows of " << toString(dimsOf(op.getResult(0)))
                              << " in a kernel over " << toString(dims);
    passes.push_back(&op);
  }
  // At most what one load of the widest operand brings.
  int64_t most = 8;
  for (Type type : frame.kernel.getArgumentTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type); tensor && tensor.getElementType().isF32())
      most = 4;
  lanes = getLanes(frame, results, most);
  if (passes.empty())
    writeElements();
  else
    writePasses();
  if (misplaced)
    return misplaced->emitOpError() << "is read at another place of the row than the kernel's own";
  return success();
}

void RowsWriter::writeElements() {
  constexpr int64_t kThreads = 256;
  frame.includes = {"device.h"};
  frame.threads = std::to_string(kThreads);
  frame.threadCount = kThreads;
  Monomial groups = getElementCount(dimsOf(results.front().value)).terms.front();
  groups.scale /= lanes;
  frame.grid = {asExtent(groups, kThreads)};
  code.line("const " + writer.index + " group = static_cast<" + writer.index + ">(block_x()) * " +
            frame.threads + " + static_cast<" + writer.index + ">(thread_index());");
  code.line("if (group >= " + writer.getProduct(groups) + ")\n  return;");
  std::string at = "group";
  if (lanes > 1)
    at = code.constant(writer.index, "at", "group * " + std::to_string(lanes));
  writeStores(frame, code, results, Place{{}, at}, lanes);
}

void RowsWriter::writePasses() {
  for (Operation *op : passes)
    for (Value operand : op->getOperands())
      while (lanes > 1 && !llvm::is_contained(passes, operand.getDefiningOp()) &&
             !writer.fitsLanes(operand, lanes))
        lanes /= 2;
  int64_t width = frame.getBound(last);
  while (threadsPerRow < 1024 && threadsPerRow * lanes * 8 < width)
    threadsPerRow *= 2;
  int64_t rowsPerBlock = threadsPerRow == 32 ? 4 : 1;
  int64_t groups = llvm::divideCeil(width, threadsPerRow * lanes);
  keeps = groups * lanes <= kMostKept;
  frame.includes = {"reduce.cuh"};
  frame.threadCount = static_cast<uint32_t>(threadsPerRow * rowsPerBlock);
  frame.threads = std::to_string(frame.threadCount);
  frame.sharedLayout = threadsPerRow > 32 ? "ReductionSpace" : "";
  Monomial rows = getElementCount(ArrayRef(outer)).terms.front();
  frame.grid = {asExtent(rows, rowsPerBlock)};
  writeHead(rows, rowsPerBlock, groups);
  for (Operation *op : passes) {
    if (auto softmax = dyn_cast<SoftmaxOp>(op))
      writeSoftmax(softmax);
    else
      writeNorm(op);
  }
  forColumns([&](Code &loop) { writeStores(frame, loop, results, here, lanes); });
}

void RowsWriter::writeHead(const Monomial &rows, int64_t rowsPerBlock, int64_t groups) {
  std::string index = writer.index;
  code.line("constexpr int kThreads = " + std::to_string(threadsPerRow) + "; // of a row");
  if (keeps)
    code.line("constexpr int kGroups = " + std::to_string(groups) + "; // of columns, a thread's");
  code.line("const " + index + " thread = static_cast<int32>(thread_index()) % kThreads;");
  std::string row = "static_cast<" + index + ">(block_x())";
  if (rowsPerBlock > 1)
    row +=
        " * " + std::to_string(rowsPerBlock) + " + static_cast<int32>(thread_index()) / kThreads";
  code.line("const " + index + " row = " + row + ";");
  if (rowsPerBlock > 1)
    code.line("if (row >= " + writer.getProduct(rows) + ")\n  return;");
  code.line("const " + index + " width = " + writer.getSize(last) + ", base = row * width;");
  writer.writeTo(code);
  Place rowPlace{{}, "row"};
  writer.locate(rowPlace, outer);
  here.at = rowPlace.at;
  here.at.push_back("column");
  here.linear = "base + column";
  here.lanes = lanes > 1;
}

void RowsWriter::forColumns(llvm::function_ref<void(Code &)> body) {
  std::string group = lanes > 1 ? " * " + std::to_string(lanes) : "";
  if (!keeps) {
    code.block("for (" + writer.index + " column = thread" + group +
                   "; column < width; column += kThreads" + group + ")",
               [&] { body(code); });
    return;
  }
  code.line("#pragma unroll");
  code.block("for (int g = 0; g < kGroups; ++g)", [&] {
    code.line("const " + writer.index + " column = (g * kThreads + thread)" + group + ";");
    code.block("if (column < width)", [&] { body(code); });
  });
}

std::string RowsWriter::reduce(Value x, StringRef op, StringRef kept, StringRef hint,
                               llvm::function_ref<std::string(const std::string &)> fold,
                               llvm::function_ref<std::string(const std::string &)> store) {
  std::string result = code.fresh(hint);
  code.line("float " + result + " = " + op + "::identity();");
  forColumns([&](Code &loop) {
    Code shared(frame.names), own(frame.names);
    writer.writeTo(shared, lanes > 1 ? own : shared, lanes);
    std::string element = writer.evaluate(x, here);
    Code &mine = writer.code(here.lanes);
    if (store)
      element = mine.constant("float", "y", store(element));
    if (keeps)
      mine.line(keptElement(kept) + " = " + element + ";");
    mine.line(result + " = " + op + "::combine(" + result + ", " + fold(element) + ");");
    loop.append(shared);
    if (lanes == 1)
      return;
    std::string lane = ElementWriter::kLane.str();
    loop.line("#pragma unroll");
    loop.block("for (int " + lane + " = 0; " + lane + " < " + std::to_string(lanes) + "; ++" +
                   lane + ")",
               [&] { loop.append(own); });
  });
  code.line(result + " = block_reduce<" + op + ", kThreads>(" + result +
            ", shared<ReductionSpace>());");
  return result;
}

void RowsWriter::provideKept(Value x, const std::string &kept) {
  if (!keeps)
    return;
  ElementWriter::Provider before = writer.withdraw(x);
  writer.provide(x, [=](const Place &place) {
    if (isHere(place))
      return keptElement(kept);
    if (before)
      return before(place);
    // Asked for at another place, it is computed there.
    ElementWriter::Provider mine = writer.withdraw(x);
    std::string element = writer.evaluate(x, place);
    writer.provide(x, mine);
    return element;
  });
}

void RowsWriter::writeSoftmax(SoftmaxOp op) {
  Value x = op.getX();
  std::string kept = code.fresh("x");
  code.line("// softmax");
  if (keeps)
    code.line("float " + kept + "[kGroups][" + std::to_string(lanes) + "];");
  std::string maximum =
      reduce(x, "Max", kept, "largest", [](const std::string &element) { return element; });
  // The exponentials take the place of what they are taken of; the division is part of whoever
  // reads the result.
  auto power = [maximum](const std::string &element) {
    return "exp(" + element + " - " + maximum + ")";
  };
  ElementWriter::Provider before;
  if (keeps) {
    before = writer.withdraw(x);
    writer.provide(x, [=](const Place &) { return keptElement(kept); });
  }
  std::string sum =
      reduce(x, "Sum", kept, "sum", [](const std::string &element) { return element; }, power);
  if (keeps)
    writer.withdraw(x);
  if (before)
    writer.provide(x, before);
  std::string inverse = code.constant("float", "inverse", "1.0f / " + sum);
  writer.provide(op.getY(), [=](const Place &place) {
    if (!isHere(place))
      misplaced = op;
    std::string element = keeps ? keptElement(kept) : power(writer.evaluate(x, place));
    return writer.code(place.lanes).constant("float", "softmax_", element + " * " + inverse);
  });
}

void RowsWriter::writeNorm(Operation *op) {
  auto layerNorm = dyn_cast<LayerNormOp>(op);
  Value x = op->getOperand(0);
  std::string kept = code.fresh("x"), mean;
  code.line("// " + op->getName().stripDialect().str());
  if (keeps)
    code.line("float " + kept + "[kGroups][" + std::to_string(lanes) + "];");
  if (layerNorm) {
    std::string sum =
        reduce(x, "Sum", kept, "sum", [](const std::string &element) { return element; });
    mean = code.constant("float", "mean", sum + " / static_cast<float>(width)");
    provideKept(x, kept);
  }
  auto centre = [mean](const std::string &element) {
    return mean.empty() ? element : "(" + element + " - " + mean + ")";
  };
  std::string squares = reduce(x, "Sum", kept, "squares", [&](const std::string &element) {
    return centre(element) + " * " + centre(element);
  });
  provideKept(x, kept);
  APFloat epsilon = layerNorm ? layerNorm.getEpsilon() : cast<RmsNormOp>(op).getEpsilon();
  std::string literal =
      getLiteral(FloatAttr::get(Float32Type::get(op->getContext()), epsilon.convertToDouble()));
  std::string scale =
      code.constant("float", "scale",
                    "1.0f / sqrt(" + squares + " / static_cast<float>(width) + " + literal + ")");
  writer.provide(op->getResult(0), [=](const Place &place) {
    if (!isHere(place))
      misplaced = op;
    Place column{{"column"}, "column", place.lanes};
    std::string normed = centre(writer.evaluate(x, place)) + " * " + scale + " * " +
                         writer.evaluate(op->getOperand(1), column);
    if (op->getNumOperands() > 2)
      normed += " + " + writer.evaluate(op->getOperand(2), column);
    return writer.code(place.lanes).constant("float", "norm", normed);
  });
}

} // namespace

LogicalResult writeRowsKernel(KernelFrame &frame) { return RowsWriter(frame).write(); }

} // namespace ashlar::cuda
