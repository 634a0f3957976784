// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/shard_source.h"

#include <algorithm>
#include <cstring>

#include "runtime/program/cut.h"

namespace ashlar {
namespace {

// What a rank holds of each dimension of a part's tensor.
std::vector<CutRange> RangesOf(const fb::WeightPartT& part, int rank) {
  std::vector<CutRange> ranges;
  const std::vector<int64_t>& extents = part.range.empty() ? part.whole : part.range;
  for (size_t dim = 0; dim < extents.size(); ++dim) {
    std::vector<fb::Cut> cuts;
    for (size_t i = 0; i < part.cuts.size(); ++i)
      if (part.cut_dims[i] == dim) cuts.push_back(part.cuts[i]);
    ranges.push_back(GetPart(extents[dim], cuts, PartOf(cuts, rank)));
    if (!part.begin.empty()) ranges.back().begin += part.begin[dim];
  }
  return ranges;
}

// A box of a tensor, in a larger one of zeros.
class BoxReader : public TensorReader {
 public:
  BoxReader(std::unique_ptr<TensorReader> whole, const fb::WeightPartT& part, int rank)
      : whole_(std::move(whole)), ranges_(RangesOf(part, rank)), shape_(part.shape) {
    strides_.assign(shape_.size(), 1);
    for (size_t d = shape_.size(); d-- > 1;) strides_[d - 1] = strides_[d] * part.whole[d];
    // Dimensions from `runs_` on are whole, so that they follow each other in memory.
    runs_ = shape_.size();
    run_ = 1;
    while (runs_ > 0 && shape_[runs_ - 1] == part.whole[runs_ - 1]) run_ *= shape_[--runs_];
    if (runs_ > 0) run_ *= shape_[--runs_];
  }

  void Read(int64_t begin, int64_t count, DType to, void* out) const override {
    char* place = static_cast<char*>(out);
    const int64_t size = DTypeSize(to);
    while (count > 0) {
      const int64_t within = begin % run_, length = std::min(count, run_ - within);
      const int64_t real = std::clamp<int64_t>(RealLength(begin / run_) - within, 0, length);
      if (real > 0) whole_->Read(Source(begin / run_) + within, real, to, place);
      std::memset(place + real * size, 0, (length - real) * size);
      place += length * size;
      begin += length;
      count -= length;
    }
  }

  // Elements that lie as they are wanted, if all of the part is one run.
  const void* Data(DType to) const override {
    const char* data = static_cast<const char*>(whole_->Data(to));
    if (!data || runs_ > 0 || RealLength(0) < run_) return nullptr;
    return data + Source(0) * DTypeSize(to);
  }

  const void* Rows(DType to, int64_t columns, int64_t* pitch) const override {
    if (const void* data = Data(to)) {
      *pitch = columns;
      return data;
    }
    const char* data = static_cast<const char*>(whole_->Data(to));
    if (!data || shape_.size() != 2 || ranges_[0].size < shape_[0] || ranges_[1].size < shape_[1])
      return nullptr;
    *pitch = strides_[0];
    return data + (ranges_[0].begin * strides_[0] + ranges_[1].begin) * DTypeSize(to);
  }

 private:
  // The first element of a run in the whole tensor; runs are counted in the part.
  int64_t Source(int64_t run) const {
    int64_t source = runs_ < ranges_.size() ? ranges_[runs_].begin * strides_[runs_] : 0;
    for (size_t d = runs_; d-- > 0; run /= shape_[d])
      source += (ranges_[d].begin + run % shape_[d]) * strides_[d];
    return source;
  }
  // How much of a run is no padding.
  int64_t RealLength(int64_t run) const {
    for (size_t d = runs_; d-- > 0; run /= shape_[d])
      if (run % shape_[d] >= ranges_[d].size) return 0;
    return runs_ < ranges_.size() ? ranges_[runs_].size * strides_[runs_] : run_;
  }

  std::unique_ptr<TensorReader> whole_;
  std::vector<CutRange> ranges_;
  std::vector<int64_t> shape_, strides_;
  size_t runs_;  // the dimension that the runs are along
  int64_t run_;  // elements of a run
};

class Shards : public TensorSource {
 public:
  Shards(const TensorSource& whole, int rank) : whole_(whole), rank_(rank) {}

  absl::StatusOr<std::unique_ptr<TensorReader>> Open(const fb::WeightPartT& part) const override {
    if (part.whole.empty()) return whole_.Open(part);
    fb::WeightPartT stored;
    stored.tensor = part.tensor;
    stored.dtype = part.dtype;
    stored.shape = part.whole;
    stored.init = part.init;
    stored.scale = part.scale;
    auto reader = whole_.Open(stored);
    if (!reader.ok()) return reader.status();
    return std::unique_ptr<TensorReader>(new BoxReader(*std::move(reader), part, rank_));
  }

 private:
  const TensorSource& whole_;
  int rank_;
};

}  // namespace

std::unique_ptr<TensorSource> ShardSource(const TensorSource& whole, int rank) {
  return std::make_unique<Shards>(whole, rank);
}

}  // namespace ashlar
