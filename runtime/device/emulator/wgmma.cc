// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The warpgroup's matrix products, m64nNk16 with both operands in shared memory. As on the device
// they read shared memory and write their accumulators at any time until the wait: the accumulators
// hold NaN patterns in between, and the operands' bytes are compared at the wait with what they
// were at the start.

#include <cstring>

#include "runtime/base/status.h"
#include "runtime/device/emulator/block.h"
#include "runtime/device/emulator/numbers.h"

namespace ashlar::emulator {
namespace {

constexpr unsigned kDepth = 16, kRows = 64;

// A descriptor of a tile whose rows are along the depth (PTX ISA, "Matrix Descriptor Format"), with
// the 128-byte swizzle, the only one that the device library uses.
struct Descriptor {
  explicit Descriptor(uint64_t bits)
      : start((bits & 0x3fff) << 4),
        stride((bits >> 32 & 0x3fff) << 4),
        base(bits >> 49 & 7),
        swizzle(bits >> 62) {}
  size_t start, stride;
  unsigned base, swizzle;

  // The offset of 16-byte piece `piece` of row `row`.
  size_t At(unsigned row, unsigned piece) const {
    size_t offset = start + row / 8 * stride + row % 8 * 128 + piece * 16;
    return offset ^ (offset >> 7 & 7) << 4;
  }
};

}  // namespace

void Block::Wgmma(Fiber& fiber, const WgmmaCall& call, const void* pc) {
  unsigned index = fiber.thread->index / kWarpgroup;
  if ((index + 1) * kWarpgroup > launch_.threads)
    Fail(fiber, "uses wgmma outside of a whole warpgroup of 128 threads", pc);
  if (call.kind == WgmmaCall::Kind::kMultiply && !fiber.wgmma_fenced)
    Fail(fiber, "begins a group of wgmma without wgmma_fence", pc);
  if (call.kind == WgmmaCall::Kind::kCommit) fiber.wgmma_fenced = false;
  Warpgroup& group = warpgroups_[index];
  if (!group.posted.empty()) {
    const auto& [other, first] = group.posted.front();
    if (first.kind != call.kind || first.n != call.n || first.a != call.a || first.b != call.b ||
        first.accumulate != call.accumulate || first.is_f16 != call.is_f16)
      Fail(fiber,
           StrCat("makes another wgmma call than thread ", other->thread->index, " (divergence)"),
           pc);
  }
  group.posted.emplace_back(&fiber, call);
  if (group.posted.size() < kWarpgroup)
    return Wait(fiber, {"the others of", "its warpgroup in wgmma"}, pc);
  switch (call.kind) {
    case WgmmaCall::Kind::kMultiply:
      Multiply(fiber, group, pc);
      break;
    case WgmmaCall::Kind::kCommit:
      group.groups.push_back(std::move(group.open));
      group.open.clear();
      break;
    case WgmmaCall::Kind::kWait:
      while (group.groups.size() > call.n) {
        for (const Multiplication& multiplication : group.groups.front())
          Retire(fiber, group, multiplication, pc);
        group.groups.pop_front();
      }
      break;
  }
  auto posted = std::move(group.posted);
  group.posted.clear();
  for (auto& [other, unused] : posted)
    if (other != &fiber) Wake(*other);
}

Block::Tiles Block::ReadTile(Warpgroup& group, uint64_t bits, unsigned rows, const void* pc) {
  Descriptor descriptor(bits);
  Fiber& caller = fiber(CurrentThread());
  if (descriptor.swizzle != 1 || descriptor.base != 0)
    Fail(caller, "uses a wgmma descriptor without the 128-byte swizzle or with a base offset", pc);
  Tiles tile;
  for (unsigned row = 0; row < rows; ++row) {
    for (unsigned piece = 0; piece < 2; ++piece) {
      size_t offset = descriptor.At(row, piece);
      for (auto& [fiber, unused] : group.posted) {
        if (fiber->thread->index % kWarp != 0) continue;
        std::string error = shared_.Check(offset, 16, Access::kRead, fiber->thread->index,
                                          fiber->clock, *fiber->known, &fenced_);
        if (!error.empty()) Fail(*fiber, "in wgmma " + error, pc);
      }
      tile.offsets.push_back(offset);
      tile.bytes.insert(tile.bytes.end(), shared_.data() + offset, shared_.data() + offset + 16);
    }
  }
  return tile;
}

void Block::Multiply(Fiber& fiber, Warpgroup& group, const void* pc) {
  Multiplication multiplication;
  multiplication.call = group.posted[0].second;
  const WgmmaCall& call = multiplication.call;
  multiplication.accumulators.resize(kWarpgroup);
  for (auto& [other, posted] : group.posted)
    multiplication.accumulators[other->thread->index % kWarpgroup] = posted.accumulators;
  multiplication.a = ReadTile(group, call.a, kRows, pc);
  multiplication.b = ReadTile(group, call.b, call.n, pc);
  // Values stay here, and NaN patterns in the registers, until nothing is under way.
  std::vector<float>& values = group.values[multiplication.accumulators[0]];
  unsigned count = call.n / 2;
  if (values.empty()) {
    for (float* registers : multiplication.accumulators) {
      values.insert(values.end(), registers, registers + count);
      std::memset(registers, 0xff, count * sizeof(float));
    }
  }
  group.open.push_back(std::move(multiplication));
}

// Register i of a thread holds row 16 (warp % 4) + lane / 4 + 8 (i / 2 % 2), column
// 8 (i / 4) + 2 (lane % 4) + i % 2 (PTX ISA, "Register Fragments for wgmma").
void Block::Retire(Fiber& fiber, Warpgroup& group, const Multiplication& multiplication,
                   const void* pc) {
  const WgmmaCall& call = multiplication.call;
  for (const Tiles* tile : {&multiplication.a, &multiplication.b})
    for (size_t i = 0; i < tile->offsets.size(); ++i)
      if (std::memcmp(shared_.data() + tile->offsets[i], &tile->bytes[16 * i], 16) != 0)
        Fail(fiber,
             StrCat("waits for a wgmma whose operand at offset ", tile->offsets[i],
                    " of shared memory was overwritten before the wait"),
             pc);
  auto element = [&](const Tiles& tile, unsigned row, unsigned k) {
    uint16_t bits;
    std::memcpy(&bits, &tile.bytes[row * 32 + k * 2], 2);
    return call.is_f16 ? FloatFromF16(bits) : FloatFromBf16(bits);
  };
  std::vector<float> a(kRows * kDepth), b(call.n * kDepth);
  for (size_t i = 0; i < a.size(); ++i) a[i] = element(multiplication.a, i / kDepth, i % kDepth);
  for (size_t i = 0; i < b.size(); ++i) b[i] = element(multiplication.b, i / kDepth, i % kDepth);
  std::vector<float>& values = group.values[multiplication.accumulators[0]];
  unsigned count = call.n / 2;
  for (unsigned thread = 0; thread < kWarpgroup; ++thread) {
    unsigned lane = thread % kWarp;
    for (unsigned i = 0; i < count; ++i) {
      unsigned row = 16 * (thread / kWarp) + lane / 4 + 8 * (i / 2 % 2);
      unsigned column = 8 * (i / 4) + 2 * (lane % 4) + i % 2;
      float sum = 0;
      for (unsigned k = 0; k < kDepth; ++k) sum += a[row * kDepth + k] * b[column * kDepth + k];
      float& value = values[thread * count + i];
      value = call.accumulate ? value + sum : sum;
    }
  }
  // The last product on these accumulators gives the registers their values.
  auto same = [&](const Multiplication& other) {
    return &other != &multiplication && other.accumulators[0] == multiplication.accumulators[0];
  };
  bool after = false, more = false;
  for (const auto& pending : group.groups)
    for (const Multiplication& other : pending) {
      if (after && same(other)) more = true;
      if (&other == &multiplication) after = true;
    }
  for (const Multiplication& other : group.open) more |= same(other);
  if (more) return;
  for (unsigned thread = 0; thread < kWarpgroup; ++thread)
    std::memcpy(multiplication.accumulators[thread], &values[thread * count],
                count * sizeof(float));
  group.values.erase(multiplication.accumulators[0]);
}

}  // namespace ashlar::emulator
