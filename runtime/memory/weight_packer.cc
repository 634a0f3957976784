// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/weight_packer.h"

#include <algorithm>
#include <cstring>

#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/memory/memory_region.h"

namespace ashlar {
namespace {

constexpr int64_t kPlainUnit = 64 << 10;  // elements
constexpr int64_t kBlockK = 64;           // rows of a panel that are transposed at a time
constexpr int kPanelF32 = 32, kPanelBF16 = 16;
constexpr uint64_t kStreamBuffer = uint64_t{64} << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<WeightPacker>> WeightPacker::Create(const fb::ProgramT& program,
                                                                   const TensorSource& source) {
  std::unique_ptr<WeightPacker> packer(new WeightPacker);
  for (const auto& schema : program.weights) {
    if (schema->parts.empty()) continue;  // a constant
    Weight weight;
    weight.schema = schema.get();
    int64_t begin = 0;
    for (const auto& part : schema->parts) {
      ASHLAR_ASSIGN_OR_RETURN(auto reader, source.Open(*part));
      int64_t size = 0;
      if (schema->layout == fb::Layout::Plain) CheckedElements(part->shape, &size);
      else size = part->shape[part->transposed ? 0 : 1];
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
    case fb::Layout::Plain: unit_bytes = kPlainUnit * DTypeSize(static_cast<DType>(weight.dtype)); break;
    case fb::Layout::PanelF32: unit_bytes = weight.shape[0] * kPanelF32 * 4; break;
    case fb::Layout::PanelBF16: unit_bytes = RoundUp<uint64_t>(weight.shape[0], 2) * kPanelBF16 * 2; break;
  }
  int64_t unit = 0;
  for (uint64_t done = 0; done < weight.bytes; done += unit_bytes)
    units_.push_back({index, unit++, weight.offset + done, std::min(unit_bytes, weight.bytes - done)});
}

void WeightPacker::Pack(const Unit& unit, char* out) const {
  const Weight& weight = weights_[unit.weight];
  switch (weight.schema->layout) {
    case fb::Layout::Plain: {
      int64_t size = DTypeSize(static_cast<DType>(weight.schema->dtype));
      return PackPlain(weight, unit.index * kPlainUnit, static_cast<int64_t>(unit.bytes) / size, out);
    }
    case fb::Layout::PanelF32: return PackPanelF32(weight, unit.index, out);
    case fb::Layout::PanelBF16: return PackPanelBF16(weight, unit.index, out);
  }
}

void WeightPacker::PackPlain(const Weight& weight, int64_t begin, int64_t count, char* out) const {
  DType dtype = static_cast<DType>(weight.schema->dtype);
  for (const Part& part : weight.parts) {
    int64_t first = std::max(begin, part.begin), last = std::min(begin + count, part.end);
    if (first >= last) continue;
    part.reader->Read(first - part.begin, last - first, dtype, out + (first - begin) * DTypeSize(dtype));
  }
}

namespace {

// Reads rows [k, k + rows) of columns [first, last) of a stored matrix, [N, K] when transposed, else [K, N], into
// tile[row * width + column]. `stage` holds kBlockK floats.
void ReadTile(const TensorReader& reader, const fb::WeightPartT& part, int64_t k, int64_t rows, int64_t first,
              int64_t last, int64_t width, float* tile, float* stage) {
  if (!part.transposed) {
    int64_t stride = part.shape[1];
    for (int64_t r = 0; r < rows; ++r)
      reader.Read((k + r) * stride + first, last - first, DType::kF32, tile + r * width);
    return;
  }
  int64_t stride = part.shape[1];
  for (int64_t n = first; n < last; ++n) {
    reader.Read(n * stride + k, rows, DType::kF32, stage);
    for (int64_t r = 0; r < rows; ++r) tile[r * width + n - first] = stage[r];
  }
}

}  // namespace

void WeightPacker::PackPanelF32(const Weight& weight, int64_t panel, char* out) const {
  int64_t K = weight.schema->shape[0], N = weight.schema->shape[1];
  int64_t begin = panel * kPanelF32, end = std::min(begin + kPanelF32, N);
  float* rows = reinterpret_cast<float*>(out);
  float stage[kBlockK];
  if (end < begin + kPanelF32) std::memset(out, 0, K * kPanelF32 * sizeof(float));
  for (int64_t k = 0; k < K; k += kBlockK) {
    int64_t count = std::min(kBlockK, K - k);
    for (const Part& part : weight.parts) {
      int64_t first = std::max(begin, part.begin), last = std::min(end, part.end);
      if (first < last)
        ReadTile(*part.reader, *part.schema, k, count, first - part.begin, last - part.begin, kPanelF32,
                 rows + k * kPanelF32 + (first - begin), stage);
    }
  }
}

void WeightPacker::PackPanelBF16(const Weight& weight, int64_t panel, char* out) const {
  int64_t K = weight.schema->shape[0], N = weight.schema->shape[1];
  int64_t begin = panel * kPanelBF16, end = std::min(begin + kPanelBF16, N);
  uint16_t* pairs = reinterpret_cast<uint16_t*>(out);
  float stage[kBlockK], tile[kBlockK * kPanelBF16];
  for (int64_t k = 0; k < K; k += kBlockK) {
    int64_t count = std::min(kBlockK, K - k);
    std::memset(tile, 0, sizeof(tile));  // the padding of N, and of K after its last row
    for (const Part& part : weight.parts) {
      int64_t first = std::max(begin, part.begin), last = std::min(end, part.end);
      if (first < last)
        ReadTile(*part.reader, *part.schema, k, count, first - part.begin, last - part.begin, kPanelBF16,
                 tile + (first - begin), stage);
    }
    for (int64_t r = 0; r < RoundUp<int64_t>(count, 2); ++r)
      for (int64_t n = 0; n < kPanelBF16; ++n)
        pairs[(k + r) / 2 * (2 * kPanelBF16) + 2 * n + r % 2] = F32ToBF16(tile[r * kPanelBF16 + n]);
  }
}

absl::Status PackWeights(const fb::ProgramT& program, const TensorSource& source, ThreadPool& pool,
                         const ByteSink& sink) {
  ASHLAR_ASSIGN_OR_RETURN(auto packer, WeightPacker::Create(program, source));
  const std::vector<WeightPacker::Unit>& units = packer->units();
  uint64_t position = 0;
  for (size_t first = 0, last; first < units.size(); first = last) {
    // As many units as fit the buffer, with the gaps between weights, which stay zero.
    for (last = first + 1; last < units.size(); ++last)
      if (units[last].offset + units[last].bytes - position > kStreamBuffer) break;
    uint64_t end = units[last - 1].offset + units[last - 1].bytes;
    ASHLAR_ASSIGN_OR_RETURN(MemoryRegion buffer, MemoryRegion::Allocate(end - position, "packing weights"));
    pool.ParallelFor(static_cast<int64_t>(last - first), [&](int64_t from, int64_t to, int) {
      for (int64_t i = from; i < to; ++i) {
        const WeightPacker::Unit& unit = units[first + i];
        packer->Pack(unit, buffer.data() + (unit.offset - position));
      }
    });
    ASHLAR_RETURN_IF_ERROR(sink({buffer.data(), buffer.bytes()}));
    position = end;
  }
  static constexpr char kZeros[4096] = {};
  for (; position < program.weights_bytes; position += std::min<uint64_t>(sizeof(kZeros), program.weights_bytes - position))
    ASHLAR_RETURN_IF_ERROR(sink({kZeros, std::min<uint64_t>(sizeof(kZeros), program.weights_bytes - position)}));
  return absl::OkStatus();
}

}  // namespace ashlar
