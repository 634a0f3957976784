// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/input_values.h"

#include <algorithm>
#include <cstring>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/program/cut.h"
#include "runtime/program/describe.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

int64_t ReadInteger(DType dtype, const char* data, int64_t index) {
  int64_t value = 0;
  (void)ConvertElements(dtype, data + index * DTypeSize(dtype), DType::kI64, &value, 1);
  return value;
}

void WriteDefault(const fb::ValueT& value, int64_t fill, int64_t count, int64_t last_extent,
                  char* out) {
  DType dtype = static_cast<DType>(value.dtype);
  int size = DTypeSize(dtype);
  bool iota = value.default_kind == fb::Default::Iota;
  // One row (Iota) or one element (Fill), then copies of it.
  int64_t pattern = iota ? std::min(last_extent, count) : std::min<int64_t>(1, count);
  for (int64_t i = 0; i < pattern; ++i) {
    int64_t element = iota ? i : fill;
    (void)ConvertElements(DType::kI64, &element, dtype, out + i * size, 1);
  }
  for (int64_t i = pattern; i < count; i += pattern)
    std::memcpy(out + i * size, out, std::min(pattern, count - i) * size);
}

}  // namespace

InputValues::InputValues(const fb::ProgramT& program, const fb::EntryT& entry, int rank)
    : program_(program),
      entry_(entry),
      rank_(rank),
      used_(program.dims.size()),
      given_(entry.inputs.size()),
      dim_source_(program.dims.size()) {
  auto use_one = [&](const std::unique_ptr<fb::ExtentT>& extent) {
    if (!extent) return;
    for (uint16_t dim : extent->dims) used_[dim] = true;
  };
  auto use = [&](const std::vector<std::unique_ptr<fb::ExtentT>>& extents) {
    for (const auto& extent : extents) use_one(extent);
  };
  for (const auto& input : entry.inputs) {
    use(input->shape);
    use_one(input->default_value);
    use_one(input->maximum);
  }
  for (const auto& output : entry.outputs) use(output->shape);
  for (const auto& launch : entry.launches) {
    use(launch->extents);
    for (const auto& work : launch->work) use_one(work->amount);
  }
  for (const auto& limit : entry.limits) {
    use_one(limit->rows);
    use_one(limit->add);
  }
  for (const auto& collective : entry.collectives) {
    use(collective->input_shape);
    use(collective->output_shape);
    use_one(collective->whole);
  }
  for (size_t d = program.dims.size(); d-- > 0;)
    if (used_[d]) use_one(program.dims[d]->whole);
}

absl::Status InputValues::Match(const std::vector<Tensor>& tensors) {
  std::fill(given_.begin(), given_.end(), -1);
  for (size_t t = 0; t < tensors.size(); ++t) {
    size_t i = 0;
    while (i < entry_.inputs.size() && entry_.inputs[i]->name != tensors[t].name) ++i;
    if (i == entry_.inputs.size())
      return WithCode(ErrorCode::kBadInputs,
                      InvalidArgument("entry '", entry_.name, "' has no input '", tensors[t].name,
                                      "'; its inputs are\n", DescribeInputs(program_, entry_)));
    if (given_[i] >= 0)
      return WithCode(ErrorCode::kBadInputs,
                      InvalidArgument("input '", tensors[t].name, "' is given twice"));
    given_[i] = static_cast<int>(t);
  }
  for (size_t i = 0; i < entry_.inputs.size(); ++i)
    if (given_[i] < 0 && entry_.inputs[i]->default_kind == fb::Default::Required)
      return WithCode(
          ErrorCode::kBadInputs,
          InvalidArgument("input '", entry_.inputs[i]->name, "' of entry '", entry_.name,
                          "' is missing; the inputs are\n", DescribeInputs(program_, entry_)));
  return absl::OkStatus();
}

absl::Status InputValues::SetDim(uint16_t dim, int64_t extent, size_t input,
                                 std::vector<int64_t>* dims) {
  const fb::DimT& schema = *program_.dims[dim];
  const std::string& name = entry_.inputs[input]->name;
  if (dim_source_[dim] >= 0) {
    if ((*dims)[dim] == extent) return absl::OkStatus();
    return WithCode(ErrorCode::kBadShape,
                    InvalidArgument("inputs disagree: '", schema.name, "' is ", (*dims)[dim],
                                    " in '", entry_.inputs[dim_source_[dim]]->name, "' and ",
                                    extent, " in '", name, "'"));
  }
  if (extent < schema.minimum || extent > schema.maximum)
    return WithCode(
        ErrorCode::kBeyondBound,
        OutOfRange("input '", name, "': '", schema.name, "' is ", extent,
                   ", this artifact was compiled for ", schema.minimum, "..", schema.maximum));
  dim_source_[dim] = static_cast<int>(input);
  (*dims)[dim] = extent;
  return absl::OkStatus();
}

absl::Status InputValues::CheckShape(size_t input, const Tensor& tensor,
                                     const std::vector<int64_t>& dims) const {
  const fb::ValueT& value = *entry_.inputs[input];
  for (size_t i = 0; i < value.shape.size(); ++i) {
    int64_t expected = Evaluate(*value.shape[i], dims.data());
    if (tensor.shape[i] != expected)
      return WithCode(
          ErrorCode::kBadShape,
          InvalidArgument("input '", value.name, "': expected ", Describe(program_, value),
                          ", found shape ", ShapeToString(tensor.shape), ": dimension ", i,
                          " must be ", expected));
  }
  return absl::OkStatus();
}

