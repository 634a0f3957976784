// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/weight_packer.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/memory/memory_region.h"
#include "runtime/memory/pack_panels.h"
#include "runtime/memory/shard_source.h"
#include "runtime/program/artifact_format.h"

namespace ashlar {
namespace {

constexpr int64_t kPlainUnit = 64 << 10;  // elements
constexpr int64_t kUnitColumns = 256;     // of a panel weight: whole panels of 32 or 16

}  // namespace

absl::StatusOr<std::unique_ptr<WeightPacker>> WeightPacker::Create(const fb::ProgramT& program,
                                                                   const TensorSource& source,
                                                                   int rank) {
  std::unique_ptr<WeightPacker> packer(new WeightPacker);
  std::unique_ptr<TensorSource> parts = ShardSource(source, rank);
  for (const auto& schema : program.weights) {
    if (schema->parts.empty()) continue;  // a constant
    Weight weight;
    weight.schema = schema.get();
    int64_t begin = 0;
    for (const auto& part : schema->parts) {
      ASHLAR_ASSIGN_OR_RETURN(auto reader, parts->Open(*part));
      int64_t size = 0;
      if (schema->layout == fb::Layout::Plain)
        CheckedElements(part->shape, &size);
      else
        size = part->shape[part->transposed ? 0 : 1];
      weight.parts.push_back({part.get(), std::move(reader), begin, begin + size});
      begin += size;
    }
    packer->weights_.push_back(std::move(weight));
    packer->AddUnits(static_cast<int>(packer->weights_.size()) - 1);
  }
  std::sort(packer->units_.begin(), packer->units_.end(),
            [](const Unit& a, const Unit& b) { return a.offset < b.offset; });
  return packer;
}

void WeightPacker::AddUnits(int index) {
  const fb::WeightT& weight = *weights_[index].schema;
  uint64_t unit_bytes = 0;
  switch (weight.layout) {
    case fb::Layout::Plain:
      unit_bytes = kPlainUnit * DTypeSize(static_cast<DType>(weight.dtype));
      break;
    case fb::Layout::PanelF32:
      unit_bytes = weight.shape[0] * kUnitColumns * 4;
      break;
    case fb::Layout::PanelBF16:
      unit_bytes = RoundUp<uint64_t>(weight.shape[0], 2) * kUnitColumns * 2;
      break;
  }
  int64_t unit = 0;
  for (uint64_t done = 0; done < weight.bytes; done += unit_bytes)
    units_.push_back(
        {index, unit++, weight.offset + done, std::min(unit_bytes, weight.bytes - done)});
}

void WeightPacker::Pack(const Unit& unit, char* out) const {
  const Weight& weight = weights_[unit.weight];
  const fb::WeightT& schema = *weight.schema;
  if (schema.layout == fb::Layout::Plain) {
    int64_t size = DTypeSize(static_cast<DType>(schema.dtype));
    return PackPlain(weight, unit.index * kPlainUnit, static_cast<int64_t>(unit.bytes) / size, out);
  }
  int64_t begin = unit.index * kUnitColumns, end = std::min(begin + kUnitColumns, schema.shape[1]);
  if (end < begin + kUnitColumns) std::memset(out, 0, unit.bytes);  // the padding of N
  for (const Part& part : weight.parts) {
    int64_t first = std::max(begin, part.begin), last = std::min(end, part.end);
    if (first >= last) continue;
    PanelPart panels;
    panels.reader = part.reader.get();
    panels.K = schema.shape[0];
    panels.stride = part.schema->shape[1];
    panels.first = first - part.begin;
    panels.count = last - first;
    panels.place = first - begin;
    panels.out = reinterpret_cast<uint32_t*>(out);
    if (schema.layout == fb::Layout::PanelF32)
      PackF32(panels, part.schema->transposed);
    else
      PackBF16(panels, part.schema->transposed);
  }
  _mm_sfence();  // stores past the cache are in order before what follows
}

void WeightPacker::PackAll(Executor& executor, char* out) const {
  executor.ParallelFor(static_cast<int64_t>(units_.size()), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) Pack(units_[i], out + units_[i].offset);
  });
}

