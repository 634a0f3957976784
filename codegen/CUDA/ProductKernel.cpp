// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of one left operand with weights that lie along the depth, and an elementwise epilogue:
// one of the skeletons of kernels/product_*.cuh by the weights' type and the most rows that there
// can be. The choice depends on bounds, never on the extents of a step, so that a row's bits do not
// depend on what comes with it.

#include "codegen/CUDA/Arithmetic.h"
#include "codegen/CUDA/Kernels.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cuda {
namespace {

/// Rows up to which the weights' way from memory is all that counts.
constexpr int64_t kFewRows = 8;
/// Products of one kernel, whose sums lie in registers at once; fusion makes no more.
constexpr size_t kMostProducts = 4;

bool hasWeight(MatmulOp product) {
  auto weight = dyn_cast<BlockArgument>(product.getB());
  return weight && dimsOf(weight).size() == 2 &&
         getLayout(weight) == (product.getTransposeB() ? "" : "transposed");
}

class ProductWriter {
public:
  ProductWriter(KernelFrame &frame)
      : frame(frame), writer(frame.writer), code(frame.body),
        products(frame.kernel.getOps<MatmulOp>()) {}

  LogicalResult write();

private:
  void chooseSkeleton();
  bool usesWgmma();
  void chooseWgmma();
  void writeMaps();
  void writeLeft();
  void writeWeights();
  void writeEpilogue();
  std::string count() const { return std::to_string(products.size()); }

