// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which product kernels are plain products, that cuBLASLt can compute: one product of a matrix in
// memory, of the weight's type, and behind it what the library's epilogues do:
//
//   %p = matmul %x, %w transpose_b     %x [rows, depth], %w [columns, depth]
//   %b = add %p, %bias                 [columns], at most one
//   %s = add %b, %residual             [rows, columns], at most one, in any order with the bias
//   %g = gelu %s tanh, or relu %s      at most one, last
//   yield cast %g                      one result
//
// The library's bias and addend have the result's type; a bf16 result with an f32 bias is none of
// its products. Its gelu is the tanh approximation (as PyTorch has it for its own use of these
// epilogues).

#include "codegen/CUDA/CudaTarget.h"
#include "codegen/CUDA/Kernels.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cuda {
namespace {

/// Bytes at whose multiples rows must begin, as the artifact's verifier demands.
constexpr int64_t kAlignment = 16;

/// The number of the argument that lies in memory as this value, compact and from its beginning.
std::optional<unsigned> findBuffer(Value value) {
  auto view = getView(value);
  if (!view || view->offset != 0 || !view->isCompact() || !getLayout(view->buffer).empty())
    return std::nullopt;
  return view->buffer.getArgNumber();
}

/// Whether the value is one row, for all rows of a product with these dimensions.
bool isOneRow(Value value, ArrayRef<Dim> product) {
  Dims dims = dimsOf(value);
  return !dims.empty() && dims.back() == product.back() &&
         llvm::all_of(ArrayRef(dims).drop_back(), [](const Dim &dim) { return dim.isOne(); });
}

/// What a product's bias or addend is read from: a buffer of the result's type, widened where that
/// is not f32.
Value getStoredExtra(Value value, Type resultType) {
  auto cast = value.getDefiningOp<CastOp>();
  return cast && elementOf(cast.getX()) == resultType ? cast.getX() : value;
}

/// Reads the body from its result back to the product: reshapes and a rounding cast, an activation,
/// sums. Null where there is anything else, or something that is used twice.
MatmulOp readEpilogue(Value value, DeviceProduct &product) {
  product.resultType = elementOf(value);
  auto take = [&](Value operand) {
    value = operand;
    return value.hasOneUse();
  };
  bool isRounded = false;
  while (Operation *op = value.getDefiningOp()) {
    bool isCast = isa<CastOp>(op);
    if (!isa<ReshapeOp, CastOp>(op) || (isCast && (isRounded || product.resultType.isF32())))
      break;
    isRounded |= isCast;
    if (!take(op->getOperand(0)))
      return nullptr;
  }
  if (!elementOf(value).isF32())
    return nullptr;
  auto gelu = value.getDefiningOp<GeluOp>();
  if (auto relu = value.getDefiningOp<ReluOp>()) {
    product.activation = Activation::Relu;
    if (!take(relu.getX()))
      return nullptr;
  } else if (gelu && gelu.getApproximation() == GeluApproximation::Tanh) {
    product.activation = Activation::GeluTanh;
    if (!take(gelu.getX()))
      return nullptr;
  }
  Dims dims = dimsOf(value);
  while (auto add = value.getDefiningOp<AddOp>()) {
    Value extra = getStoredExtra(add.getX(), product.resultType), summand = add.getY();
    if (!findBuffer(extra)) {
      extra = getStoredExtra(add.getY(), product.resultType);
      summand = add.getX();
    }
    std::optional<unsigned> buffer = findBuffer(extra);
    bool isBias = isOneRow(extra, dims);
    std::optional<unsigned> &place = isBias ? product.bias : product.addend;
    if (!buffer || place || elementOf(extra) != product.resultType ||
        (!isBias && dimsOf(extra) != dims) || dimsOf(summand) != dims || !take(summand))
      return nullptr;
    place = buffer;
  }
  return value.getDefiningOp<MatmulOp>();
}

/// Whether the library computes the product, which has at most `rows` rows. By the cost model where
/// the device computes longer than it waits for memory: there its maker's tuning is the safer
/// guess. Elsewhere a product waits for what it reads, which a kernel of ours reads once, whoever
/// wrote it.
bool isLibrarys(const DeviceProduct &product, int64_t rows, const KernelOptions &options) {
  if (options.products != LibraryUse::Auto)
    return options.products == LibraryUse::Always;
  ProductShape shape;
  shape.rows = static_cast<double>(rows);
  shape.columns = static_cast<double>(product.columns);
  shape.depth = static_cast<double>(product.depth);
  shape.elementBytes = static_cast<double>(getElementBytes(product.type));
  shape.resultBytes = static_cast<double>(getElementBytes(product.resultType));
  shape.hasBias = product.bias.has_value();
  shape.hasAddend = product.addend.has_value();
  shape.usesTf32 = product.usesTf32;
  return predict(shape, options.device ? *options.device : getDevice({})).isComputeBound();
}

} // namespace

std::optional<DeviceProduct> findLibraryProduct(const KernelFrame &frame) {
  func::FuncOp kernel = frame.kernel;
  SmallVector<Stored> results = getResults(kernel);
  if (results.size() != 1 || !isProductKernel(kernel) ||
      !llvm::hasSingleElement(kernel.getOps<MatmulOp>()))
    return std::nullopt;
  DeviceProduct product;
  MatmulOp matmul = readEpilogue(results.front().value, product);
  if (!matmul)
    return std::nullopt;
  product.type = elementOf(matmul.getB());
  if (product.resultType != product.type && !product.resultType.isF32())
    return std::nullopt;
  Dims leading = dimsOf(matmul.getC());
  Dim columns = leading.pop_back_val(), depth = dimsOf(matmul.getA()).back();
  Monomial rows = getElementCount(ArrayRef(leading)).terms.front();
  if (!columns.isNumber() || !depth.isNumber())
    return std::nullopt;
  Value left = getStoredLeft(matmul);
  auto matrix = getMatrix(left);
  if (elementOf(left) != product.type || !matrix || !matrix->second.names.empty())
    return std::nullopt;
  auto &[view, stride] = *matrix;
  int64_t bytes = getElementBytes(product.type);
  for (int64_t elements : {depth.size, view.offset, stride.scale})
    if (elements * bytes % kAlignment != 0)
      return std::nullopt;
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (std::max({columns.size, depth.size, stride.scale, frame.getBound(rows)}) > kMost)
    return std::nullopt;
  product.left = view.buffer.getArgNumber();
  product.weight = cast<BlockArgument>(matmul.getB()).getArgNumber();
  product.result = kernel.getNumArguments();
  product.rows = asExtent(rows);
  product.columns = columns.size;
  product.depth = depth.size;
  product.leftOffset = view.offset;
  product.leftStride = stride.scale;
  product.usesTf32 = frame.options.usesTf32 && product.type.isF32();
  product.isLibrarys = isLibrarys(product, frame.getBound(rows), frame.options);
  product.isByCostModel = frame.options.products == LibraryUse::Auto;
  return product;
}

} // namespace ashlar::cuda