void WeightPacker::PackPlain(const Weight& weight, int64_t begin, int64_t count, char* out) const {
  DType dtype = static_cast<DType>(weight.schema->dtype);
  for (const Part& part : weight.parts) {
    int64_t first = std::max(begin, part.begin), last = std::min(begin + count, part.end);
    if (first >= last) continue;
    int64_t size = DTypeSize(dtype);
    char* to = out + (first - begin) * size;
    if (part.schema->transposed) {
      PackTransposed(weight, part, first - part.begin, last - part.begin, to);
      continue;
    }
    int64_t lines = 0;  // bytes that can be copied past the cache
    if (const void* data = part.reader->Data(dtype); data && (first - begin) * size % 16 == 0) {
      lines = (last - first) * size / 16 * 16;
      StreamCopy(static_cast<const char*>(data) + (first - part.begin) * size, to, lines);
    }
    int64_t done = lines / size;
    part.reader->Read(first - part.begin + done, last - first - done, dtype, to + done * size);
  }
  _mm_sfence();
}

// Elements [first, last) of the part as [N, K], which is stored [K, N]: column by column, from runs
// of the stored rows.
void WeightPacker::PackTransposed(const Weight& weight, const Part& part, int64_t first,
                                  int64_t last, char* out) const {
  DType dtype = static_cast<DType>(weight.schema->dtype);
  const int64_t size = DTypeSize(dtype), K = part.schema->shape[0], N = part.schema->shape[1];
  std::vector<char> run((last - first + K - 1) / K * size + size);
  for (int64_t k = 0; k < K; ++k) {
    // The elements n * K + k of the range.
    int64_t begin = first > k ? (first - k + K - 1) / K : 0,
            end = last > k ? (last - k + K - 1) / K : 0;
    if (begin >= end) continue;
    part.reader->Read(k * N + begin, end - begin, dtype, run.data());
    for (int64_t n = begin; n < end; ++n)
      std::memcpy(out + (n * K + k - first) * size, run.data() + (n - begin) * size, size);
  }
}

absl::Status PackWeights(const fb::ProgramT& program, const TensorSource& source,
                         Executor& executor, const ByteSink& sink, uint64_t buffer_bytes) {
  ASHLAR_ASSIGN_OR_RETURN(auto packer, WeightPacker::Create(program, source));
  const std::vector<WeightPacker::Unit>& units = packer->units();
  uint64_t position = 0;
  for (size_t first = 0, last; first < units.size(); first = last) {
    // As many units as fit the buffer, with the gaps between weights, which stay zero.
    for (last = first + 1; last < units.size(); ++last)
      if (units[last].offset + units[last].bytes - position > buffer_bytes) break;
    // Ends, and so begins, on a multiple of the alignment that weights have and packing needs.
    uint64_t end =
        std::min(RoundUp(units[last - 1].offset + units[last - 1].bytes, kBufferAlignment),
                 program.weights_bytes);
    ASHLAR_ASSIGN_OR_RETURN(MemoryRegion buffer,
                            MemoryRegion::Allocate(end - position, "packing weights"));
    executor.ParallelFor(static_cast<int64_t>(last - first), [&](int64_t from, int64_t to, int) {
      for (int64_t i = from; i < to; ++i) {
        const WeightPacker::Unit& unit = units[first + i];
        packer->Pack(unit, buffer.data() + (unit.offset - position));
      }
    });
    ASHLAR_RETURN_IF_ERROR(sink({buffer.data(), buffer.bytes()}));
    position = end;
  }
  static constexpr char kZeros[4096] = {};
  for (; position < program.weights_bytes;
       position += std::min<uint64_t>(sizeof(kZeros), program.weights_bytes - position))
    ASHLAR_RETURN_IF_ERROR(
        sink({kZeros, std::min<uint64_t>(sizeof(kZeros), program.weights_bytes - position)}));
  return absl::OkStatus();
}

}  // namespace ashlar
