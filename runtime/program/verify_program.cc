// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/verify_program.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "runtime/base/dtype.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/extent.h"
#include "runtime/program/plain_products.h"
#include "runtime/program/stages.h"
#include "runtime/program/verify_ranks.h"

namespace ashlar {
namespace {

constexpr int64_t kMaxDim = int64_t{1} << 40;
constexpr uint64_t kMaxRegion = uint64_t{1} << 46;
constexpr uint64_t kMaxProductDim = 0x7fffffff;
constexpr size_t kMaxNameBytes = 256;
constexpr double kMaxMeasuredUs = 1e12;
constexpr uint32_t kMaxBlockThreads = 1024, kMaxBlockSharedBytes = 227 * 1024;

template <typename E>
bool Known(E value, E last) {
  return value >= static_cast<E>(0) && value <= last;
}

// Sorted byte ranges must not overlap; `what` names them.
using NamedRange = std::tuple<uint64_t, uint64_t, std::string>;
absl::Status CheckDisjoint(std::vector<NamedRange> ranges, std::string_view what) {
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    const auto& [begin, bytes, name] = ranges[i - 1];
    if (begin + bytes > std::get<0>(ranges[i]) && bytes > 0 && std::get<1>(ranges[i]) > 0)
      return DataLoss(what, " '", name, "' and '", std::get<2>(ranges[i]), "' overlap");
  }
  return absl::OkStatus();
}

absl::Status VerifyDims(const fb::ProgramT& program, std::vector<int64_t>* bounds) {
  std::set<std::string> names;
  for (const auto& dim : program.dims) {
    if (dim->name.empty() || !names.insert(dim->name).second)
      return DataLoss("dimension name '", Printable(dim->name), "' is empty or occurs twice");
    if (dim->minimum < 0 || dim->minimum > dim->maximum || dim->maximum > kMaxDim)
      return DataLoss("dimension '", dim->name, "': bounds ", dim->minimum, "..", dim->maximum);
    bounds->push_back(dim->maximum);
  }
  return absl::OkStatus();
}

absl::Status VerifyKernels(const fb::ProgramT& program) {
  for (const auto& kernel : program.kernels) {
    std::string where = StrCat("kernel '", Printable(kernel->name), "'");
    if (kernel->name.empty()) return DataLoss("a kernel has no name");
    for (fb::Access access : kernel->operands)
      if (!Known(access, fb::Access::MAX))
        return DataLoss(where, ": access ", static_cast<int>(access));
    if (kernel->scratch_bytes > kMaxRegion)
      return DataLoss(where, ": scratch of ", kernel->scratch_bytes, " bytes");
    std::vector<int64_t> ones(kernel->extents, 1);
    int64_t unused;
    for (const auto& extent : kernel->grid)
      if (!CheckedEvaluate(*extent, ones, &unused))
        return DataLoss(where, ": malformed extent in its grid");
  }
  return absl::OkStatus();
}

absl::Status VerifyImages(const fb::ProgramT& program, uint64_t code_bytes) {
  for (const auto& image : program.images) {
    std::string where = StrCat("image '", Printable(image->cpu), "'");
    if (image->size == 0 || !RangeFits(image->offset, image->size, code_bytes))
      return DataLoss(where, ": ", image->size, " bytes at ", image->offset,
                      ", the code section has ", code_bytes);
    if (image->entries.size() != program.kernels.size())
      return DataLoss(where, ": expected ", program.kernels.size(), " kernel entries, found ",
                      image->entries.size());
    for (size_t i = 0; i < image->entries.size(); ++i)
      if (image->entries[i] >= image->size)
        return DataLoss(where, ": kernel '", program.kernels[i]->name, "' begins at ",
                        image->entries[i], ", the image has ", image->size, " bytes");
  }
  if (program.images.empty() && program.device_images.empty() && !program.kernels.empty())
    return DataLoss("kernels, but no image with their code");
  return absl::OkStatus();
}

absl::Status VerifyTensorMap(const fb::KernelT& kernel, const fb::TensorMapT& map) {
  std::vector<int64_t> ones(kernel.extents, 1);
  int64_t unused;
  if (map.operand >= kernel.operands.size() || kernel.operands[map.operand] != fb::Access::Read)
    return DataLoss("a tensor map of operand ", map.operand, " of ", kernel.operands.size(),
                    ", which the kernel does not read only");
  if (!map.rows || !CheckedEvaluate(*map.rows, ones, &unused))
    return DataLoss("a tensor map with a malformed number of rows");
  constexpr uint64_t kMaxColumns = uint64_t{1} << 32;
  if (map.columns == 0 || map.columns > kMaxColumns || map.row_bytes % 16 != 0 ||
      map.row_bytes < 2 * map.columns || map.row_bytes > 2 * kMaxColumns || map.box_rows == 0 ||
      map.box_rows > 256 || map.box_columns == 0 || map.box_columns > 64 ||
      map.box_columns % 8 != 0)
    return DataLoss("a tensor map of ", map.columns, " columns in rows of ", map.row_bytes,
                    " bytes, boxes of ", map.box_rows, " x ", map.box_columns,
                    ", breaks a limit of the copy engine");
  if (map.dtype != fb::DType::BF16 && map.dtype != fb::DType::F16)
    return DataLoss("a tensor map of elements that are not of 16 bits");
  return absl::OkStatus();
}

// Who has chosen what computes the product, and how that was found. The words are printed: they are
// short, and of what can be printed.
absl::Status VerifyChoice(const fb::LibraryProductT& product) {
  if (!Known(product.chosen_by, fb::Chooser::MAX))
    return DataLoss("a library's product chosen by ", static_cast<int>(product.chosen_by));
  const bool is_measured = product.chosen_by == fb::Chooser::Measurement;
  if (is_measured != (product.measurement != nullptr))
    return DataLoss(
        "a library's product that was chosen by ",
        is_measured ? "a measurement, and has none" : "no measurement, and has one all the same");
  if (!is_measured) return absl::OkStatus();
  const fb::MeasurementT& measured = *product.measurement;
  for (const std::string* text : {&measured.device, &measured.library, &measured.date})
    if (text->empty() || text->size() > kMaxNameBytes || *text != Printable(*text, kMaxNameBytes))
      return DataLoss("a measurement with '", Printable(*text),
                      "' as the name of its device or library, or as its date");
  // Not a number is none of these.
  auto is_time = [](double us) { return us >= 0 && us <= kMaxMeasuredUs; };
  if (!is_time(measured.kernel_us) || !is_time(measured.library_us) || measured.rows == 0 ||
      measured.rows > kMaxProductDim)
    return DataLoss("a measurement of ", measured.kernel_us, " and ", measured.library_us,
                    " us at ", measured.rows, " rows");
  return absl::OkStatus();
}

// What does not depend on a launch: which operands, of which types, in which form.
absl::Status VerifyLibraryProduct(const fb::KernelT& kernel, const fb::LibraryProductT& product) {
  auto reads = [&](int64_t operand) {
    return operand >= 0 && operand < static_cast<int64_t>(kernel.operands.size()) &&
           kernel.operands[operand] == fb::Access::Read;
  };
  if (!reads(product.left) || !reads(product.weight) ||
      (product.addend != -1 && !reads(product.addend)) ||
      (product.bias != -1 && !reads(product.bias)))
    return DataLoss("a library's product reads operands ", product.left, ", ", product.weight, ", ",
                    product.addend, " and ", product.bias, " of ", kernel.operands.size(),
                    ", one of which the kernel does not read only");
  if (product.result >= kernel.operands.size() ||
      kernel.operands[product.result] != fb::Access::Write)
    return DataLoss("a library's product writes operand ", product.result, " of ",
                    kernel.operands.size(), ", which the kernel does not write only");
  std::vector<int64_t> ones(kernel.extents, 1);
  int64_t unused;
  if (!product.rows || !CheckedEvaluate(*product.rows, ones, &unused))
    return DataLoss("a library's product with a malformed number of rows");
  const fb::DType type = product.dtype, result = product.result_dtype;
  if ((type != fb::DType::F32 && type != fb::DType::F16 && type != fb::DType::BF16) ||
      (result != fb::DType::F32 && result != type) || (product.tf32 && type != fb::DType::F32) ||
      !Known(product.activation, fb::Activation::MAX))
    return DataLoss("a library's product of dtype ", static_cast<int>(type), " to dtype ",
                    static_cast<int>(result), ", activation ", static_cast<int>(product.activation),
                    product.tf32 ? ", in tf32" : "");
  const uint64_t piece = 16 / DTypeSize(static_cast<DType>(type));  // elements in 16 bytes
  if (product.columns == 0 || product.columns > kMaxProductDim || product.depth == 0 ||
      product.depth > kMaxProductDim || product.depth % piece != 0 ||
      product.left_stride < product.depth || product.left_stride > kMaxProductDim ||
      product.left_stride % piece != 0 || product.left_offset % 16 != 0)
    return DataLoss("a library's product of ", product.columns, " columns and a depth of ",
                    product.depth, ", rows of its left operand ", product.left_stride,
                    " elements apart from byte ", product.left_offset,
                    " on: rows must begin at multiples of 16 bytes, and counts fit 31 bits");
  return VerifyChoice(product);
}

absl::Status VerifyDeviceKernel(const fb::KernelT& kernel, const fb::DeviceKernelT& code,
                                const fb::DeviceImageT& image) {
  if (code.size == 0 || !RangeFits(code.offset, code.size, image.size))
    return DataLoss(code.size, " bytes of code at ", code.offset, ", the image has ", image.size);
  if (image.kind == fb::DeviceKind::Emulator ? code.entry >= code.size : code.symbol.empty())
    return DataLoss("entry ", code.entry, ", symbol '", Printable(code.symbol), "' in ", code.size,
                    " bytes of code");
  if (code.threads == 0 || code.threads % 32 != 0 || code.threads > kMaxBlockThreads)
    return DataLoss(code.threads, " threads in a block");
  if (code.shared_bytes > kMaxBlockSharedBytes)
    return DataLoss(code.shared_bytes, " bytes of shared memory");
  if (code.grid.size() > 3) return DataLoss("a grid of ", code.grid.size(), " dimensions");
  std::vector<int64_t> ones(kernel.extents, 1);
  int64_t unused;
  for (const auto& extent : code.grid)
    if (!CheckedEvaluate(*extent, ones, &unused)) return DataLoss("malformed extent in its grid");
  for (const auto& map : code.tensor_maps) ASHLAR_RETURN_IF_ERROR(VerifyTensorMap(kernel, *map));
  if (code.product && code.own_product)
    return DataLoss("a product that the library computes and that it does not");
  const fb::LibraryProductT* product = FindPlainProduct(code);
  return product ? VerifyLibraryProduct(kernel, *product) : absl::OkStatus();
}

absl::Status VerifyDeviceImages(const fb::ProgramT& program, uint64_t code_bytes) {
  if (!program.images.empty() && !program.device_images.empty())
    return DataLoss("code for CPUs and for devices in one program");
  for (const auto& image : program.device_images) {
    std::string where = StrCat("device image '", Printable(image->arch), "'");
    if (!Known(image->kind, fb::DeviceKind::MAX))
      return DataLoss(where, ": kind ", static_cast<int>(image->kind));
    if (!RangeFits(image->offset, image->size, code_bytes))
      return DataLoss(where, ": ", image->size, " bytes at ", image->offset,
                      ", the code section has ", code_bytes);
    if (image->kernels.size() != program.kernels.size())
      return DataLoss(where, ": expected ", program.kernels.size(), " kernels, found ",
                      image->kernels.size());
    for (size_t i = 0; i < image->kernels.size(); ++i)
      if (absl::Status status = VerifyDeviceKernel(*program.kernels[i], *image->kernels[i], *image);
          !status.ok())
        return Annotate(status, StrCat(where, ", kernel '", program.kernels[i]->name, "'"));
  }
  return absl::OkStatus();
}

// A panel weight's part is [N, K] or [K, N]; a plain part is its rows (dimension 0) of the weight,
// a matrix perhaps stored the other way round.
absl::Status VerifyParts(const fb::WeightT& weight, const std::string& where) {
  bool panels = weight.layout != fb::Layout::Plain;
  size_t joined = panels ? 1 : 0;  // the dimension along which parts are concatenated
  int64_t total = 0;
  for (const auto& part : weight.parts) {
    std::string which = StrCat(where, ", tensor '", Printable(part->tensor), "'");
    if (part->tensor.empty()) return DataLoss(where, ": a part has no tensor name");
    if (!Known(part->dtype, fb::DType::MAX) || !Known(part->init, fb::Init::MAX))
      return DataLoss(which, ": dtype ", static_cast<int>(part->dtype), ", init ",
                      static_cast<int>(part->init));
    DType from = static_cast<DType>(part->dtype), to = static_cast<DType>(weight.dtype);
    if (from != to && !(IsFloat(from) && IsFloat(to)))
      return DataLoss(which, ": cannot be converted from ", DTypeName(from), " to ", DTypeName(to));
    std::vector<int64_t> shape = part->shape;
    int64_t elements;
    if (!CheckedElements(shape, &elements) || shape.size() != weight.shape.size() ||
        (part->transposed && shape.size() != 2))
      return DataLoss(which, ": shape ", ShapeToString(shape), " cannot be part of ",
                      ShapeToString(weight.shape));
    if (part->transposed) std::swap(shape[0], shape[1]);
    for (size_t i = 0; i < shape.size(); ++i)
      if (i != joined && shape[i] != weight.shape[i])
        return DataLoss(which, ": shape ", ShapeToString(part->shape), " does not fit ",
                        ShapeToString(weight.shape));
    if (!CheckedAdd(total, shape.empty() ? 1 : shape[joined], &total))
      return DataLoss(which, ": too large");
  }
  int64_t expected = weight.shape.empty() ? 1 : weight.shape[joined];
  if (total != expected)
    return DataLoss(where, ": its parts have ", total, " of ", expected, " along dimension ",
                    joined);
  return absl::OkStatus();
}

absl::Status VerifyWeights(const fb::ProgramT& program, uint64_t constants_bytes) {
  std::vector<NamedRange> ranges;
  for (const auto& weight : program.weights) {
    std::string where = StrCat("weight '", Printable(weight->name), "'");
    if (weight->name.empty()) return DataLoss("a weight has no name");
    if (!Known(weight->dtype, fb::DType::MAX) || !Known(weight->layout, fb::Layout::MAX))
      return DataLoss(where, ": dtype ", static_cast<int>(weight->dtype), ", layout ",
                      static_cast<int>(weight->layout));
    uint64_t bytes;
    if (!WeightBytes(*weight, &bytes))
      return DataLoss(where, ": shape ", ShapeToString(weight->shape), " of ",
                      fb::EnumNameDType(weight->dtype), " does not fit layout ",
                      fb::EnumNameLayout(weight->layout));
    if (bytes != weight->bytes)
      return DataLoss(where, ": expected ", bytes, " bytes, found ", weight->bytes);
    bool constant = weight->parts.empty();
    uint64_t region = constant ? constants_bytes : program.weights_bytes;
    if (weight->offset % kBufferAlignment != 0 || !RangeFits(weight->offset, bytes, region))
      return DataLoss(where, ": ", bytes, " bytes at ", weight->offset, " in a region of ", region);
    if (constant) continue;
    ASHLAR_RETURN_IF_ERROR(VerifyParts(*weight, where));
    ranges.emplace_back(weight->offset, bytes, weight->name);
  }
  return CheckDisjoint(std::move(ranges), "weights");
}

absl::Status VerifyStates(const fb::ProgramT& program) {
  std::vector<NamedRange> ranges;
  std::set<std::string> names;
  for (const auto& state : program.states) {
    std::string where = StrCat("state '", Printable(state->name), "'");
    if (state->name.empty() || !names.insert(state->name).second)
      return DataLoss(where, ": name is empty or used twice");
    if (!Known(state->dtype, fb::DType::MAX))
      return DataLoss(where, ": dtype ", static_cast<int>(state->dtype));
    if (state->offset % kBufferAlignment != 0 ||
        !RangeFits(state->offset, state->bytes, program.state_bytes))
      return DataLoss(where, ": ", state->bytes, " bytes at ", state->offset,
                      ", the state region has ", program.state_bytes);
    ranges.emplace_back(state->offset, state->bytes, state->name);
  }
  return CheckDisjoint(std::move(ranges), "states");
}

}  // namespace

