// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Asynchronous copies: cp.async and its groups, mbarriers, and the bulk copies of two-dimensional
// boxes that complete on them. Data lands as late as it may: a group's at its wait, a box's when no
// thread can go on without it.

#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/device/emulator/block.h"

namespace ashlar::emulator {

void Block::EndCopy(const Copy& copy, uint32_t thread, uint32_t clock) {
  char data[16] = {};  // no copy is larger
  std::copy_n(copy.global, copy.valid, data);
  shared_.EndCopy(copy.offset, data, copy.bytes, thread, clock);
}

void Block::CopyAsync(Fiber& fiber, void* shared, const void* global, unsigned bytes,
                      unsigned valid, const void* pc) {
  size_t offset = shared_.OffsetOf(shared);
  if (offset + bytes > shared_.bytes() || offset % bytes != 0 || valid > bytes)
    Fail(fiber,
         StrCat("copies ", bytes, " bytes asynchronously to offset ", static_cast<long>(offset),
                " of shared memory (", shared_.bytes(),
                " bytes), which is outside, not aligned or more than a copy has"),
         pc);
  if (valid > 0) {
    if (reinterpret_cast<uintptr_t>(global) % bytes != 0)
      Fail(fiber, StrCat("copies ", bytes, " bytes asynchronously from an unaligned address"), pc);
    CheckAccess(fiber, global, valid, Access::kRead, pc);
  }
  uint32_t thread = fiber.thread->index;
  std::string error = shared_.BeginCopy(offset, bytes, thread, fiber.clock, *fiber.known);
  if (!error.empty()) Fail(fiber, error, pc);
  fiber.open_copies.push_back({offset, static_cast<const char*>(global), bytes, valid, thread});
}

void Block::CopyCommit(Fiber& fiber) {
  fiber.copy_groups.push_back(std::move(fiber.open_copies));
  fiber.open_copies.clear();
}

void Block::CopyWait(Fiber& fiber, unsigned pending_groups) {
  while (fiber.copy_groups.size() > pending_groups) {
    for (const Copy& copy : fiber.copy_groups.front())
      EndCopy(copy, fiber.thread->index, fiber.clock);
    fiber.copy_groups.pop_front();
  }
}

void Block::FenceAsyncProxy(Fiber& fiber) {
  // Stores before the fence have this clock or an earlier one, stores after it a later one.
  fenced_[fiber.thread->index] = fiber.clock++;
}

void Block::MbarrierInit(Fiber& fiber, void* address, unsigned arrivals, const void* pc) {
  size_t offset = shared_.OffsetOf(address);
  if (offset + 8 > shared_.bytes() || offset % 8 != 0 || arrivals == 0)
    Fail(fiber, "initialises an mbarrier that is no aligned word of shared memory, or for nobody",
         pc);
  Mbarrier& barrier = mbarriers_[offset];
  barrier = Mbarrier();
  barrier.expected = barrier.pending = arrivals;
  barrier.init = Stamp(fiber.thread->index, fiber.clock);
  barrier.joined.assign(launch_.threads + 1, 0);
}

Block::Mbarrier& Block::FindMbarrier(Fiber& fiber, void* address, const void* pc) {
  auto found = mbarriers_.find(shared_.OffsetOf(address));
  if (found == mbarriers_.end()) Fail(fiber, "uses an mbarrier that nothing has initialised", pc);
  if (!found->second.init.Before(fiber.thread->index, *fiber.known))
    Fail(fiber,
         StrCat("uses an mbarrier that thread ", found->second.init.thread(),
                " initialised with no barrier between them (race)"),
         pc);
  return found->second;
}

void Block::MbarrierArrive(Fiber& fiber, void* address, unsigned arrivals, unsigned bytes,
                           const void* pc) {
  Mbarrier& barrier = FindMbarrier(fiber, address, pc);
  if (barrier.pending < arrivals)
    Fail(fiber,
         StrCat("arrives at an mbarrier that expects ", barrier.expected,
                " arrivals and has had all"),
         pc);
  Join(barrier.joined, *fiber.known);
  ReleaseInto(fiber, barrier.joined);
  barrier.bytes += bytes;
  barrier.pending -= arrivals;
  CompletePhase(barrier);
}

void Block::CompletePhase(Mbarrier& barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0) return;
  barrier.phase ^= 1;
  barrier.pending = barrier.expected;
  barrier.released = std::make_shared<const Clocks>(barrier.joined);
  auto waiting = std::move(barrier.waiting);
  barrier.waiting.clear();
  for (auto& [fiber, parity] : waiting) {
    if (parity == barrier.phase) {  // waits for the phase that has just begun
      barrier.waiting.emplace_back(fiber, parity);
      continue;
    }
    Wake(*fiber);
  }
}

