// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/device/emulator/block.h"

#include <algorithm>

#include "runtime/base/status.h"

namespace ashlar::emulator {
namespace {

constexpr unsigned long kCanary = 0x5ca1ab1e0ddba11u;

// Appends "threads 0-31, 64" for the sorted indices.
std::string Ranges(const std::vector<unsigned>& indices) {
  std::string text = indices.size() == 1 ? "thread " : "threads ";
  for (size_t i = 0; i < indices.size();) {
    size_t j = i;
    while (j + 1 < indices.size() && indices[j + 1] == indices[j] + 1) ++j;
    text += StrCat(i ? ", " : "", indices[i]);
    if (j > i) text += StrCat("-", indices[j]);
    i = j + 1;
  }
  return text;
}

std::string Describe(const WaitReason& wait) {
  if (wait.name) return StrCat(wait.what, " ", wait.name);
  std::string text = StrCat(wait.what, " ", wait.number);
  return wait.phase ? StrCat(text, ", phase ", wait.phase - 1) : text;
}

}  // namespace

Block::Block(const Launch& launch, PlacedOperands& placed, FiberStacks& stacks)
    : launch_(launch), placed_(placed), stacks_(stacks) {
  fibers_.resize(launch.threads);
}

std::string Block::Run(uint64_t block) {
  block_ = block;
  error_.clear();
  error_pc_ = nullptr;
  ready_.clear();
  barriers_.clear();
  mbarriers_.clear();
  bulk_copies_.clear();
  warps_.assign(launch_.threads / kWarp, WarpState());
  warpgroups_.assign((launch_.threads + kWarpgroup - 1) / kWarpgroup, Warpgroup());
  shared_.Reset(launch_.shared_bytes);
  auto nothing = std::make_shared<const Clocks>(launch_.threads + 1, 0);
  fenced_ = *nothing;
  engine_clock_ = 0;
  for (unsigned i = 0; i < launch_.threads; ++i) {
    Thread& thread = *stacks_.thread(i);
    thread.api = kApi;
    thread.emulator = this;
    thread.shared = shared_.data();
    thread.shared_bytes = launch_.shared_bytes;
    thread.index = i;
    thread.threads = launch_.threads;
    thread.block[0] = block % launch_.grid[0];
    thread.block[1] = block / launch_.grid[0] % launch_.grid[1];
    thread.block[2] = block / launch_.grid[0] / launch_.grid[1];
    std::copy_n(launch_.grid, 3, thread.grid);
    thread.canary = kCanary;
    fibers_[i] = Fiber();
    fibers_[i].thread = &thread;
    fibers_[i].stack_pointer = stacks_.Prepare(i, FiberMain);
    fibers_[i].clock = 1;
    fibers_[i].known = nothing;
    ready_.push_back(&fibers_[i]);
  }
  Schedule();
  return error_.empty() ? error_ : error_ + At(error_pc_);
}

void Block::FiberMain() {
  Thread* thread = CurrentThread();
  Block& block = *static_cast<Block*>(thread->emulator);
  block.launch_.function(block.placed_.parameters().data());
  Fiber& fiber = block.fiber(thread);
  fiber.state = Fiber::State::kFinished;
  ashlar_emulator_switch(&fiber.stack_pointer, block.scheduler_);
  __builtin_unreachable();
}

void Block::Schedule() {
  for (;;) {
    while (!ready_.empty()) {
      Fiber& fiber = *ready_.front();
      ready_.pop_front();
      ashlar_emulator_switch(&scheduler_, fiber.stack_pointer);
      if (fiber.thread->canary != kCanary && error_.empty())
        error_ =
            StrCat(Name(fiber), " uses more than the emulator's ", kStackBytes, " bytes of stack");
      if (!error_.empty()) return;
    }
    if (bulk_copies_.empty()) break;
    LandBulkCopy();
    if (!error_.empty()) return;
    bool finished = std::all_of(fibers_.begin(), fibers_.end(), [](const Fiber& fiber) {
      return fiber.state == Fiber::State::kFinished;
    });
    if (finished) {
      error_ = StrCat(Name(fibers_[0]), " and all others finish before an asynchronous copy lands");
      return;
    }
  }
  for (const Fiber& fiber : fibers_) {
    if (fiber.state == Fiber::State::kFinished) continue;
    error_ = DescribeHang();
    return;
  }
}

std::string Block::At(const void* pc) const {
  std::string place = launch_.locate && pc ? launch_.locate(pc) : std::string();
  return place.empty() ? place : " [" + place + "]";
}

std::string Block::Name(const Fiber& fiber) const {
  const unsigned* block = fiber.thread->block;
  return StrCat("kernel ", launch_.kernel, ", block (", block[0], ", ", block[1], ", ", block[2],
                "), thread ", fiber.thread->index);
}

std::string Block::DescribeHang() const {
  std::map<std::string, std::vector<unsigned>> groups;
  std::map<const void*, std::string> places;  // looked up once: it may take a while
  auto place = [&](const void* pc) {
    auto [found, inserted] = places.try_emplace(pc);
    if (inserted) found->second = At(pc);
    return found->second;
  };
  std::vector<unsigned> finished;
  for (const Fiber& fiber : fibers_) {
    if (fiber.state == Fiber::State::kFinished)
      finished.push_back(fiber.thread->index);
    else
      groups[Describe(fiber.wait) + place(fiber.pc)].push_back(fiber.thread->index);
  }
  const unsigned* block = fibers_[0].thread->block;
  std::string text = StrCat("kernel ", launch_.kernel, ", block (", block[0], ", ", block[1], ", ",
                            block[2], ") hangs: ");
  bool first = true;
  for (const auto& [wait, threads] : groups) {
    text += StrCat(first ? "" : "; ", Ranges(threads), " wait for ", wait);
    first = false;
  }
  if (!finished.empty()) text += StrCat("; ", Ranges(finished), " have finished");
  return text;
}

void Block::Fail(Fiber& fiber, const std::string& message, const void* pc) {
  if (error_.empty()) {
    error_ = StrCat(Name(fiber), " ", message);
    error_pc_ = pc;  // looked up on the host thread's own stack
  }
  ashlar_emulator_switch(&fiber.stack_pointer, scheduler_);
  __builtin_unreachable();
}

void Block::Wait(Fiber& fiber, const WaitReason& reason, const void* pc) {
  fiber.state = Fiber::State::kWaiting;
  fiber.wait = reason;
  fiber.pc = pc;
  ashlar_emulator_switch(&fiber.stack_pointer, scheduler_);
}

void Block::Wake(Fiber& fiber) {
  fiber.state = Fiber::State::kReady;
  ready_.push_back(&fiber);
}

void Block::CheckAccess(Fiber& fiber, const void* address, size_t bytes, Access access,
                        const void* pc) {
  long stack = stacks_.Find(address);
  if (stack == static_cast<long>(fiber.thread->index)) return;
  if (stack >= 0)
    Fail(fiber, StrCat("accesses ", bytes, " bytes of the local memory of thread ", stack), pc);
  if (bytes <= 16 && (bytes & (bytes - 1)) == 0 && reinterpret_cast<uintptr_t>(address) % bytes)
    Fail(fiber, StrCat("accesses ", bytes, " bytes at address ", address, ", which is not aligned"),
         pc);
  size_t offset = shared_.OffsetOf(address);
  std::string error;
  if (offset < shared_.bytes()) {
    error = shared_.Check(offset, bytes, access, fiber.thread->index, fiber.clock, *fiber.known);
  } else {
    const std::vector<char>& parameters = placed_.parameters();
    size_t in_parameters = static_cast<const char*>(address) - parameters.data();
    if (in_parameters < parameters.size() && access == Access::kRead) return;
    // A stray beyond the end of shared memory is told as such where no operand is near.
    if (offset - shared_.bytes() < SharedMemory::kAlignment)
      error = shared_.Check(offset, bytes, access, fiber.thread->index, fiber.clock, *fiber.known);
    else
      error = placed_.Check(address, bytes, access,
                            {block_, fiber.thread->index, fiber.clock, fiber.known.get()});
  }
  if (!error.empty()) Fail(fiber, error, pc);
}

void Block::ReleaseInto(Fiber& fiber, Clocks& joined) {
  joined[fiber.thread->index] = fiber.clock++;
}

void Block::Barrier(Fiber& fiber, unsigned id, unsigned threads, bool wait, const void* pc) {
  if (threads == 0) threads = launch_.threads;
  if (id >= kBarriers) Fail(fiber, StrCat("uses barrier ", id, "; a block has ", kBarriers), pc);
  NamedBarrier& barrier = barriers_[id];
  if (barrier.arrived == 0) {
    barrier.threads = threads;
    barrier.joined.assign(launch_.threads + 1, 0);
    barrier.last = nullptr;
  }
  if (barrier.threads != threads || threads % kWarp != 0)
    Fail(fiber,
         StrCat("arrives at barrier ", id, " for ", threads, " threads, others for ",
                barrier.threads, " (a multiple of 32 and the same for all)"),
         pc);
  if (barrier.last != fiber.known.get()) Join(barrier.joined, *fiber.known);
  barrier.last = fiber.known.get();
  ReleaseInto(fiber, barrier.joined);
  ++barrier.arrived;
  if (wait) barrier.waiting.push_back(&fiber);
  if (barrier.arrived == threads) {
    auto released = std::make_shared<const Clocks>(barrier.joined);
    std::vector<Fiber*> waiting = std::move(barrier.waiting);
    barrier = NamedBarrier();
    for (Fiber* other : waiting) {
      other->known = released;
      if (other != &fiber) Wake(*other);
    }
  } else if (wait) {
    Wait(fiber, {"barrier", nullptr, id}, pc);
  }
}

}  // namespace ashlar::emulator
