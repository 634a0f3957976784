// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Parameters.h"

#include "runtime/memory/random.h"
#include "llvm/Support/InterleavedRange.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::interpreter {

StateInitializer loadFromCheckpoint(std::shared_ptr<const Checkpoint> checkpoint) {
  return [checkpoint](StateOp state) -> FailureOr<ArrayPtr> {
    std::string name = state.getTensorName().str();
    auto type = cast<RankedTensorType>(state.getType());
    const TensorInfo *tensor = checkpoint->Find(name);
    if (!tensor)
      return state.emitError() << std::string(checkpoint->MissingTensorError(name).message());
    Array array(type.getElementType(), type.getShape());
    if (tensor->shape != array.shape)
      return state.emitError() << "tensor '" << name << "' has shape "
                               << llvm::interleaved_array(tensor->shape) << ", expected "
                               << llvm::interleaved_array(array.shape);
    std::vector<float> floats(array.size());
    if (!array.isFloat() ||
        !ToFloats(tensor->dtype, checkpoint->Data(*tensor).data(), array.size(), floats.data()))
      return state.emitError() << "tensor '" << name << "' of "
                               << std::string(DTypeName(tensor->dtype)) << " cannot be read as "
                               << type.getElementType();
    array.floats.assign(floats.begin(), floats.end());
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
      array.floats[i] = init == InitKind::Ones ? 1.0f : RandomNormal(key, i) * scale;
    array.round(Precision::F32);
    return std::make_shared<const Array>(std::move(array));
  };
}

} // namespace ashlar::interpreter
