// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <set>

#include "runtime/base/dtype.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/extent.h"
#include "runtime/program/plain_products.h"
#include "runtime/program/verify_microbatches.h"
#include "runtime/program/verify_program.h"
#include "runtime/program/verify_ranks.h"

namespace ashlar {
namespace {

constexpr int64_t kMaxItems = int64_t{1} << 48;
constexpr int64_t kMaxProductRows = 0x7fffffff;
constexpr int64_t kMaxBlocks[3] = {0x7fffffff, 65535, 65535};  // of a device's grid

class EntryVerifier {
 public:
  EntryVerifier(const fb::ProgramT& program, const SectionSizes& sizes,
                const std::vector<int64_t>& bounds, const fb::EntryT& entry)
      : program_(program), sizes_(sizes), bounds_(bounds), entry_(entry) {}

  absl::Status Run() {
    ASHLAR_RETURN_IF_ERROR(Values(entry_.inputs, "input", true));
    ASHLAR_RETURN_IF_ERROR(Values(entry_.outputs, "output", false));
    for (size_t i = 0; i < entry_.launches.size(); ++i) {
      const fb::LaunchT& launch = *entry_.launches[i];
      if (absl::Status status = Launch(launch); !status.ok())
        return Annotate(status, StrCat("launch ", i, " (", Printable(launch.path), ")"));
    }
    for (const auto& limit : entry_.limits) ASHLAR_RETURN_IF_ERROR(Limit(*limit));
    ASHLAR_RETURN_IF_ERROR(VerifyCollectives(program_, bounds_, entry_));
    ASHLAR_RETURN_IF_ERROR(VerifyMicrobatches(program_, entry_));
    for (const auto& collective : entry_.collectives)
      for (const auto* shape : {&collective->input_shape, &collective->output_shape})
        for (const auto& extent : *shape) used_.insert(extent->dims.begin(), extent->dims.end());
    for (size_t dim = program_.dims.size(); dim-- > 0;)  // parts follow from what they are parts of
      if (const auto& whole = program_.dims[dim]->whole;
          whole && used_.count(static_cast<uint16_t>(dim))) {
        given_.insert(static_cast<uint16_t>(dim));
        used_.insert(whole->dims.begin(), whole->dims.end());
      }
    for (uint16_t dim : used_)
      if (!given_.count(dim) && program_.dims[dim]->minimum != program_.dims[dim]->maximum)
        return DataLoss("dimension '", program_.dims[dim]->name,
                        "' is used but no input's shape gives it");
    return absl::OkStatus();
  }

 private:
  // Evaluates at the bound and notes which dims are used.
  absl::Status Bound(const fb::ExtentT& extent, std::string_view what, int64_t* out) {
    if (!CheckedEvaluate(extent, bounds_, out))
      return DataLoss(what, ": extent with dims [", StrJoin(extent.dims, ", "), "], scale ",
                      extent.scale, ", divisor ", extent.divisor,
                      " is malformed or overflows at the bound");
    used_.insert(extent.dims.begin(), extent.dims.end());
    return absl::OkStatus();
  }

  absl::Status Values(const std::vector<std::unique_ptr<fb::ValueT>>& values, std::string_view kind,
                      bool inputs) {
    std::set<std::string> names;
    for (const auto& value : values) {
      std::string where = StrCat(kind, " '", Printable(value->name), "'");
      if (value->name.empty() || !names.insert(value->name).second)
        return DataLoss(where, ": name is empty or occurs twice");
      ASHLAR_RETURN_IF_ERROR(ValueBytes(*value, where));
      if (inputs) ASHLAR_RETURN_IF_ERROR(Input(*value, where));
    }
    return absl::OkStatus();
  }

  absl::Status ValueBytes(const fb::ValueT& value, const std::string& where) {
    if (value.dtype < fb::DType::MIN || value.dtype > fb::DType::MAX)
      return DataLoss(where, ": dtype ", static_cast<int>(value.dtype));
    std::vector<int64_t> shape(value.shape.size());
    for (size_t i = 0; i < shape.size(); ++i)
      ASHLAR_RETURN_IF_ERROR(Bound(*value.shape[i], where, &shape[i]));
    int64_t elements, bytes;
    if (!CheckedElements(shape, &elements) ||
        !CheckedMul<int64_t>(elements, DTypeSize(static_cast<DType>(value.dtype)), &bytes))
      return DataLoss(where, ": shape ", ShapeToString(shape), " overflows at the bound");
    if (static_cast<uint64_t>(bytes) != value.bytes)
      return DataLoss(where, ": expected ", bytes, " bytes for ", ShapeToString(shape), ", found ",
                      value.bytes);
    if (value.offset % kBufferAlignment != 0 ||
        !RangeFits(value.offset, value.bytes, entry_.arena_bytes))
      return DataLoss(where, ": ", value.bytes, " bytes at ", value.offset, " in an arena of ",
                      entry_.arena_bytes);
    return absl::OkStatus();
  }

