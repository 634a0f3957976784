// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/microbatches.h"

#include <algorithm>
#include <cstring>

#include "runtime/base/dtype.h"
#include "runtime/program/cut.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

int BatchAxis(const fb::ValueT& value, uint16_t batch) {
  for (size_t axis = 0; axis < value.shape.size(); ++axis)
    if (IsPlainDim(*value.shape[axis]) && value.shape[axis]->dims[0] == batch)
      return static_cast<int>(axis);
  return -1;
}

}  // namespace

Microbatches::Microbatches(const fb::ProgramT& program, const fb::EntryT& entry, int rank)
    : entry_(entry) {
  for (const auto& input : entry.inputs) input_axes_.push_back(BatchAxis(*input, entry.batch));
  for (const auto& output : entry.outputs) output_axes_.push_back(BatchAxis(*output, entry.batch));
  for (const auto& limit : entry.limits)
    for (uint16_t dim : limit->rows->dims)
      if (program.dims[dim]->whole) cuts_ = &program.dims[dim]->cuts;
  if (cuts_) place_ = PartOf(*cuts_, rank);
  parts_.resize(1);
}

bool Microbatches::TrySplit(int64_t rows, int parts) {
  static const std::vector<fb::Cut> kAlone;
  const std::vector<fb::Cut>& cuts = cuts_ ? *cuts_ : kAlone;
  const int ranks = PartCount(cuts);
  split_.assign(1, fb::Cut(1, static_cast<uint32_t>(parts)));
  size_ = static_cast<size_t>(parts);
  if (parts_.size() < size_) parts_.resize(size_);
  for (int i = 0; i < parts; ++i) {
    Part& part = parts_[i];
    part.runs.clear();
    part.rows = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const CutRange held = GetPart(rows, cuts, rank), mine = GetPart(held.size, split_, i);
      if (rank == place_) part.first_row = mine.begin;
      part.rows += mine.size;
      if (!part.runs.empty() &&
          part.runs.back().begin + part.runs.back().size == held.begin + mine.begin)
        part.runs.back().size += mine.size;
      else
        part.runs.push_back({held.begin + mine.begin, mine.size});
    }
    for (int rank = 0; rank < ranks; ++rank)
      if (GetPart(part.rows, cuts, rank).size !=
          GetPart(GetPart(rows, cuts, rank).size, split_, i).size)
        return false;
  }
  return true;
}

size_t Microbatches::Split(const std::vector<int64_t>& dims) {
  int64_t parts = entry_.microbatches;
  if (parts > 1) {
    const int64_t rows = dims[entry_.batch];
    parts = std::min(parts, cuts_ ? GetPart(rows, *cuts_, 0).size : rows);
    while (parts > 1 && !TrySplit(rows, static_cast<int>(parts))) --parts;
  }
  if (parts <= 1) {
    size_ = 1;
    parts_[0].first_row = 0;
  }
  return size_;
}

// The products of the extents before an axis and of those behind it; without one all are before.
std::pair<int64_t, int64_t> Microbatches::Around(const std::vector<int64_t>& shape, int axis) {
  std::pair<int64_t, int64_t> around{1, 1};
  for (size_t d = 0; d < shape.size(); ++d) {
    if (axis < 0 || d < static_cast<size_t>(axis)) around.first *= shape[d];
    if (axis >= 0 && d > static_cast<size_t>(axis)) around.second *= shape[d];
  }
  return around;
}

const std::vector<Tensor>& Microbatches::Inputs(size_t part, const std::vector<Tensor>& whole) {
  inputs_.resize(whole.size());
  for (size_t t = 0; t < whole.size(); ++t) {
    inputs_[t] = whole[t];
    size_t i = 0;
    while (entry_.inputs[i]->name != whole[t].name) ++i;
    if (input_axes_[i] >= 0) inputs_[t].shape[input_axes_[i]] = parts_[part].rows;
  }
  return inputs_;
}

void Microbatches::Collect(size_t part, size_t output, const std::vector<int64_t>& dims,
                           const char* from, char* to) const {
  const fb::ValueT& value = *entry_.outputs[output];
  const size_t axis = static_cast<size_t>(output_axes_[output]);
  int64_t outer = 1, inner = DTypeSize(static_cast<DType>(value.dtype));  // in bytes
  for (size_t d = 0; d < value.shape.size(); ++d)
    if (d != axis) (d < axis ? outer : inner) *= Evaluate(*value.shape[d], dims.data());
  for (int64_t o = 0; o < outer; ++o, to += dims[entry_.batch] * inner)
    for (const Run& run : parts_[part].runs) {
      if (run.size > 0) std::memcpy(to + run.begin * inner, from, run.size * inner);
      from += run.size * inner;
    }
}

}  // namespace ashlar