absl::Status InputValues::Solve(const std::vector<Tensor>& tensors, const char* arena,
                                uint64_t arena_bytes, std::vector<int64_t>* dims) {
  ASHLAR_RETURN_IF_ERROR(Match(tensors));
  std::fill(dim_source_.begin(), dim_source_.end(), -1);
  for (size_t i = 0; i < entry_.inputs.size(); ++i) {
    if (given_[i] < 0) continue;
    const fb::ValueT& value = *entry_.inputs[i];
    const Tensor& tensor = tensors[given_[i]];
    if (tensor.shape.size() != value.shape.size())
      return WithCode(
          ErrorCode::kBadShape,
          InvalidArgument("input '", value.name, "': expected ", Describe(program_, value),
                          ", found shape ", ShapeToString(tensor.shape)));
    for (size_t d = 0; d < value.shape.size(); ++d)
      if (IsPlainDim(*value.shape[d]))
        ASHLAR_RETURN_IF_ERROR(SetDim(value.shape[d]->dims[0], tensor.shape[d], i, dims));
  }
  for (size_t d = 0; d < dims->size(); ++d) {
    if (dim_source_[d] >= 0) continue;
    const fb::DimT& schema = *program_.dims[d];
    if (schema.whole) {  // of dims before it
      (*dims)[d] =
          GetPart(Evaluate(*schema.whole, dims->data()), schema.cuts, PartOf(schema.cuts, rank_))
              .size;
      continue;
    }
    if (used_[d] && schema.minimum != schema.maximum)
      return WithCode(ErrorCode::kBadInputs,
                      InvalidArgument("no input that is given has the dimension '", schema.name,
                                      "'; the inputs are\n", DescribeInputs(program_, entry_)));
    (*dims)[d] = schema.minimum;
  }
  for (size_t i = 0; i < entry_.inputs.size(); ++i) {
    if (given_[i] < 0) continue;
    const Tensor& tensor = tensors[given_[i]];
    ASHLAR_RETURN_IF_ERROR(CheckShape(i, tensor, *dims));
    const char* data = tensor.as<char>();
    if (!data && tensor.elements() > 0)
      return WithCode(ErrorCode::kBadElements,
                      InvalidArgument("input '", tensor.name, "' has no data"));
    if (data >= arena && data < arena + arena_bytes)
      return WithCode(
          ErrorCode::kBadElements,
          InvalidArgument("input '", tensor.name,
                          "' lies in the session's own memory; copy the output that it is"));
  }
  return absl::OkStatus();
}

absl::Status InputValues::CheckElements(const fb::ValueT& value, const char* data, int64_t count,
                                        const std::vector<int64_t>& dims) const {
  if (!value.maximum) return absl::OkStatus();
  DType dtype = static_cast<DType>(value.dtype);
  int64_t minimum = value.minimum, maximum = Evaluate(*value.maximum, dims.data());
  for (int64_t i = 0; i < count; ++i) {
    int64_t element = ReadInteger(dtype, data, i);
    if (element >= minimum && element <= maximum) continue;
    std::vector<int64_t> index(value.shape.size());
    int64_t rest = i;
    for (size_t d = index.size(); d-- > 0;) {
      int64_t extent = Evaluate(*value.shape[d], dims.data());
      index[d] = rest % extent;
      rest /= extent;
    }
    return WithCode(ErrorCode::kElementOutOfRange,
                    OutOfRange("input '", value.name, "': element ", ShapeToString(index), " is ",
                               element, ", expected ", minimum, "..", maximum));
  }
  return absl::OkStatus();
}

template <typename Convert>
absl::Status InputValues::FillAll(const std::vector<Tensor>& tensors,
                                  const std::vector<int64_t>& dims, char* arena,
                                  Convert convert) const {
  for (size_t i = 0; i < entry_.inputs.size(); ++i) {
    const fb::ValueT& value = *entry_.inputs[i];
    char* out = arena + value.offset;
    int64_t count = 1, last = 1;
    for (const auto& extent : value.shape) {
      last = Evaluate(*extent, dims.data());
      count *= last;
    }
    if (given_[i] < 0) {
      int64_t fill = value.default_value ? Evaluate(*value.default_value, dims.data()) : 0;
      WriteDefault(value, fill, count, last, out);
    } else {
      absl::Status status = convert(i, tensors[given_[i]], count, out);
      if (!status.ok())
        return WithCode(ErrorCode::kBadElements,
                        Annotate(status, StrCat("input '", value.name, "'")));
    }
    ASHLAR_RETURN_IF_ERROR(CheckElements(value, out, count, dims));
  }
  return absl::OkStatus();
}

absl::Status InputValues::Fill(const std::vector<Tensor>& tensors, const std::vector<int64_t>& dims,
                               char* arena) const {
  return FillAll(tensors, dims, arena, [&](size_t i, const Tensor& tensor, int64_t n, char* out) {
    const DType dtype = static_cast<DType>(entry_.inputs[i]->dtype);
    return ConvertElements(tensor.dtype, tensor.data, dtype, out, n);
  });
}

absl::Status InputValues::FillPart(const std::vector<Tensor>& tensors,
                                   const Microbatches& microbatches, size_t part,
                                   const std::vector<int64_t>& dims, char* arena) const {
  return FillAll(tensors, dims, arena, [&](size_t i, const Tensor& tensor, int64_t, char* out) {
    const DType dtype = static_cast<DType>(entry_.inputs[i]->dtype);
    return microbatches.VisitRuns(part, i, tensor.shape, [&](int64_t begin, int64_t n) {
      const char* from = tensor.as<char>() + begin * DTypeSize(tensor.dtype);
      absl::Status status = ConvertElements(tensor.dtype, from, dtype, out, n);
      out += n * DTypeSize(dtype);
      return status;
    });
  });
}

}  // namespace ashlar