  KernelFrame &frame;
  ElementWriter &writer;
  Code &code;
  SmallVector<MatmulOp> products;
  Dims leading; // of the rows
  Dim columns, depth;
  Monomial rows;
  int64_t lanes = 1;
  std::string skeleton, weight;
  Value left; // in memory, if it is there
  bool isWgmma = false;
};

LogicalResult ProductWriter::write() {
  MatmulOp first = products.front();
  if (products.size() > kMostProducts)
    return first.emitOpError() << "is one of " << products.size()
                               << " products of one kernel; the CUDA target has registers for "
                               << kMostProducts << ": put them into several fused regions";
  leading = dimsOf(first.getC());
  columns = leading.pop_back_val();
  depth = dimsOf(first.getA()).back();
  rows = getElementCount(ArrayRef(leading)).terms.front();
  weight = getMemoryType(elementOf(first.getB())).str();
  for (auto [number, product] : llvm::enumerate(products)) {
    std::string element = "product[" + std::to_string(number) + "]";
    writer.provide(product.getC(), [this, element](const Place &place) {
      return element + (lanes > 1 ? "[" + ElementWriter::kLane + "]" : StringRef("[0]")).str();
    });
  }
  left = getStoredLeft(first);
  chooseSkeleton();
  if (isWgmma) {
    writeMaps();
  } else {
    writeLeft();
    writeWeights();
  }
  writeEpilogue();
  code.line(skeleton + "<Shape>(" + (isWgmma ? "p.map0" : "left") + ", weights, " +
            writer.getProduct(rows) + ", " + writer.getSize(columns) + ", " +
            writer.getSize(depth) + ", epilogue);");
  return success();
}

bool ProductWriter::usesWgmma() {
  if (frame.options.generation != Generation::Hopper || weight == "float" ||
      elementOf(left) != elementOf(products.front().getB()) || frame.getBound(rows) <= 64)
    return false;
  auto matrix = getMatrix(left);
  return matrix && matrix->first.offset == 0 && matrix->second.names.empty() &&
         matrix->second.scale % 8 == 0 && depth.isNumber() && depth.size % 8 == 0;
}

/// Tiles of 128 rows and, of all products, 256 columns; fewer where that would leave
/// multiprocessors without a tile.
void ProductWriter::chooseWgmma() {
  constexpr int64_t kTileM = 128, kMultiprocessors = 128; // of the smallest H100, rounded down
  int64_t count = static_cast<int64_t>(products.size()), columnBound = frame.getBound(columns);
  auto getTiles = [&](int64_t tileN) {
    return llvm::divideCeil(frame.getBound(rows), kTileM) * llvm::divideCeil(columnBound, tileN);
  };
  int64_t tileN = 256 / static_cast<int64_t>(llvm::PowerOf2Ceil(count));
  while (tileN > 64 && (columnBound <= tileN / 2 || getTiles(tileN) < kMultiprocessors))
    tileN /= 2;
  constexpr int64_t kSharedBytes = 200 * 1024;
  int64_t stage = (kTileM + count * tileN) * 64 * 2,
          stages = std::min<int64_t>(6, kSharedBytes / stage);
  lanes = getLanes(frame, getResults(frame.kernel), 4) == 4 ? 4 : 1;
  skeleton = "product_wgmma";
  auto number = [](int64_t value) { return std::to_string(value); };
  frame.declarations.line("using Shape = WgmmaProductShape<" + weight + ", " + number(tileN) +
                          ", " + number(count) + ", " + number(stages) + ", " + number(lanes) +
                          ">;\n");
  frame.threadCount = 384;
  frame.grid = {asExtent(rows, kTileM), asExtent(getElementCount({columns}).terms.front(), tileN)};
  bool isF16 = weight == "f16";
  auto [view, stride] = *getMatrix(left);
  frame.tensorMaps.push_back({view.buffer.getArgNumber(), asExtent(rows), depth.size,
                              stride.scale * 2, kTileM, 64, isF16});
  for (MatmulOp product : products)
    frame.tensorMaps.push_back({cast<BlockArgument>(product.getB()).getArgNumber(),
                                asExtent(getElementCount({columns}).terms.front()), depth.size,
                                depth.size * 2, static_cast<uint32_t>(tileN), 64, isF16});
}

void ProductWriter::chooseSkeleton() {
  auto results = getResults(frame.kernel);
  int64_t rowBound = frame.getBound(rows), tileM, tileN;
  isWgmma = usesWgmma();
  std::string shape;
  auto number = [](int64_t value) { return std::to_string(value); };
  if (rowBound <= kFewRows) {
    constexpr int64_t kThreads = 128;
    skeleton = "product_few_rows";
    shape = "FewRowsShape<" + number(rowBound) + ", " + count() + ", " + number(kThreads) + ">";
    frame.threadCount = kThreads;
    frame.grid = {asExtent(getElementCount({columns}).terms.front(), kThreads / 32)};
  } else if (isWgmma) {
    chooseWgmma();
  } else if (weight != "float" || frame.options.usesTf32) {
    // Few rows are for reading the weights: many small blocks, each with much on its way.
    bool isSmall = rowBound <= 64;
    tileM = rowBound <= 32 ? 32 : isSmall ? 64 : 128;
    tileN = isSmall ? 32 : products.size() > 1 ? 64 : 128;
    int64_t tileK = (isSmall ? 128 : 64) / getElementBytes(elementOf(products.front().getB()));
    std::string warps = rowBound <= 32 ? "2, 2" : isSmall ? "4, 2" : "2, 4";
    lanes = getLanes(frame, results, 4) == 4 ? 4 : 1;
    skeleton = "product_mma";
    shape = "MmaProductShape<" + weight + ", " + number(tileM) + ", " + number(tileN) + ", " +
            number(tileK) + ", " + warps + ", " + count() + ", 4, " + number(lanes) + ">";
    frame.threadCount = rowBound <= 32 ? 128 : 256;
  } else {
    bool isSmall = rowBound <= 64;
    tileM = tileN = isSmall ? 32 : 64;
    lanes = getLanes(frame, results, 4) == 4 ? 4 : 1;
    skeleton = "product_fma";
    shape = "FmaProductShape<" + number(tileM) + ", " + number(tileN) + ", 16, " + count() + ", " +
            number(lanes) + ">";
    frame.threadCount = static_cast<uint32_t>(tileM * tileN / 16);
  }
  bool isTiled = frame.grid.empty() || isWgmma;
  if (frame.grid.empty())
    frame.grid = {asExtent(rows, tileM), asExtent(getElementCount({columns}).terms.front(), tileN)};
  frame.includes = {skeleton + ".cuh"};
  frame.threads = "Shape::kThreads";
  frame.sharedLayout = isTiled ? "Shape::Shared" : "";
  frame.isResident = isTiled;
  if (!shape.empty())
    frame.declarations.line("using Shape = " + shape + ";\n");
}

/// The weights' maps; the left operand's is the first.
void ProductWriter::writeMaps() {
  std::string list;
  for (size_t i = 0; i < products.size(); ++i)
    list += (i ? ", &p.map" : "{&p.map") + std::to_string(i + 1);
  code.line("const TensorMap *const weights[" + count() + "] = " + list + "};");
}

void ProductWriter::writeLeft() {
  Type type = elementOf(left);
  if (auto matrix = getMatrix(left)) {
    auto &[view, stride] = *matrix;
    int64_t bytes = getElementBytes(type);
    bool isAligned = depth.isNumber() && depth.size % 8 == 0 && view.offset * bytes % 16 == 0 &&
                     stride.scale * bytes % 16 == 0;
    std::string start =
        add(writer.getBuffer(view.buffer.getArgNumber()), std::to_string(view.offset));
    code.line("const Matrix<" + getMemoryType(type) + ", " + (isAligned ? "true" : "false") +
              "> left{" + start + ", " + writer.getProduct(stride) + "};");
    return;
  }
  code.block(
      "auto left = [&](int32 row, int32 k)",
      [&] {
        Code lambda(frame.names);
        writer.writeTo(lambda);
        Place rowPlace{{}, "row"};
        writer.locate(rowPlace, leading);
        Place place{rowPlace.at, ""};
        place.at.push_back("k");
        std::string element = writer.evaluate(left, place);
        code.append(lambda);
        code.line("return " + element + ";");
      },
      "};");
}

void ProductWriter::writeWeights() {
  bool isAligned = depth.isNumber() && depth.size % 8 == 0;
  std::string list;
  for (MatmulOp product : products) {
    unsigned number = cast<BlockArgument>(product.getB()).getArgNumber();
    list += (list.empty() ? "{" : ", {") + writer.getBuffer(number) + ", " + writer.getSize(depth) +
            "}";
  }
  code.line("const Matrix<" + weight + ", " + (isAligned ? "true" : "false") + "> weights[" +
            count() + "] = {" + list + "};");
}

void ProductWriter::writeEpilogue() {
  code.block(
      "auto epilogue = [&](int32 row, int32 column, const float (&product)[" + count() + "][" +
          std::to_string(lanes) + "])",
      [&] {
        Code head(frame.names);
        writer.writeTo(head);
        Place rowPlace{{}, "row"};
        writer.locate(rowPlace, leading);
        Place place{rowPlace.at, ""};
        place.at.push_back("column");
        place.linear = head.constant(writer.index, "at",
                                     "static_cast<" + writer.index + ">(row) * " +
                                         writer.getSize(columns) + " + column");
        code.append(head);
        writeStores(frame, code, getResults(frame.kernel), place, lanes);
      },
      "};");
}

} // namespace

