// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Npy.h"

#include "mlir/IR/Builders.h"
#include "runtime/npy/npy.h"

using namespace mlir;

namespace ashlar::interpreter {

static llvm::Error toError(const absl::Status &status) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), std::string(status.message()));
}

static Type typeOf(MLIRContext *context, DType dtype) {
  Builder b(context);
  switch (dtype) {
  case DType::kF64:
    return b.getF64Type();
  case DType::kF32:
    return b.getF32Type();
  case DType::kF16:
    return b.getF16Type();
  case DType::kBool:
    return b.getI1Type();
  default:
    return b.getI64Type();
  }
}

llvm::Expected<Array> readNpy(MLIRContext *context, StringRef path) {
  auto file = ReadNpy(path.str());
  if (!file.ok())
    return toError(file.status());
  Array array(typeOf(context, file->dtype), file->shape);
  void *out = array.isFloat() ? static_cast<void *>(array.floats.data()) : array.integers.data();
  DType wide = array.isFloat() ? DType::kF64 : DType::kI64;
  if (absl::Status status =
          ConvertElements(file->dtype, file->bytes.data(), wide, out, array.size());
      !status.ok())
    return toError(status);
  return array;
}

llvm::Error writeNpy(StringRef path, const Array &array) {
  DType wide = array.isFloat() ? DType::kF64 : DType::kI64;
  DType dtype = array.isFloat() && !array.elementType.isF64() ? DType::kF32
                : array.elementType.isInteger(1)              ? DType::kBool
                                                              : wide;
  const void *elements =
      array.isFloat() ? static_cast<const void *>(array.floats.data()) : array.integers.data();
  std::string bytes(array.size() * DTypeSize(dtype), '\0');
  if (absl::Status status = ConvertElements(wide, elements, dtype, bytes.data(), array.size());
      !status.ok())
    return toError(status);
  absl::Status status = WriteNpy(path.str(), dtype, array.shape, bytes.data());
  return status.ok() ? llvm::Error::success() : toError(status);
}

} // namespace ashlar::interpreter
