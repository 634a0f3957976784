// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/memory_map.h"

#include <algorithm>

namespace ashlar {
namespace {

class Builder {
 public:
  void Write(const std::string& name, uint64_t offset, uint64_t bytes, int launch) {
    auto covered = [&](size_t i) {
      return ranges_[i].offset >= offset && ranges_[i].offset + ranges_[i].bytes <= offset + bytes;
    };
    open_.erase(std::remove_if(open_.begin(), open_.end(), covered), open_.end());
    open_.push_back(ranges_.size());
    ranges_.push_back({name, offset, bytes, launch, launch});
  }

  void Read(uint64_t offset, uint64_t bytes, int launch, const std::string* name = nullptr) {
    for (size_t i : open_) {
      LiveRange& range = ranges_[i];
      if (range.offset >= offset + bytes || offset >= range.offset + range.bytes) continue;
      range.last = launch;
      if (name) range.name = *name;
    }
  }

  std::vector<LiveRange> Take() { return std::move(ranges_); }

 private:
  std::vector<LiveRange> ranges_;
  std::vector<size_t> open_;  // those that are not overwritten
};

}  // namespace

std::vector<LiveRange> MemoryMap(const fb::ProgramT& program, const fb::EntryT& entry) {
  Builder builder;
  for (const auto& input : entry.inputs)
    builder.Write(input->name, input->offset, input->bytes, -1);
  const int launches = static_cast<int>(entry.launches.size());
  for (int i = 0; i < launches; ++i) {
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