  absl::Status Input(const fb::ValueT& value, const std::string& where) {
    for (const auto& extent : value.shape)
      if (IsPlainDim(*extent)) given_.insert(extent->dims[0]);
    if (value.default_kind < fb::Default::MIN || value.default_kind > fb::Default::MAX)
      return DataLoss(where, ": default ", static_cast<int>(value.default_kind));
    int64_t unused;
    if (value.default_kind == fb::Default::Fill) {
      if (!value.default_value) return DataLoss(where, ": no value to fill it with");
      ASHLAR_RETURN_IF_ERROR(Bound(*value.default_value, StrCat(where, " default"), &unused));
    }
    if (value.default_kind == fb::Default::Iota && value.shape.empty())
      return DataLoss(where, ": a scalar cannot default to an index");
    if (value.maximum) {
      if (!IsInteger(static_cast<DType>(value.dtype)))
        return DataLoss(where, ": a maximum for elements that are not integers");
      ASHLAR_RETURN_IF_ERROR(Bound(*value.maximum, StrCat(where, " maximum"), &unused));
    }
    return absl::OkStatus();
  }

  absl::Status Launch(const fb::LaunchT& launch) {
    if (launch.kernel >= program_.kernels.size())
      return DataLoss("kernel ", launch.kernel, " of ", program_.kernels.size());
    const fb::KernelT& kernel = *program_.kernels[launch.kernel];
    if (launch.operands.size() != kernel.operands.size() || launch.extents.size() != kernel.extents)
      return DataLoss("kernel '", kernel.name, "' takes ", kernel.operands.size(), " operands and ",
                      kernel.extents, " extents, found ", launch.operands.size(), " and ",
                      launch.extents.size());
    for (size_t i = 0; i < launch.operands.size(); ++i)
      ASHLAR_RETURN_IF_ERROR(Operand(*launch.operands[i], kernel.operands[i], i));
    std::vector<int64_t> extents(launch.extents.size());
    for (size_t i = 0; i < extents.size(); ++i)
      ASHLAR_RETURN_IF_ERROR(Bound(*launch.extents[i], StrCat("extent ", i), &extents[i]));
    int64_t items = 1;
    for (const auto& extent : kernel.grid) {
      int64_t size;
      if (!CheckedEvaluate(*extent, extents, &size) || !CheckedMul(items, size, &items) ||
          items > kMaxItems)
        return DataLoss("the grid of kernel '", kernel.name, "' overflows at the bound");
    }
    for (const auto& image : program_.device_images) {
      const auto& grid = image->kernels[launch.kernel]->grid;
      for (const auto& map : image->kernels[launch.kernel]->tensor_maps)
        ASHLAR_RETURN_IF_ERROR(TensorMap(launch, *map, extents));
      if (const auto* product = FindPlainProduct(*image->kernels[launch.kernel]))
        ASHLAR_RETURN_IF_ERROR(LibraryProduct(launch, *product, extents));
      for (size_t d = 0; d < grid.size(); ++d)
        if (int64_t blocks; !CheckedEvaluate(*grid[d], extents, &blocks) || blocks > kMaxBlocks[d])
          return DataLoss("the grid of kernel '", kernel.name, "' for ", Printable(image->arch),
                          " overflows at the bound");
    }
    return Work(launch);
  }

  // What a tensor map describes lies in its operand.
  absl::Status TensorMap(const fb::LaunchT& launch, const fb::TensorMapT& map,
                         const std::vector<int64_t>& extents) {
    const fb::OperandT& operand = *launch.operands[map.operand];
    int64_t rows, bytes;
    if (!CheckedEvaluate(*map.rows, extents, &rows) ||
        !CheckedMul(rows, static_cast<int64_t>(map.row_bytes), &bytes) ||
        static_cast<uint64_t>(bytes) > operand.bytes || operand.offset % 16 != 0)
      return DataLoss("a tensor map describes more than operand ", map.operand, "'s ",
                      operand.bytes, " bytes, or does not begin at a multiple of 16");
    return absl::OkStatus();
  }

