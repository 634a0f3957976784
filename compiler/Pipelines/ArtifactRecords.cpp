// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/ArtifactRecords.h"

#include "compiler/Pipelines/KernelTable.h"

using namespace mlir;

namespace ashlar {

fb::DType toDType(Type type) {
  if (type.isF32())
    return fb::DType::F32;
  if (type.isF16())
    return fb::DType::F16;
  if (type.isBF16())
    return fb::DType::BF16;
  if (type.isF64())
    return fb::DType::F64;
  if (type.isInteger(64))
    return fb::DType::I64;
  if (type.isInteger(32))
    return fb::DType::I32;
  return type.isInteger(1) ? fb::DType::Bool : fb::DType::I8;
}

fb::ExtentT toExtent(program::ExtentAttr attr, const DimIndices &indices) {
  fb::ExtentT extent;
  extent.scale = attr.getScale();
  extent.divisor = attr.getDivisor();
  for (StringAttr dim : attr.getDims())
    extent.dims.push_back(indices.lookup(dim));
  return extent;
}
std::vector<std::unique_ptr<fb::ExtentT>> toExtents(ArrayAttr attrs, const DimIndices &indices) {
  std::vector<std::unique_ptr<fb::ExtentT>> extents;
  for (auto attr : attrs.getAsRange<program::ExtentAttr>())
    extents.push_back(std::make_unique<fb::ExtentT>(toExtent(attr, indices)));
  return extents;
}

DimIndices getExtents(program::KernelOp kernel) {
  DimIndices indices;
  for (auto [index, name] : llvm::enumerate(kernel.getExtents().getAsRange<FlatSymbolRefAttr>()))
    indices[name.getAttr()] = index;
  return indices;
}

std::vector<fb::Cut> toCuts(ArrayRef<int64_t> pairs) {
  std::vector<fb::Cut> cuts;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2)
    cuts.emplace_back(static_cast<uint32_t>(pairs[i]), static_cast<uint32_t>(pairs[i + 1]));
  return cuts;
}

static std::unique_ptr<fb::LibraryProductT>
toProduct(const DeviceProduct &from, const DimIndices &extents, MLIRContext *context) {
  auto product = std::make_unique<fb::LibraryProductT>();
  auto number = [](std::optional<unsigned> operand) {
    return operand ? static_cast<int32_t>(*operand) : -1;
  };
  product->left = from.left;
  product->weight = from.weight;
  product->result = from.result;
  product->addend = number(from.addend);
  product->bias = number(from.bias);
  product->rows =
      std::make_unique<fb::ExtentT>(toExtent(toExtentAttr(context, from.rows), extents));
  product->columns = from.columns;
  product->depth = from.depth;
  product->left_offset = from.leftOffset * llvm::divideCeil(from.type.getIntOrFloatBitWidth(), 8);
  product->left_stride = from.leftStride;
  product->dtype = toDType(from.type);
  product->result_dtype = toDType(from.resultType);
  product->activation = from.activation == Activation::Relu       ? fb::Activation::Relu
                        : from.activation == Activation::GeluTanh ? fb::Activation::GeluTanh
                                                                  : fb::Activation::None;
  product->tf32 = from.usesTf32;
  product->chosen_by = from.isByCostModel ? fb::Chooser::Model : fb::Chooser::Option;
  return product;
}

std::unique_ptr<fb::DeviceImageT> toDeviceImage(ModuleOp module, const CodeImage &code,
                                                uint64_t offset) {
  auto image = std::make_unique<fb::DeviceImageT>();
  image->kind = code.emulatorAbi ? fb::DeviceKind::Emulator : fb::DeviceKind::Cuda;
  image->arch = code.cpu;
  image->abi = code.emulatorAbi;
  image->offset = offset;
  image->size = code.code.size();
  for (auto [op, from] : llvm::zip_equal(module.getOps<program::KernelOp>(), code.kernels)) {
    auto kernel = std::make_unique<fb::DeviceKernelT>();
    kernel->offset = from.offset;
    kernel->size = from.size;
    kernel->entry = from.entry;
    kernel->symbol = from.symbol;
    DimIndices own = getExtents(op);
    for (const Extent &factor : from.grid)
      kernel->grid.push_back(
          std::make_unique<fb::ExtentT>(toExtent(toExtentAttr(op.getContext(), factor), own)));
    for (const DeviceTensorMap &map : from.tensorMaps) {
      auto matrix = std::make_unique<fb::TensorMapT>();
      matrix->operand = map.operand;
      matrix->rows =
          std::make_unique<fb::ExtentT>(toExtent(toExtentAttr(op.getContext(), map.rows), own));
      matrix->columns = map.columns;
      matrix->row_bytes = map.rowBytes;
      matrix->box_rows = map.boxRows;
      matrix->box_columns = map.boxColumns;
      matrix->dtype = map.isF16 ? fb::DType::F16 : fb::DType::BF16;
      kernel->tensor_maps.push_back(std::move(matrix));
    }
    if (from.product)
      (from.product->isLibrarys ? kernel->product : kernel->own_product) =
          toProduct(*from.product, own, op.getContext());
    kernel->threads = from.threads;
    kernel->shared_bytes = from.sharedBytes;
    kernel->registers = from.registers;
    kernel->spill_bytes = from.spillBytes;
    image->kernels.push_back(std::move(kernel));
  }
  return image;
}

} // namespace ashlar
