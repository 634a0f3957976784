// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Npy.h"

#include "runtime/base/dtype.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace ashlar::interpreter {
namespace {

llvm::Error error(StringRef path, const llvm::Twine &what) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), path + ": " + what);
}

/// Returns what follows `'key':` in the header's dictionary.
StringRef field(StringRef header, StringRef key) {
  size_t at = header.find(("'" + key + "'").str());
  if (at == StringRef::npos)
    return "";
  return header.substr(at + key.size() + 2).ltrim().drop_front(1).ltrim(); // the colon
}

struct Format {
  Type type;
  int64_t bytes = 0;
};

Format formatOf(MLIRContext *context, StringRef descr) {
  Builder b(context);
  if (descr.starts_with("<f8")) return {b.getF64Type(), 8};
  if (descr.starts_with("<f4")) return {b.getF32Type(), 4};
  if (descr.starts_with("<f2")) return {b.getF16Type(), 2};
  if (descr.starts_with("<i8")) return {b.getI64Type(), 8};
  if (descr.starts_with("<i4")) return {b.getI32Type(), 4};
  if (descr.starts_with("|i1")) return {b.getI8Type(), 1};
  if (descr.starts_with("|b1")) return {b.getI1Type(), 1};
  return {};
}

/// Parses `(2, 3)`; false unless all extents are numbers whose product is small enough for a file.
bool parseShape(StringRef text, std::vector<int64_t> &shape, int64_t &elements) {
  size_t open = text.find('('), close = text.find(')');
  if (open != 0 || close == StringRef::npos)
    return false;
  SmallVector<StringRef> parts;
  text.substr(1, close - 1).split(parts, ',', -1, /*KeepEmpty=*/false);
  elements = 1;
  for (StringRef part : parts) {
    int64_t extent;
    if (part.trim().empty())
      continue;
    if (part.trim().getAsInteger(10, extent) || extent < 0 || llvm::MulOverflow(elements, extent, elements))
      return false;
    shape.push_back(extent);
  }
  return true;
}

void decode(Array &array, int64_t bytes, const char *data) {
  using namespace llvm::support::endian;
  for (int64_t i = 0; i < array.size(); ++i, data += bytes) {
    if (array.elementType.isF64())
      array.floats[i] = llvm::bit_cast<double>(read64le(data));
    else if (array.elementType.isF32())
      array.floats[i] = llvm::bit_cast<float>(read32le(data));
    else if (array.isFloat())
      array.floats[i] = F16ToF32(read16le(data));
    else if (bytes == 8)
      array.integers[i] = static_cast<int64_t>(read64le(data));
    else
      array.integers[i] = bytes == 4 ? static_cast<int32_t>(read32le(data)) : static_cast<signed char>(*data);
  }
}

} // namespace

llvm::Expected<Array> readNpy(MLIRContext *context, StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return error(path, buffer.getError().message());
  StringRef bytes = (*buffer)->getBuffer();
  if (bytes.size() < 12 || !bytes.starts_with("\x93NUMPY"))
    return error(path, "is no .npy file");
  bool wide = bytes[6] >= 2;
  size_t length = wide ? llvm::support::endian::read32le(bytes.data() + 8) : llvm::support::endian::read16le(bytes.data() + 8);
  size_t begin = wide ? 12 : 10;
  if (length > bytes.size() - begin)
    return error(path, "ends inside its header");
  StringRef header = bytes.substr(begin, length);
  Format format = formatOf(context, field(header, "descr").drop_front(1));
  if (!format.type)
    return error(path, "holds elements of a kind that is not read here: " + field(header, "descr").take_front(6));
  if (!field(header, "fortran_order").starts_with("False"))
    return error(path, "is in column-major order");
  std::vector<int64_t> shape;
  int64_t elements, size;
  if (!parseShape(field(header, "shape"), shape, elements) || llvm::MulOverflow(elements, format.bytes, size) ||
      static_cast<uint64_t>(size) != bytes.size() - begin - length)
    return error(path, "holds more or fewer bytes than its shape takes");
  Array array(format.type, shape);
  decode(array, format.bytes, bytes.data() + begin + length);
  return array;
}

llvm::Error writeNpy(StringRef path, const Array &array) {
  std::error_code code;
  llvm::raw_fd_ostream os(path, code);
  if (code)
    return error(path, code.message());
  bool isF64 = array.elementType.isF64(), isBool = array.elementType.isInteger(1);
  std::string header = std::string("{'descr': '") + (isF64 ? "<f8" : array.isFloat() ? "<f4" : isBool ? "|b1" : "<i8") +
                       "', 'fortran_order': False, 'shape': (";
  for (int64_t extent : array.shape)
    header += std::to_string(extent) + ",";
  header += "), }";
  header.append(63 - (header.size() + 10) % 64, ' ');
  header += '\n';
  char length[2];
  llvm::support::endian::write16le(length, static_cast<uint16_t>(header.size()));
  os << StringRef("\x93NUMPY\x01\x00", 8) << StringRef(length, 2) << header;
  for (int64_t i = 0; i < array.size(); ++i) {
    char element[8];
    size_t bytes = isBool ? 1 : array.isFloat() && !isF64 ? 4 : 8;
    if (isF64)
      llvm::support::endian::write64le(element, llvm::bit_cast<uint64_t>(array.floats[i]));
    else if (array.isFloat())
      llvm::support::endian::write32le(element, llvm::bit_cast<uint32_t>(static_cast<float>(array.floats[i])));
    else
      llvm::support::endian::write64le(element, static_cast<uint64_t>(array.integers[i]));
    os << StringRef(element, bytes);
  }
  os.close();
  return os.has_error() ? error(path, os.error().message()) : llvm::Error::success();
}

} // namespace ashlar::interpreter