bool WeightBytes(const fb::WeightT& weight, uint64_t* bytes) {
  std::vector<int64_t> shape = weight.shape;
  if (weight.layout != fb::Layout::Plain) {
    bool f32 = weight.layout == fb::Layout::PanelF32;
    if (shape.size() != 2 || weight.dtype != (f32 ? fb::DType::F32 : fb::DType::BF16)) return false;
    if (shape[0] < 0 || shape[1] < 0) return false;
    if (!CheckedRoundUp<int64_t>(shape[1], 32, &shape[1])) return false;
    if (!f32 && !CheckedRoundUp<int64_t>(shape[0], 2, &shape[0])) return false;
  }
  int64_t elements, product;
  if (!CheckedElements(shape, &elements)) return false;
  if (!CheckedMul<int64_t>(elements, DTypeSize(static_cast<DType>(weight.dtype)), &product))
    return false;
  *bytes = static_cast<uint64_t>(product);
  return true;
}

absl::Status VerifyProgram(const fb::ProgramT& program, const SectionSizes& sizes) {
  if (!program.stages.empty()) {
    ASHLAR_RETURN_IF_ERROR(VerifyMesh(program));
    ASHLAR_RETURN_IF_ERROR(VerifyStages(program));
    for (size_t stage = 0; stage < program.stages.size(); ++stage)
      if (absl::Status status =
              VerifyProgram(ProjectStage(program, static_cast<int>(stage)), sizes);
          !status.ok())
        return Annotate(status, StrCat("stage ", stage));
    return absl::OkStatus();
  }
  if (!Known(program.weight_source, fb::WeightSource::MAX))
    return DataLoss("weight source ", static_cast<int>(program.weight_source));
  uint64_t expected =
      program.weight_source == fb::WeightSource::Embedded ? program.weights_bytes : 0;
  if (sizes.weights != expected)
    return DataLoss("expected a weights section of ", expected, " bytes, found ", sizes.weights);
  if (program.weights_bytes > kMaxRegion || program.state_bytes > kMaxRegion)
    return DataLoss("weights of ", program.weights_bytes, " bytes, state of ", program.state_bytes);
  std::vector<int64_t> bounds;
  ASHLAR_RETURN_IF_ERROR(VerifyDims(program, &bounds));
  ASHLAR_RETURN_IF_ERROR(VerifyKernels(program));
  ASHLAR_RETURN_IF_ERROR(VerifyImages(program, sizes.code));
  ASHLAR_RETURN_IF_ERROR(VerifyDeviceImages(program, sizes.code));
  ASHLAR_RETURN_IF_ERROR(VerifyWeights(program, sizes.constants));
  ASHLAR_RETURN_IF_ERROR(VerifyStates(program));
  ASHLAR_RETURN_IF_ERROR(VerifyRanks(program, bounds));
  std::set<std::string> names;
  for (const auto& entry : program.entries) {
    if (entry->name.empty() || !names.insert(entry->name).second)
      return DataLoss("entry name '", Printable(entry->name), "' is empty or occurs twice");
    if (entry->arena_bytes > kMaxRegion || entry->arena_lower_bound > entry->arena_bytes)
      return DataLoss("entry '", entry->name, "': arena of ", entry->arena_bytes,
                      " bytes, its lower bound is ", entry->arena_lower_bound);
    if (absl::Status status = VerifyEntry(program, sizes, bounds, *entry); !status.ok())
      return Annotate(status, StrCat("entry '", Printable(entry->name), "'"));
  }
  return absl::OkStatus();
}

}  // namespace ashlar
