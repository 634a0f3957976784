// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/verify_ranks.h"

#include <algorithm>

#include "runtime/base/dtype.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/cut.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

constexpr int64_t kMaxRanks = 1 << 20;
// Collectives that are under way at once; communicators take more.
constexpr int64_t kMaxUnderWay = 32;

// Each rank has an index along each cut, and no two ranks of a group have all in common.
absl::Status CheckCuts(const std::vector<fb::Cut>& cuts, int64_t ranks, const std::string& where) {
  std::vector<std::pair<int64_t, int64_t>> sorted;
  for (const fb::Cut& cut : cuts) {
    const int64_t stride = cut.stride(), size = cut.size();
    if (stride < 1 || size < 1 || ranks % stride != 0 || ranks / stride % size != 0)
      return DataLoss(where, ": a cut of stride ", stride, " and size ", size, " over ", ranks,
                      " ranks");
    sorted.emplace_back(stride, size);
  }
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i].first % (sorted[i - 1].first * sorted[i - 1].second) != 0)
      return DataLoss(where, ": cuts overlap");
  return absl::OkStatus();
}

absl::Status CheckDim(const fb::ProgramT& program, size_t index, int64_t ranks,
                      const std::vector<int64_t>& bounds) {
  const fb::DimT& dim = *program.dims[index];
  if (!dim.whole) return absl::OkStatus();
  const std::string where = StrCat("dimension '", Printable(dim.name), "'");
  ASHLAR_RETURN_IF_ERROR(CheckCuts(dim.cuts, ranks, where));
  const std::vector<int64_t> before(bounds.begin(), bounds.begin() + static_cast<int64_t>(index));
  int64_t whole;
  if (!CheckedEvaluate(*dim.whole, before, &whole) ||
      GetPart(whole, dim.cuts, 0).size > dim.maximum)
    return DataLoss(where, ": its bound is below that of its part of another, or malformed");
  return absl::OkStatus();
}

absl::Status CheckPart(const fb::WeightPartT& part, int64_t ranks, const std::string& weight) {
  const std::string where =
      StrCat("weight '", Printable(weight), "', tensor '", Printable(part.tensor), "'");
  if (part.whole.empty() && part.cuts.empty() && part.cut_dims.empty() && part.begin.empty() &&
      part.range.empty())
    return absl::OkStatus();
  int64_t elements;
  if (part.whole.size() != part.shape.size() || part.cuts.size() != part.cut_dims.size() ||
      !CheckedElements(part.whole, &elements))
    return DataLoss(where, ": malformed cuts");
  if (part.begin.size() != part.range.size() ||
      (!part.range.empty() && part.range.size() != part.whole.size()))
    return DataLoss(where, ": malformed range");
  for (size_t dim = 0; dim < part.range.size(); ++dim)
    if (part.begin[dim] < 0 || part.range[dim] < 0 || part.range[dim] > part.whole[dim] ||
        part.begin[dim] > part.whole[dim] - part.range[dim])
      return DataLoss(where, ": elements from ", part.begin[dim], " on, ", part.range[dim], " of ",
                      part.whole[dim], " along dimension ", dim);
  const std::vector<int64_t>& extents = part.range.empty() ? part.whole : part.range;
  ASHLAR_RETURN_IF_ERROR(CheckCuts(part.cuts, ranks, where));
  for (uint32_t dim : part.cut_dims)
    if (dim >= extents.size()) return DataLoss(where, ": cuts dimension ", dim);
  for (size_t dim = 0; dim < extents.size(); ++dim) {
    std::vector<fb::Cut> cuts;
    for (size_t i = 0; i < part.cuts.size(); ++i)
      if (part.cut_dims[i] == dim) cuts.push_back(part.cuts[i]);
    if (int64_t largest = GetPart(extents[dim], cuts, 0).size; largest != part.shape[dim])
      return DataLoss(where, ": its largest part of dimension ", dim, " has ", largest, ", not ",
                      part.shape[dim]);
  }
  return absl::OkStatus();
}

bool Overlap(const fb::OperandT* one, const fb::OperandT* other) {
  if (!one || !other || one->space != other->space || one->bytes == 0 || other->bytes == 0)
    return false;
  return one->offset <= other->offset ? other->offset - one->offset < one->bytes
                                      : one->offset - other->offset < other->bytes;
}

