// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/memory_map.h"

#include <algorithm>

namespace ashlar {
namespace {

class Builder {
 public:
  void Write(const std::string& name, uint64_t offset, uint64_t bytes, int launch) {
    const uint64_t end = offset + bytes;
    std::vector<Piece> left;
    for (const Piece& piece : pieces_) {
      if (piece.begin < offset)
        left.push_back({piece.range, piece.begin, std::min(piece.end, offset)});
      if (piece.end > end) left.push_back({piece.range, std::max(piece.begin, end), piece.end});
    }
    left.push_back({ranges_.size(), offset, end});
    pieces_ = std::move(left);
    ranges_.push_back({name, offset, bytes, launch, launch});
  }

  void Read(uint64_t offset, uint64_t bytes, int launch, const std::string* name = nullptr) {
    for (const Piece& piece : pieces_) {
      if (piece.begin >= offset + bytes || offset >= piece.end) continue;
      ranges_[piece.range].last = launch;
      if (name) ranges_[piece.range].name = *name;
    }
  }

  std::vector<LiveRange> Take() { return std::move(ranges_); }

 private:
  // What is not overwritten of a range: bytes [begin, end) of the arena.
  struct Piece {
    size_t range;
    uint64_t begin, end;
  };
  std::vector<LiveRange> ranges_;
  std::vector<Piece> pieces_;
};

// At the launch behind it, or the end.
void AddCollective(const fb::EntryT& entry, const fb::CollectiveT& collective, int launch,
                   Builder& builder) {
  auto lies = [](const auto& operand) { return operand && operand->space == fb::Space::Arena; };
  if (collective.op == fb::CollectiveOp::Wait) {  // up to here its operands are its own
    const fb::CollectiveT& ended = *entry.collectives[collective.ends];
    for (const auto* used : {&ended.input, &ended.workspace, &ended.output})
      if (lies(*used)) builder.Read((*used)->offset, (*used)->bytes, launch);
    return;
  }
  if (lies(collective.input))
    builder.Read(collective.input->offset, collective.input->bytes, launch);
  for (const auto* made : {&collective.workspace, &collective.output})
    if (lies(*made)) builder.Write(collective.where, (*made)->offset, (*made)->bytes, launch);
}

}  // namespace

std::vector<LiveRange> MemoryMap(const fb::ProgramT& program, const fb::EntryT& entry) {
  Builder builder;
  for (const auto& input : entry.inputs)
    builder.Write(input->name, input->offset, input->bytes, -1);
  const int launches = static_cast<int>(entry.launches.size());
  auto collective = entry.collectives.begin();
  for (int i = 0; i <= launches; ++i) {
    for (; collective != entry.collectives.end() && static_cast<int>((*collective)->before) <= i;
         ++collective)
      AddCollective(entry, **collective, i, builder);
    if (i == launches) break;
    const fb::LaunchT& launch = *entry.launches[i];
    const std::vector<fb::Access>& access = program.kernels[launch.kernel]->operands;
    // What a launch reads is there before what it writes.
    for (size_t o = 0; o < launch.operands.size(); ++o)
      if (launch.operands[o]->space == fb::Space::Arena && access[o] != fb::Access::Write)
        builder.Read(launch.operands[o]->offset, launch.operands[o]->bytes, i);
    for (size_t o = 0; o < launch.operands.size(); ++o)
      if (launch.operands[o]->space == fb::Space::Arena && access[o] == fb::Access::Write)
        builder.Write(launch.path, launch.operands[o]->offset, launch.operands[o]->bytes, i);
  }
  for (const auto& output : entry.outputs)
    builder.Read(output->offset, output->bytes, launches, &output->name);
  return builder.Take();
}

}  // namespace ashlar
