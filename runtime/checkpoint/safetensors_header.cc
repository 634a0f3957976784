// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The header of one file: JSON events to TensorInfo, then the checks on places.
#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "runtime/base/math.h"
#include "runtime/checkpoint/json_sax.h"
#include "runtime/checkpoint/safetensors.h"

namespace ashlar {
namespace {

// The format's own limit, and one on ranks that no tensor reaches.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxRank = 64;

// { "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {"format":
// "pt"} }
class HeaderReader : public JsonSaxReader {
 public:
  std::vector<TensorInfo> tensors;
  std::map<std::string, std::string> metadata;

 private:
  enum class In {
    kStart,
    kRoot,
    kTensor,
    kDType,
    kShape,
    kShapeItems,
    kOffsets,
    kOffsetsItems,
    kMetadata,
    kEnd
  };

  std::string Tensor() const { return StrCat("tensor '", Printable(tensor_.name), "'"); }
  std::string Where() const override {
    switch (in_) {
      case In::kStart:
        return "expected an object with the tensors";
      case In::kRoot:
        return StrCat("expected an object for ", Tensor());
      case In::kTensor:
        return StrCat(Tensor(), ": expected dtype, shape and data_offsets");
      case In::kDType:
        return StrCat(Tensor(), ": expected the dtype as a string");
      case In::kShape:
        return StrCat(Tensor(), ": expected the shape as an array");
      case In::kShapeItems:
        return StrCat(Tensor(), ": expected non-negative extents in the shape");
      case In::kOffsets:
        return StrCat(Tensor(), ": expected data_offsets as an array");
      case In::kOffsetsItems:
        return StrCat(Tensor(), ": expected two non-negative data_offsets");
      case In::kMetadata:
        return "expected strings in __metadata__";
      default:
        return "expected nothing after the header";
    }
  }

  bool start_object(size_t) override {
    if (in_ == In::kStart) {
      in_ = In::kRoot;
      return true;
    }
    if (in_ != In::kRoot) return Unexpected("an object");
    if (tensor_.name == "__metadata__") {
      in_ = In::kMetadata;
      return true;
    }
    in_ = In::kTensor;
    has_dtype_ = has_shape_ = has_offsets_ = false;
    return true;
  }

  bool key(string_t& name) override {
    if (in_ == In::kRoot) {
      if (!names_.insert(name).second) return Fail("tensor '", Printable(name), "' occurs twice");
      tensor_ = TensorInfo();
      tensor_.name = std::move(name);
      return true;
    }
    if (in_ == In::kMetadata) {
      metadata_key_ = std::move(name);
      if (metadata.count(metadata_key_))
        return Fail("__metadata__ has '", Printable(metadata_key_), "' twice");
      return true;
    }
    if (name == "dtype") return Begin(&has_dtype_, In::kDType, name);
    if (name == "shape") return Begin(&has_shape_, In::kShape, name);
    if (name == "data_offsets") return Begin(&has_offsets_, In::kOffsets, name);
    return Fail(Tensor(), ": unknown key '", Printable(name),
                "', expected dtype, shape, data_offsets");
  }

  bool Begin(bool* has, In in, const std::string& name) {
    if (*has) return Fail(Tensor(), ": '", name, "' occurs twice");
    *has = true;
    in_ = in;
    return true;
  }

  bool string(string_t& value) override {
    if (in_ == In::kMetadata) {
      metadata[metadata_key_] = std::move(value);
      return true;
    }
    if (in_ != In::kDType) return Unexpected(StrCat("string '", Printable(value), "'"));
    std::optional<DType> dtype = ParseDTypeName(value);
    if (!dtype) {
      std::vector<std::string_view> known;
      for (int i = 0; i < kNumDTypes; ++i) known.push_back(DTypeName(static_cast<DType>(i)));
      return Fail(Tensor(), ": dtype '", Printable(value), "' is not known; known are ",
                  StrJoin(known, ", "));
    }
    tensor_.dtype = *dtype;
    in_ = In::kTensor;
    return true;
  }