class CollectiveVerifier {
 public:
  CollectiveVerifier(const std::vector<int64_t>& bounds, const fb::EntryT& entry,
                     const fb::CollectiveT& collective, bool on_cpus)
      : bounds_(bounds), entry_(entry), collective_(collective), on_cpus_(on_cpus) {}

  absl::Status Run() {
    const bool origin = collective_.op == fb::CollectiveOp::Origin;
    if (collective_.op < fb::CollectiveOp::MIN || collective_.op > fb::CollectiveOp::MAX ||
        collective_.reduction < fb::ReductionKind::MIN ||
        collective_.reduction > fb::ReductionKind::MAX || collective_.dtype < fb::DType::MIN ||
        collective_.dtype > fb::DType::MAX)
      return DataLoss("op ", static_cast<int>(collective_.op), ", reduction ",
                      static_cast<int>(collective_.reduction), ", dtype ",
                      static_cast<int>(collective_.dtype));
    if (collective_.layout != fb::Layout::Plain && collective_.op != fb::CollectiveOp::AllGather)
      return DataLoss("op ", static_cast<int>(collective_.op), " gives a layout");
    if (collective_.op == fb::CollectiveOp::Send || collective_.op == fb::CollectiveOp::Recv)
      return Message(collective_.op == fb::CollectiveOp::Send);
    ASHLAR_RETURN_IF_ERROR(Shape(collective_.output_shape, &output_));
    ASHLAR_RETURN_IF_ERROR(Operand(collective_.output.get(), output_, "output"));
    if (origin) {
      int64_t whole;
      if (!collective_.whole || !CheckedEvaluate(*collective_.whole, bounds_, &whole) ||
          collective_.dtype != fb::DType::I64 || !output_.empty())
        return DataLoss("an origin is an I64 within an extent");
      return absl::OkStatus();
    }
    ASHLAR_RETURN_IF_ERROR(Shape(collective_.input_shape, &input_));
    ASHLAR_RETURN_IF_ERROR(Operand(collective_.input.get(), input_, "input"));
    ASHLAR_RETURN_IF_ERROR(Dimensions());
    return Places();
  }

 private:
  int64_t ElementBytes() const { return DTypeSize(static_cast<DType>(collective_.dtype)); }

  absl::Status Shape(const std::vector<std::unique_ptr<fb::ExtentT>>& extents,
                     std::vector<int64_t>* shape) {
    for (const auto& extent : extents)
      if (!CheckedEvaluate(*extent, bounds_, &shape->emplace_back()))
        return DataLoss("a malformed shape");
    return absl::OkStatus();
  }

  absl::Status Operand(const fb::OperandT* operand, const std::vector<int64_t>& shape,
                       std::string_view what) {
    int64_t elements, bytes;
    if (!operand || operand->space != fb::Space::Arena || operand->offset % kBufferAlignment != 0 ||
        !RangeFits(operand->offset, operand->bytes, entry_.arena_bytes))
      return DataLoss(what, " outside the arena of ", entry_.arena_bytes, " bytes");
    if (!CheckedElements(shape, &elements) || !CheckedMul(elements, ElementBytes(), &bytes) ||
        static_cast<uint64_t>(bytes) > operand->bytes)
      return DataLoss(what, " of ", ShapeToString(shape), " in ", operand->bytes, " bytes");
    return absl::OkStatus();
  }

  // One side of it is here.
  absl::Status Message(bool sends) {
    if (collective_.peer >= static_cast<uint32_t>(PartCount(collective_.cuts)))
      return DataLoss("place ", collective_.peer, " of a group of ", PartCount(collective_.cuts));
    if (sends ? collective_.output != nullptr : collective_.input != nullptr)
      return DataLoss("a send has no output, a recv no input");
    ASHLAR_RETURN_IF_ERROR(
        Shape(sends ? collective_.input_shape : collective_.output_shape, &input_));
    return sends ? Operand(collective_.input.get(), input_, "input")
                 : Operand(collective_.output.get(), input_, "output");
  }

