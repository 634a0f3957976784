// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/npy/npy.h"

#include <cstring>
#include <optional>

#include "runtime/base/error_code.h"
#include "runtime/base/file.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxHeader = 1 << 20;
constexpr size_t kMaxRank = 32;

struct Descr {
  const char* text;
  DType dtype;
};
constexpr Descr kDescrs[] = {
    {"<f4", DType::kF32}, {"<f8", DType::kF64}, {"<f2", DType::kF16},  {"<i8", DType::kI64},
    {"<i4", DType::kI32}, {"<i2", DType::kI16}, {"|i1", DType::kI8},   {"|u1", DType::kU8},
    {"<u2", DType::kU16}, {"<u4", DType::kU32}, {"<u8", DType::kU64},  {"|b1", DType::kBool},
    {"<i1", DType::kI8},  {"<u1", DType::kU8},  {"<b1", DType::kBool},
};

// Reads the header's Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> shape;

  bool Parse() {
    if (!Take('{')) return false;
    while (!Take('}')) {
      std::string key;
      if (!String(&key) || !Take(':') || !Value(key)) return false;
      if (!Take(',')) {
        if (!Take('}')) return false;
        break;
      }
    }
    Skip();
    return rest_.empty() && descr && fortran_order && shape;
  }

 private:
  void Skip() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n' || rest_[0] == '\t'))
      rest_.remove_prefix(1);
  }
  bool Take(char c) {
    Skip();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool TakeWord(std::string_view word) {
    Skip();
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool String(std::string* out) {
    Skip();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) return false;
    size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) return false;
    *out = std::string(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return true;
  }
  bool Number(int64_t* out) {
    Skip();
    *out = 0;
    bool any = false;
    for (; !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; rest_.remove_prefix(1), any = true)
      if (!CheckedMul<int64_t>(*out, 10, out) || !CheckedAdd<int64_t>(*out, rest_[0] - '0', out))
        return false;
    return any;
  }
  bool Value(const std::string& key) {
    if (key == "descr" && !descr) return String(&descr.emplace());
    if (key == "fortran_order" && !fortran_order) {
      fortran_order = TakeWord("True");
      return *fortran_order || TakeWord("False");
    }
    if (key != "shape" || shape || !Take('(')) return false;
    shape.emplace();
    while (!Take(')')) {
      int64_t extent;
      if (!Number(&extent) || shape->size() == kMaxRank) return false;
      shape->push_back(extent);
      if (!Take(',')) return Take(')');
    }
    return true;
  }

  std::string_view rest_;
};

// Elements in Fortran order (first index fastest) to row-major.
std::string ToRowMajor(std::string_view source, const std::vector<int64_t>& shape, size_t size) {
  std::string out(source.size(), '\0');
  std::vector<int64_t> strides(shape.size()), index(shape.size());
  int64_t stride = 1;
  for (size_t d = 0; d < shape.size(); ++d) strides[d] = stride, stride *= shape[d];
  int64_t from = 0;
  for (size_t to = 0; to < out.size(); to += size) {
    std::memcpy(out.data() + to, source.data() + from * size, size);
    for (size_t d = shape.size(); d-- > 0;) {
      from += strides[d];
      if (++index[d] < shape[d]) break;
      from -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<NpyArray> ParseNpy(const std::string& name, std::string_view image) {
  if (image.size() < 10 || image.substr(0, 6) != kMagic) return DataLoss(name, ": not a .npy file");
  int version = static_cast<unsigned char>(image[6]);
  if (version < 1 || version > 3)
    return DataLoss(name, ": .npy version ", version, ", expected 1 to 3");
  size_t start = version == 1 ? 10 : 12, length = 0;
  if (image.size() < start) return DataLoss(name, ": truncated in the header");
  std::memcpy(&length, image.data() + 8, start - 8);
  if (length > kMaxHeader || length > image.size() - start)
    return DataLoss(name, ": a header of ", length, " bytes, the file has ", image.size() - start,
                    " (truncated?)");
  std::string_view text = image.substr(start, length), data = image.substr(start + length);
  HeaderParser header(text);
  if (!header.Parse())
    return DataLoss(name, ": cannot read the header ", Printable(text, 120),
                    "; expected descr, fortran_order and shape of a plain array");
  NpyArray array;
  bool known = false;
  for (const Descr& descr : kDescrs)
    if (*header.descr == descr.text) array.dtype = descr.dtype, known = true;
  if (!known)
    return InvalidArgument(name, ": elements of type '", Printable(*header.descr),
                           "' are not supported; save bool, integers or floats, little endian");
  array.shape = *header.shape;
  int64_t elements, bytes;
  if (!CheckedElements(array.shape, &elements) ||
      !CheckedMul<int64_t>(elements, DTypeSize(array.dtype), &bytes))
    return DataLoss(name, ": shape ", ShapeToString(array.shape), " has too many elements");
  if (static_cast<uint64_t>(bytes) != data.size())
    return DataLoss(name, ": expected ", bytes, " bytes for ", DTypeName(array.dtype), " ",
                    ShapeToString(array.shape), ", found ", data.size());
  bool reorder = *header.fortran_order && array.shape.size() > 1 && elements > 0;
  array.bytes = reorder ? ToRowMajor(data, array.shape, DTypeSize(array.dtype)) : std::string(data);
  if (array.dtype == DType::kBool)  // true is any byte but zero in the file, and 1 in ours
    for (char& element : array.bytes) element = element != 0;
  return array;
}

absl::StatusOr<NpyArray> ReadNpy(const std::string& path) {
  ASHLAR_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  auto array = ParseNpy(path, file->bytes());
  ASHLAR_RETURN_IF_ERROR(file->CheckUnchanged());
  if (!array.ok()) return WithCode(ErrorCode::kBadArray, array.status());
  return array;
}

absl::StatusOr<std::string> NpyImage(DType dtype, const std::vector<int64_t>& shape,
                                     const void* data) {
  int64_t elements;
  if (!CheckedElements(shape, &elements)) return InvalidArgument("shape ", ShapeToString(shape));
  DType stored = dtype == DType::kBF16 ? DType::kF32 : dtype;
  const char* text = nullptr;
  for (const Descr& descr : kDescrs)
    if (descr.dtype == stored && !text) text = descr.text;
  if (!text) return InvalidArgument("NumPy has no ", DTypeName(dtype));
  // "(3,)" for one dimension, "(3, 4)" for more; the whole header is a multiple of 64 bytes and
  // ends a line.
  std::string dict = StrCat("{'descr': '", text, "', 'fortran_order': False, 'shape': (",
                            StrJoin(shape, ", "), shape.size() == 1 ? ",)" : ")", ", }");
  size_t length = RoundUp<size_t>(10 + dict.size() + 1, 64) - 10;
  dict.append(length - dict.size() - 1, ' ');
  std::string image(kMagic);
  image += {'\1', '\0', static_cast<char>(length & 255), static_cast<char>(length >> 8)};
  image += dict + "\n";
  size_t start = image.size();
  image.resize(start + elements * DTypeSize(stored));
  ASHLAR_RETURN_IF_ERROR(ConvertElements(dtype, data, stored, image.data() + start, elements));
  return image;
}

absl::Status WriteNpy(const std::string& path, DType dtype, const std::vector<int64_t>& shape,
                      const void* data) {
  ASHLAR_ASSIGN_OR_RETURN(std::string image, NpyImage(dtype, shape, data));
  return WriteFile(path, image);
}

}  // namespace ashlar