void Block::MbarrierWait(Fiber& fiber, void* address, unsigned parity, const void* pc) {
  Mbarrier& barrier = FindMbarrier(fiber, address, pc);
  if (barrier.phase == (parity & 1)) {
    barrier.waiting.emplace_back(&fiber, parity & 1);
    Wait(fiber, {"the mbarrier at offset", nullptr, shared_.OffsetOf(address), (parity & 1) + 1},
         pc);
  }
  if (!barrier.released) return;  // the phase before the first, which counts as complete
  auto known = std::make_shared<Clocks>(*fiber.known);
  Join(*known, *barrier.released);
  fiber.known = known;
}

void Block::TmaLoad(Fiber& fiber, void* shared, const TensorMap& map, int column, int row,
                    void* address, const void* pc) {
  if (map.magic != kTensorMapMagic) Fail(fiber, "loads through what is no tensor map", pc);
  FindMbarrier(fiber, address, pc);
  size_t offset = shared_.OffsetOf(shared);
  size_t row_bytes = size_t{map.box_columns} * map.element_bytes;
  size_t alignment = map.swizzle_bytes == 128 ? 1024 : 128;
  if (offset + row_bytes * map.box_rows > shared_.bytes() || offset % alignment != 0)
    Fail(fiber,
         StrCat("loads a box of ", map.box_rows, " x ", row_bytes, " bytes to offset ",
                static_cast<long>(offset), " of shared memory (", shared_.bytes(),
                " bytes), which is outside or not aligned to ", alignment),
         pc);
  uint32_t thread = fiber.thread->index;
  BulkCopy bulk;
  bulk.barrier = shared_.OffsetOf(address);
  for (unsigned r = 0; r < map.box_rows; ++r) {
    for (size_t piece = 0; piece < row_bytes; piece += 16) {
      // The copy engine's 128-byte swizzle: 16-byte piece p of row r lies at p ^ (r % 8), with r
      // counted from a multiple of 1024 bytes.
      size_t to = offset + r * row_bytes + piece;
      if (map.swizzle_bytes == 128) to ^= (to >> 7 & 7) << 4;
      long from_row = static_cast<long>(row) + r;
      long from_byte = static_cast<long>(column) * map.element_bytes + static_cast<long>(piece);
      long row_end = static_cast<long>(map.columns * map.element_bytes);
      bool inside = from_row >= 0 && from_row < static_cast<long>(map.rows) && from_byte >= 0;
      long valid = inside ? std::clamp(row_end - from_byte, 0l, 16l) : 0;
      const char* global = valid ? map.base + from_row * map.row_stride + from_byte : nullptr;
      if (valid) CheckAccess(fiber, global, valid == 16 ? 16 : valid, Access::kRead, pc);
      std::string error = shared_.BeginCopy(to, 16, thread, fiber.clock, *fiber.known);
      if (!error.empty()) Fail(fiber, error, pc);
      bulk.rows.push_back({to, global, 16, static_cast<unsigned>(valid), thread});
    }
  }
  bulk_copies_.push_back(std::move(bulk));
}

void Block::LandBulkCopy() {
  BulkCopy bulk = std::move(bulk_copies_.front());
  bulk_copies_.pop_front();
  ++engine_clock_;
  Mbarrier& barrier = mbarriers_[bulk.barrier];
  for (const Copy& copy : bulk.rows) {
    EndCopy(copy, launch_.threads, engine_clock_);
    barrier.bytes -= copy.bytes;
  }
  barrier.joined[launch_.threads] = engine_clock_;
  CompletePhase(barrier);
}

}  // namespace ashlar::emulator