  // Others read the input, or this rank packs from it, while the others are written. A sum may be
  // taken in place.
  absl::Status Places() const {
    const fb::OperandT *input = collective_.input.get(), *output = collective_.output.get(),
                       *workspace = collective_.workspace.get();
    const bool in_place = collective_.op == fb::CollectiveOp::AllReduce &&
                          input->offset == output->offset && input->bytes == output->bytes;
    if (!in_place && Overlap(input, output)) return DataLoss("input and output overlap");
    if (Overlap(input, workspace)) return DataLoss("input and workspace overlap");
    if (Overlap(output, workspace)) return DataLoss("output and workspace overlap");
    return absl::OkStatus();
  }

  // Sets *runs to how many rows there are before a dimension. Where they hold bytes they are fewer
  // than those; empty ones are walked too.
  absl::Status Rows(const std::vector<int64_t>& shape, size_t axis, int64_t* runs) const {
    if (!CheckedElements({shape.begin(), shape.begin() + static_cast<int64_t>(axis)}, runs) ||
        static_cast<uint64_t>(*runs) > std::max(entry_.arena_bytes, uint64_t{1}))
      return DataLoss("too many empty rows of ", ShapeToString(shape));
    return absl::OkStatus();
  }

  // What may differ between input and output, and what has to be packed.
  absl::Status Dimensions() {
    using fb::CollectiveOp;
    const CollectiveOp op = collective_.op;
    const bool exchange = op == CollectiveOp::AllToAll;
    const size_t axis = collective_.axis, join = exchange ? collective_.join : axis;
    if (op == CollectiveOp::AllReduce)
      return input_ == output_ ? absl::OkStatus()
                               : DataLoss("all_reduce from ", ShapeToString(input_), " to ",
                                          ShapeToString(output_));
    if (input_.size() != output_.size() || axis >= input_.size() || join >= input_.size() ||
        (exchange && axis == join))
      return DataLoss("along dimension ", axis, " of ", ShapeToString(input_), " to ",
                      ShapeToString(output_));
    for (size_t d = 0; d < input_.size(); ++d) {
      const bool joined = op == CollectiveOp::AllGather ? d == axis : exchange && d == join;
      const int64_t whole = joined ? output_[d] : input_[d], part = joined ? input_[d] : output_[d];
      const bool changes = joined || d == axis;
      if (changes ? GetPart(whole, collective_.cuts, 0).size > part : whole != part)
        return DataLoss("dimension ", d, " of ", ShapeToString(input_), " to ",
                        ShapeToString(output_));
    }
    if (collective_.layout != fb::Layout::Plain) return Packed();
    const std::vector<int64_t>& packed = op == CollectiveOp::AllGather ? output_ : input_;
    int64_t runs, joined_runs;
    ASHLAR_RETURN_IF_ERROR(Rows(packed, axis, &runs));
    ASHLAR_RETURN_IF_ERROR(Rows(output_, join, &joined_runs));
    if (op == CollectiveOp::Slice) return absl::OkStatus();
    if (runs <= 1 && !exchange) return absl::OkStatus();
    uint64_t bytes = Packed(packed) + (exchange ? Packed(output_) : 0);
    if (!collective_.workspace || collective_.workspace->bytes < bytes)
      return DataLoss("a workspace of less than ", bytes, " bytes");
    return Operand(collective_.workspace.get(), {}, "workspace");
  }

  // A weight [N, K] of f32 that goes into panels, on CPUs.
  absl::Status Packed() {
    int64_t columns, elements, bytes;
    if (collective_.layout != fb::Layout::PanelF32 || collective_.axis != 0 ||
        collective_.dtype != fb::DType::F32 || output_.size() != 2 || !on_cpus_)
      return DataLoss("layout ", static_cast<int>(collective_.layout), " of ",
                      ShapeToString(output_));
    for (const auto& extent : collective_.output_shape)
      if (!extent->dims.empty()) return DataLoss("a weight of a named dimension");
    if (output_[1] < 1 || !CheckedRoundUp<int64_t>(output_[0], 32, &columns) ||
        !CheckedElements({columns, output_[1]}, &elements) ||
        !CheckedMul(elements, ElementBytes(), &bytes) ||
        static_cast<uint64_t>(bytes) > collective_.output->bytes)
      return DataLoss("panels of ", ShapeToString(output_), " in ", collective_.output->bytes,
                      " bytes");
    if (!collective_.workspace || collective_.workspace->bytes < Packed(output_))
      return DataLoss("a workspace of less than ", Packed(output_), " bytes");
    return Operand(collective_.workspace.get(), {}, "workspace");
  }