bool isProductKernel(func::FuncOp kernel) {
  SmallVector<MatmulOp> products(kernel.getOps<MatmulOp>());
  if (products.empty())
    return false;
  MatmulOp first = products.front();
  for (MatmulOp product : products)
    if (!hasWeight(product) || product.getA() != first.getA() ||
        product.getType() != first.getType() ||
        elementOf(product.getB()) != elementOf(first.getB()))
      return false;
  // The epilogue runs over the products' own elements.
  Dims dims = dimsOf(first.getC());
  for (const Stored &result : getResults(kernel)) {
    Value value = result.value;
    while (auto reshape = value.getDefiningOp<ReshapeOp>())
      value = reshape.getX();
    if (dimsOf(value) != dims)
      return false;
  }
  return kernel.getOps<SoftmaxOp>().empty() && kernel.getOps<LayerNormOp>().empty() &&
         kernel.getOps<RmsNormOp>().empty();
}

Value getStoredLeft(MatmulOp product) {
  auto cast = product.getA().getDefiningOp<CastOp>();
  bool isWidened =
      cast && elementOf(cast.getX()) == elementOf(product.getB()) && elementOf(cast.getY()).isF32();
  return isWidened ? cast.getX() : product.getA();
}

std::optional<std::pair<View, Monomial>> getMatrix(Value value) {
  auto view = getView(value);
  if (!view || !view->isContiguousInLast() || !getLayout(view->buffer).empty())
    return std::nullopt;
  // Rows follow each other at one distance.
  Monomial stride{1, {}};
  Dims inner;
  for (size_t i = view->dims.size() - 1; i-- > 0;) {
    if (view->dims[i].isOne())
      continue;
    Monomial expected = view->strides[i];
    if (inner.empty()) {
      stride = expected;
    } else {
      Monomial product = getElementCount(ArrayRef(inner)).terms.front();
      product.scale *= stride.scale;
      llvm::append_range(product.names, stride.names);
      llvm::sort(product.names,
                 [](StringAttr a, StringAttr b) { return a.getValue() < b.getValue(); });
      if (product.scale != expected.scale || product.names != expected.names)
        return std::nullopt;
    }
    inner.insert(inner.begin(), view->dims[i]);
  }
  if (inner.empty()) // a single row: any distance will do
    stride = getElementCount({view->dims.back()}).terms.front();
  return std::make_pair(*view, stride);
}

LogicalResult writeProductKernel(KernelFrame &frame) { return ProductWriter(frame).write(); }

} // namespace ashlar::cuda
