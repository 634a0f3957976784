// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/work.h"

#include <vector>

#include "runtime/program/extent.h"

namespace ashlar {

double Work::flops() const {
  return product_flops + elementwise_flops + kTranscendentalFlops * transcendentals;
}

Work& Work::operator+=(const Work& other) {
  product_flops += other.product_flops;
  bf16_flops += other.bf16_flops;
  elementwise_flops += other.elementwise_flops;
  transcendentals += other.transcendentals;
  weight_read += other.weight_read;
  arena_read += other.arena_read;
  arena_write += other.arena_write;
  state_read += other.state_read;
  state_write += other.state_write;
  items += other.items;
  return *this;
}

// Whether an operand is a weight in panels of bf16, which only products read.
static bool ReadsBf16(const fb::ProgramT& program, const fb::LaunchT& launch) {
  for (const auto& operand : launch.operands) {
    if (operand->space != fb::Space::Weights) continue;
    for (const auto& weight : program.weights)
      if (weight->layout == fb::Layout::PanelBF16 && !weight->parts.empty() &&
          weight->offset == operand->offset)
        return true;
  }
  return false;
}

Work WorkOf(const fb::ProgramT& program, const fb::LaunchT& launch, const int64_t* dims,
            double state_share) {
  std::array<double, static_cast<size_t>(fb::WorkKind::MAX) + 1> amounts = {};
  for (const auto& term : launch.work)
    amounts[static_cast<size_t>(term->kind)] += static_cast<double>(Evaluate(*term->amount, dims));
  auto amount = [&](fb::WorkKind kind) { return amounts[static_cast<size_t>(kind)]; };
  Work work;
  double share = amount(fb::WorkKind::StateRead) > 0 ? state_share : 1;
  work.product_flops = amount(fb::WorkKind::Product) * share;
  work.elementwise_flops = amount(fb::WorkKind::Elementwise) * share;
  work.transcendentals = amount(fb::WorkKind::Transcendental) * share;
  work.weight_read = amount(fb::WorkKind::WeightRead);
  work.arena_read = amount(fb::WorkKind::ArenaRead);
  work.arena_write = amount(fb::WorkKind::ArenaWrite);
  work.state_read = amount(fb::WorkKind::StateRead) * share;
  work.state_write = amount(fb::WorkKind::StateWrite);
  if (ReadsBf16(program, launch)) work.bf16_flops = work.product_flops;
  std::vector<int64_t> extents;
  for (const auto& extent : launch.extents) extents.push_back(Evaluate(*extent, dims));
  work.items = 1;
  for (const auto& extent : program.kernels[launch.kernel]->grid)
    work.items *= Evaluate(*extent, extents.data());
  return work;
}

}  // namespace ashlar