  // Of a shape that lies in the arena.
  uint64_t Packed(const std::vector<int64_t>& shape) const {
    int64_t elements = 0;
    CheckedElements(shape, &elements);
    return RoundUp(static_cast<uint64_t>(elements * ElementBytes()), kBufferAlignment);
  }

  const std::vector<int64_t>& bounds_;
  const fb::EntryT& entry_;
  const fb::CollectiveT& collective_;
  const bool on_cpus_;
  std::vector<int64_t> input_, output_;
};

// Whether all ranks of a group do it together: what a rank does alone is over at once, and messages
// are taken in their order.
bool MayStart(fb::CollectiveOp op) {
  using fb::CollectiveOp;
  return op == CollectiveOp::AllReduce || op == CollectiveOp::ReduceScatter ||
         op == CollectiveOp::AllGather || op == CollectiveOp::AllToAll;
}

}  // namespace

absl::Status VerifyMesh(const fb::ProgramT& program) {
  int64_t ranks = 1;
  for (const auto& axis : program.mesh)
    if (axis->size < 1 || !CheckedMul<int64_t>(ranks, axis->size, &ranks) || ranks > kMaxRanks)
      return DataLoss("mesh axis '", Printable(axis->name), "' of size ", axis->size);
  return absl::OkStatus();
}

absl::Status VerifyRanks(const fb::ProgramT& program, const std::vector<int64_t>& bounds) {
  ASHLAR_RETURN_IF_ERROR(VerifyMesh(program));
  const int64_t ranks = RankCount(program);
  for (size_t i = 0; i < program.dims.size(); ++i)
    ASHLAR_RETURN_IF_ERROR(CheckDim(program, i, ranks, bounds));
  for (const auto& weight : program.weights)
    for (const auto& part : weight->parts)
      ASHLAR_RETURN_IF_ERROR(CheckPart(*part, ranks, weight->name));
  if (ranks > 1 && program.weight_source == fb::WeightSource::Embedded && program.weights_bytes > 0)
    return DataLoss("weights embedded for ", ranks, " ranks");
  return absl::OkStatus();
}

absl::Status VerifyCollectives(const fb::ProgramT& program, const std::vector<int64_t>& bounds,
                               const fb::EntryT& entry) {
  int64_t ranks = RankCount(program);
  uint32_t before = 0;
  std::vector<bool> under_way(entry.collectives.size());
  int64_t count = 0;
  for (size_t i = 0; i < entry.collectives.size(); ++i) {
    const fb::CollectiveT& collective = *entry.collectives[i];
    const std::string where = StrCat("collective ", i, " (", Printable(collective.where), ")");
    if (collective.before < before || collective.before > entry.launches.size())
      return DataLoss(where, ": before launch ", collective.before, " of ", entry.launches.size());
    before = collective.before;
    if (collective.op == fb::CollectiveOp::Wait) {
      if (collective.ends >= i || !under_way[collective.ends])
        return DataLoss(where, ": ends collective ", collective.ends, ", which is not under way");
      under_way[collective.ends] = false;
      --count;
      continue;
    }
    // A send goes on until the entry is run again.
    const bool starts = collective.starts && collective.op != fb::CollectiveOp::Send;
    under_way[i] = starts;
    count += starts;
    if (starts && (!MayStart(collective.op) || count > kMaxUnderWay))
      return DataLoss(where, ": is started, which op ", static_cast<int>(collective.op),
                      " is not, or one of more than ", kMaxUnderWay, " at once");
    ASHLAR_RETURN_IF_ERROR(CheckCuts(collective.cuts, ranks, where));
    if (absl::Status status =
            CollectiveVerifier(bounds, entry, collective, program.device_images.empty()).Run();
        !status.ok())
      return Annotate(status, where);
  }
  for (size_t i = 0; i < under_way.size(); ++i)
    if (under_way[i])
      return DataLoss("collective ", i, " (", Printable(entry.collectives[i]->where),
                      "): is started and never ended");
  return absl::OkStatus();
}

}  // namespace ashlar