  // What a library multiplies and writes lies in the operands.
  absl::Status LibraryProduct(const fb::LaunchT& launch, const fb::LibraryProductT& product,
                              const std::vector<int64_t>& extents) {
    int64_t rows;
    if (!CheckedEvaluate(*product.rows, extents, &rows) || rows > kMaxProductRows)
      return DataLoss("the rows of a library's product overflow at the bound");
    const uint64_t size = DTypeSize(static_cast<DType>(product.dtype)),
                   result = DTypeSize(static_cast<DType>(product.result_dtype));
    // Rows, columns and depth fit 31 bits: no product of two of them overflows with a size.
    auto check = [&](int64_t index, uint64_t begin, uint64_t bytes) {
      if (index < 0) return absl::OkStatus();
      const fb::OperandT& operand = *launch.operands[index];
      if (operand.offset % 16 == 0 && RangeFits(begin, bytes, operand.bytes))
        return absl::OkStatus();
      return DataLoss("a library's product takes ", bytes, " bytes at ", begin, " of operand ",
                      index, "'s ", operand.bytes, ", or it does not begin at a multiple of 16");
    };
    const uint64_t count = static_cast<uint64_t>(rows);
    const uint64_t left = rows ? ((count - 1) * product.left_stride + product.depth) * size : 0;
    ASHLAR_RETURN_IF_ERROR(check(product.left, product.left_offset, left));
    ASHLAR_RETURN_IF_ERROR(check(product.weight, 0, product.columns * product.depth * size));
    ASHLAR_RETURN_IF_ERROR(check(product.bias, 0, product.columns * result));
    ASHLAR_RETURN_IF_ERROR(check(product.addend, 0, count * product.columns * result));
    return check(product.result, 0, count * product.columns * result);
  }

  absl::Status Work(const fb::LaunchT& launch) {
    int64_t sum = 0, amount;
    for (const auto& work : launch.work) {
      if (work->kind < fb::WorkKind::MIN || work->kind > fb::WorkKind::MAX || !work->amount)
        return DataLoss("work of kind ", static_cast<int>(work->kind),
                        work->amount ? "" : " without an amount");
      ASHLAR_RETURN_IF_ERROR(Bound(*work->amount, "work", &amount));
      if (!CheckedAdd(sum, amount, &sum)) return DataLoss("work overflows at the bound");
    }
    return absl::OkStatus();
  }

  absl::Status Operand(const fb::OperandT& operand, fb::Access access, size_t index) {
    uint64_t region = 0;
    bool writable = true;
    switch (operand.space) {
      case fb::Space::Arena:
        region = entry_.arena_bytes;
        break;
      case fb::Space::State:
        region = program_.state_bytes;
        break;
      case fb::Space::Weights:
        region = program_.weights_bytes, writable = false;
        break;
      case fb::Space::Constants:
        region = sizes_.constants, writable = false;
        break;
      default:
        return DataLoss("operand ", index, ": space ", static_cast<int>(operand.space));
    }
    if (!RangeFits(operand.offset, operand.bytes, region))
      return DataLoss("operand ", index, ": ", operand.bytes, " bytes at ", operand.offset,
                      ", its space (", fb::EnumNameSpace(operand.space), ") has ", region);
    if (access != fb::Access::Read && !writable)
      return DataLoss("operand ", index, ": written, but its space (",
                      fb::EnumNameSpace(operand.space), ") is read-only");
    return absl::OkStatus();
  }

  absl::Status Limit(const fb::CounterLimitT& limit) {
    if (limit.state >= program_.states.size())
      return DataLoss("limit on state ", limit.state, " of ", program_.states.size());
    const fb::StateT& state = *program_.states[limit.state];
    std::string where = StrCat("limit on state '", state.name, "'");
    if (state.dtype != fb::DType::I64 || !limit.rows || !limit.add)
      return DataLoss(where, ": expected an I64 counter, rows and an increment");
    int64_t rows, add;
    ASHLAR_RETURN_IF_ERROR(Bound(*limit.rows, where, &rows));
    ASHLAR_RETURN_IF_ERROR(Bound(*limit.add, where, &add));
    if (static_cast<uint64_t>(rows) > state.bytes / sizeof(int64_t))
      return DataLoss(where, ": ", rows, " rows, the state has ", state.bytes / sizeof(int64_t));
    return absl::OkStatus();
  }

  const fb::ProgramT& program_;
  const SectionSizes& sizes_;
  const std::vector<int64_t>& bounds_;
  const fb::EntryT& entry_;
  std::set<uint16_t> used_, given_;
};

}  // namespace

absl::Status VerifyEntry(const fb::ProgramT& program, const SectionSizes& sizes,
                         const std::vector<int64_t>& bounds, const fb::EntryT& entry) {
  return EntryVerifier(program, sizes, bounds, entry).Run();
}

}  // namespace ashlar
