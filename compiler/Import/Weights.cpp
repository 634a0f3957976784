// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Import/Weights.h"

#include "compiler/Diagnostics/ErrorCodes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InterleavedRange.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar {

/// How often a missing or misshapen tensor is reported; a wrong directory would otherwise list all
/// of the model.
static constexpr int kMostErrors = 8;

static std::string shapeText(ArrayRef<int64_t> shape) {
  return llvm::formatv("[{0}]", llvm::interleaved(shape)).str();
}

void setInsertionPointForStates(OpBuilder &builder, ModuleOp module) {
  auto functions = module.getOps<func::FuncOp>();
  if (functions.empty())
    builder.setInsertionPointToEnd(module.getBody());
  else
    builder.setInsertionPoint(*functions.begin());
}

/// A checkpoint may leave the base model's prefix out or put it where this architecture has none,
/// and the oldest BERT checkpoints name a LayerNorm's scale and bias gamma and beta.
const TensorInfo *ImportedWeights::find(const Path &path, StringRef leaf) const {
  SmallVector<std::string> leaves = {leaf.str()};
  if (StringRef(path.name).ends_with("LayerNorm"))
    leaves.push_back(leaf == "weight" ? "gamma" : "beta");
  SmallVector<std::string> prefixes = {path.prefix, ""};
  if (path.prefix.empty())
    prefixes.push_back(basePrefix);
  for (const std::string &prefix : prefixes)
    for (const std::string &name : leaves)
      if (const TensorInfo *tensor = checkpoint->Find(prefix + path.name + "." + name))
        return tensor;
  return nullptr;
}

bool ImportedWeights::has(const Path &path, StringRef leaf) const {
  return !checkpoint || find(path, leaf);
}

Type ImportedWeights::getElementType(const TensorInfo *tensor, size_t rank) const {
  Builder b(random.getContext());
  if (rank < 2 || type == WeightType::F32)
    return b.getF32Type();
  if (type == WeightType::BF16)
    return b.getBF16Type();
  if (!checkpoint)
    return random;
  return tensor && tensor->dtype == DType::kBF16 ? Type(b.getBF16Type()) : Type(b.getF32Type());
}

bool ImportedWeights::hasBf16() const {
  return llvm::any_of(declared, [](const auto &entry) {
    StateOp state = entry.second;
    return cast<RankedTensorType>(state.getType()).getElementType().isBF16();
  });
}

void ImportedWeights::check(const TensorInfo *tensor, const std::string &name,
                            ArrayRef<int64_t> shape, Location loc) {
  if (!checkpoint ||
      (tensor && ArrayRef<int64_t>(tensor->shape) == shape && IsFloat(tensor->dtype)))
    return;
  if (++errors > kMostErrors)
    return;
  if (!tensor)
    emitError(loc, ErrorCode::kTensorMissing)
        << "tensor '" << name << "' of shape " << shapeText(shape)
        << " is missing: " << std::string(checkpoint->MissingTensorError(name).message());
  else if (!IsFloat(tensor->dtype))
    emitError(loc, ErrorCode::kTensorMismatch)
        << "tensor '" << tensor->name << "' holds " << std::string(DTypeName(tensor->dtype))
        << ", expected F32, F16, BF16 or F64";
  else
    emitError(loc, ErrorCode::kTensorMismatch)
        << "tensor '" << tensor->name << "' has shape " << shapeText(tensor->shape) << ", expected "
        << shapeText(shape);
  if (errors == kMostErrors)
    emitRemark(loc) << "further tensors are not checked";
}

static std::string getName(const Path &path, StringRef leaf) {
  return path.prefix + path.name + "." + leaf.str();
}

const TensorInfo *ImportedWeights::findChecked(const Path &path, StringRef leaf,
                                               ArrayRef<int64_t> shape, Location loc) {
  const TensorInfo *tensor = checkpoint ? find(path, leaf) : nullptr;
  check(tensor, getName(path, leaf), shape, loc);
  return tensor;
}

StateOp ImportedWeights::declare(StringRef name, const TensorInfo *tensor, ArrayRef<int64_t> shape,
                                 InitKind init, Location loc) {
  OpBuilder b(module.getContext());
  setInsertionPointForStates(b, module);
  Type stateType = RankedTensorType::get(shape, getElementType(tensor, shape.size()));
  MLIRContext *context = b.getContext();
  return StateOp::create(b, loc, StateRoleAttr::get(context, StateRole::Parameter),
                         StateScopeAttr::get(context, StateScope::Model), b.getStringAttr(name),
                         TypeAttr::get(stateType), /*tensor=*/StringAttr(),
                         /*begin=*/DenseI64ArrayAttr(), /*whole=*/DenseI64ArrayAttr(),
                         InitKindAttr::get(context, init),
                         init == InitKind::Normal ? b.getF32FloatAttr(static_cast<float>(stddev))
                                                  : FloatAttr());
}

StateOp ImportedWeights::get(const Path &path, StringRef leaf, ArrayRef<int64_t> shape,
                             InitKind init, Location loc) {
  std::string name = getName(path, leaf);
  StateOp &state = declared[name];
  if (state)
    return state;
  const TensorInfo *tensor = findChecked(path, leaf, shape, loc);
  state = declare(name, tensor, shape, init, loc);
  if (tensor && tensor->name != name)
    state.setTensor(tensor->name);
  return state;
}

StateOp ImportedWeights::getColumns(const Path &path, StringRef part, StringRef leaf,
                                    ArrayRef<int64_t> rows, const ColumnRange &columns,
                                    InitKind init, Location loc) {
  StateOp &state = declared[getName(path / part, leaf)];
  if (state)
    return state;
  std::string stored = getName(path, leaf);
  SmallVector<int64_t> shape(rows), whole(rows), begin(rows.size(), 0);
  shape.push_back(columns.size);
  whole.push_back(columns.whole);
  begin.push_back(columns.begin);
  auto [found, isNew] = merged.try_emplace(stored);
  if (isNew)
    found->second = findChecked(path, leaf, whole, loc);
  const TensorInfo *tensor = found->second;
  state = declare(getName(path / part, leaf), tensor, shape, init, loc);
  state.setTensor(tensor ? StringRef(tensor->name) : StringRef(stored));
  state.setBegin(begin);
  state.setWhole(whole);
  return state;
}

} // namespace ashlar
