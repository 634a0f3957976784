// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Parameters.h"

#include "runtime/memory/random.h"
#include "llvm/Support/InterleavedRange.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::interpreter {

/// The shape of the checkpoint's tensor, of which the state may be a range.
static ArrayRef<int64_t> getWholeShape(StateOp state) {
  return state.getWhole() ? *state.getWhole() : cast<RankedTensorType>(state.getType()).getShape();
}

/// Where element `index` of the state lies in the checkpoint's tensor.
static int64_t getPlace(StateOp state, int64_t index) {
  if (!state.getWhole())
    return index;
  ArrayRef<int64_t> shape = cast<RankedTensorType>(state.getType()).getShape();
  ArrayRef<int64_t> whole = *state.getWhole(), begin = *state.getBegin();
  int64_t place = 0, stride = 1;
  for (size_t d = shape.size(); d-- > 0; index /= shape[d], stride *= whole[d])
    place += (begin[d] + index % shape[d]) * stride;
  return place;
}

StateInitializer loadFromCheckpoint(std::shared_ptr<const Checkpoint> checkpoint) {
  return [checkpoint](StateOp state) -> FailureOr<ArrayPtr> {
    std::string name = state.getTensorName().str();
    auto type = cast<RankedTensorType>(state.getType());
    const TensorInfo *tensor = checkpoint->Find(name);
    if (!tensor)
      return state.emitError() << std::string(checkpoint->MissingTensorError(name).message());
    Array array(type.getElementType(), type.getShape());
    ArrayRef<int64_t> whole = getWholeShape(state);
    if (ArrayRef<int64_t>(tensor->shape) != whole)
      return state.emitError() << "tensor '" << name << "' has shape "
                               << llvm::interleaved_array(tensor->shape) << ", expected "
                               << llvm::interleaved_array(whole);
    std::vector<float> floats(llvm::product_of(whole, int64_t{1}));
    if (!array.isFloat() || !ToFloats(tensor->dtype, checkpoint->Data(*tensor).data(),
                                      static_cast<int64_t>(floats.size()), floats.data()))
      return state.emitError() << "tensor '" << name << "' of "
                               << std::string(DTypeName(tensor->dtype)) << " cannot be read as "
                               << type.getElementType();
    for (int64_t i = 0; i < array.size(); ++i)
      array.floats[i] = floats[getPlace(state, i)];
    array.round(Precision::F32);
    return std::make_shared<const Array>(std::move(array));
  };
}

StateInitializer drawFromSeed(uint64_t seed) {
  return [seed](StateOp state) -> FailureOr<ArrayPtr> {
    auto type = cast<RankedTensorType>(state.getType());
    Array array(type.getElementType(), type.getShape());
    if (!array.isFloat())
      return state.emitError() << "parameter @" << state.getSymName() << " of "
                               << type.getElementType() << " cannot be drawn";
    InitKind init = state.getInit().value_or(InitKind::Zeros);
    float scale = state.getStddev() ? state.getStddev()->convertToFloat() : 1.0f;
    uint64_t key = RandomKey(seed, std::string_view(state.getTensorName()));
    for (int64_t i = 0; i < array.size() && init != InitKind::Zeros; ++i)
      array.floats[i] =
          init == InitKind::Ones ? 1.0f : RandomNormal(key, getPlace(state, i)) * scale;
    array.round(Precision::F32);
    return std::make_shared<const Array>(std::move(array));
  };
}

} // namespace ashlar::interpreter