  bool start_array(size_t) override {
    if (in_ == In::kShape)
      in_ = In::kShapeItems;
    else if (in_ == In::kOffsets)
      in_ = In::kOffsetsItems;
    else
      return Unexpected("an array");
    items_ = 0;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (in_ == In::kShapeItems) {
      if (value > static_cast<uint64_t>(INT64_MAX) || ++items_ > kMaxRank)
        return Fail(Tensor(), ": shape of more than ", kMaxRank, " dimensions or with extent ",
                    value);
      tensor_.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (in_ != In::kOffsetsItems || items_ == 2) return Unexpected(StrCat(value));
    if (items_++ == 0)
      tensor_.offset = value;
    else
      end_ = value;
    return true;
  }

  bool end_array() override {
    if (in_ == In::kOffsetsItems && items_ != 2) return Fail(Where(), ", found ", items_);
    in_ = In::kTensor;
    return true;
  }

  bool end_object() override {
    if (in_ == In::kTensor) {
      if (!has_dtype_ || !has_shape_ || !has_offsets_)
        return Fail(Tensor(), ": no ",
                    !has_dtype_   ? "dtype"
                    : !has_shape_ ? "shape"
                                  : "data_offsets");
      if (end_ < tensor_.offset)
        return Fail(Tensor(), ": data_offsets [", tensor_.offset, ", ", end_,
                    "] end before they begin");
      tensor_.bytes = end_ - tensor_.offset;
      if (!CheckBytes()) return false;
      tensors.push_back(std::move(tensor_));
      tensor_ = TensorInfo();
    }
    in_ = in_ == In::kRoot ? In::kEnd : In::kRoot;
    return true;
  }

  bool CheckBytes() {
    int64_t elements, bytes;
    if (!CheckedElements(tensor_.shape, &elements) ||
        !CheckedMul<int64_t>(elements, DTypeSize(tensor_.dtype), &bytes))
      return Fail(Tensor(), ": shape ", ShapeToString(tensor_.shape), " has too many elements");
    if (static_cast<uint64_t>(bytes) != tensor_.bytes)
      return Fail(Tensor(), ": expected ", bytes, " bytes for ", DTypeName(tensor_.dtype), " ",
                  ShapeToString(tensor_.shape), ", data_offsets give ", tensor_.bytes);
    return true;
  }

  In in_ = In::kStart;
  TensorInfo tensor_;
  uint64_t end_ = 0;
  size_t items_ = 0;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  std::string metadata_key_;
  std::unordered_set<std::string> names_;
};

// The tensors, sorted by place, must tile [0, data_bytes) exactly; empty tensors lie anywhere in
// it.
absl::Status CheckPlaces(const std::string& path, std::vector<TensorInfo>& tensors,
                         uint64_t data_bytes) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name);
  });
  uint64_t covered = 0;
  const TensorInfo* last = nullptr;
  for (const TensorInfo& tensor : tensors) {
    std::string name = Printable(tensor.name);
    if (!RangeFits(tensor.offset, tensor.bytes, data_bytes))
      return DataLoss(path, ": tensor '", name, "' ends at data byte ",
                      tensor.offset + tensor.bytes, ", the file has ", data_bytes, " (truncated?)");
    if (tensor.bytes == 0) continue;
    if (tensor.offset < covered)
      return DataLoss(path, ": tensors '", Printable(last->name), "' and '", name,
                      "' overlap: one ends at data byte ", covered, ", the other begins at ",
                      tensor.offset);
    if (tensor.offset > covered)
      return DataLoss(path, ": no tensor covers data bytes ", covered, " to ", tensor.offset,
                      ", before tensor '", name, "'");
    covered = tensor.offset + tensor.bytes;
    last = &tensor;
  }
  if (covered != data_bytes)
    return DataLoss(path, ": expected ", covered, " bytes of data after the header, found ",
                    data_bytes);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(const std::string& path,
                                                         std::string_view file) {
  if (file.size() < 8)
    return DataLoss(path, ": expected a safetensors file of at least 8 bytes, found ", file.size());
  uint64_t length;
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > kMaxHeaderBytes)
    return DataLoss(path, ": expected a header of at most ", kMaxHeaderBytes,
                    " bytes, its length says ", length, " (not a safetensors file?)");
  if (length > file.size() - 8)
    return DataLoss(path, ": expected a header of ", length, " bytes, the file has ",
                    file.size() - 8, " after the length (truncated?)");
  HeaderReader reader;
  ASHLAR_RETURN_IF_ERROR(reader.Read(path, file.substr(8, length)));
  SafetensorsHeader header;
  header.header_bytes = 8 + length;
  ASHLAR_RETURN_IF_ERROR(CheckPlaces(path, reader.tensors, file.size() - header.header_bytes));
  for (TensorInfo& tensor : reader.tensors) tensor.offset += header.header_bytes;
  header.tensors = std::move(reader.tensors);
  header.metadata = std::move(reader.metadata);
  return header;
}

}  // namespace ashlar
