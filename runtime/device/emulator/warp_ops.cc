// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the lanes of a warp do together. The places of matrix elements in registers are written down
// here from the PTX ISA ("Matrix Fragments for mma"), not taken from the device library, so that
// the tests hold the one against the other.

#include <cstring>

#include "runtime/base/status.h"
#include "runtime/device/emulator/block.h"
#include "runtime/device/emulator/numbers.h"

namespace ashlar::emulator {
namespace {

const char* OpName(WarpOp op) {
  switch (op) {
    case WarpOp::kSync:
      return "warp_sync";
    case WarpOp::kBallot:
      return "ballot";
    case WarpOp::kShuffle:
      return "shuffle";
    case WarpOp::kLdmatrix:
      return "ldmatrix";
    case WarpOp::kMmaBf16:
    case WarpOp::kMmaF16:
    case WarpOp::kMmaTf32:
      return "mma";
  }
  return "warp operation";
}

unsigned WarpLanes(unsigned mask) { return __builtin_popcount(mask); }

}  // namespace

void Block::Warp(Fiber& fiber, WarpOp op, unsigned mask, WarpOperands* operands, const void* pc) {
  unsigned first = fiber.thread->index / kWarp * kWarp;
  unsigned lane = fiber.thread->index - first;
  bool whole = op == WarpOp::kLdmatrix || op >= WarpOp::kMmaBf16;
  if (!(mask >> lane & 1) || (whole && mask != ~0u))
    Fail(fiber, StrCat("takes part in ", OpName(op), " with a mask that does not allow it"), pc);
  fiber.op = op;
  fiber.mask = mask;
  fiber.operands = operands;
  WarpState& warp = warps_[first / kWarp];
  if (warp.arrived != 0 && warp.op == op && warp.mask == mask) {
    ++warp.arrived;
  } else {
    unsigned arrived = CountArrived(fiber, first, pc);
    // Lanes in another operation, with a mask of their own, are counted each time.
    if (warp.arrived == 0 || arrived == WarpLanes(mask)) warp = {op, mask, arrived};
  }
  if (warp.op != op || warp.mask != mask || warp.arrived != WarpLanes(mask))
    return Wait(fiber, {"the other lanes of its warp in", OpName(op)}, pc);
  warp.arrived = 0;
  fiber.pc = pc;
  ExecuteWarp(first, op, mask);
  for (unsigned i = 0; i < kWarp; ++i) {
    if (!(mask >> i & 1)) continue;
    fibers_[first + i].operands = nullptr;
    if (&fibers_[first + i] != &fiber) Wake(fibers_[first + i]);
  }
}

// Returns how many lanes are where `fiber` is; fails where one cannot come.
unsigned Block::CountArrived(Fiber& fiber, unsigned first, const void* pc) {
  unsigned arrived = 0;
  for (unsigned i = 0; i < kWarp; ++i) {
    if (!(fiber.mask >> i & 1)) continue;
    const Fiber& other = fibers_[first + i];
    if (other.state == Fiber::State::kFinished)
      Fail(fiber,
           StrCat("waits in ", OpName(fiber.op), " for thread ", first + i, ", which has finished"),
           pc);
    if (!other.operands) continue;
    ++arrived;
    if (other.op != fiber.op || other.mask != fiber.mask)
      Fail(fiber,
           StrCat("is in ", OpName(fiber.op), " while thread ", first + i, " is in ",
                  OpName(other.op), other.mask != fiber.mask ? " with another mask" : "",
                  " (divergence)"),
           pc);
  }
  return arrived;
}

void Block::ExecuteWarp(unsigned first, WarpOp op, unsigned mask) {
  switch (op) {
    case WarpOp::kSync: {
      auto joined = std::make_shared<Clocks>(launch_.threads + 1, 0);
      const Clocks* last = nullptr;
      for (unsigned i = 0; i < kWarp; ++i) {
        if (!(mask >> i & 1)) continue;
        Fiber& fiber = fibers_[first + i];
        if (fiber.known.get() != last) Join(*joined, *fiber.known);
        last = fiber.known.get();
        ReleaseInto(fiber, *joined);
      }
      for (unsigned i = 0; i < kWarp; ++i)
        if (mask >> i & 1) fibers_[first + i].known = joined;
      return;
    }
    case WarpOp::kBallot: {
      unsigned ballot = 0;
      for (unsigned i = 0; i < kWarp; ++i)
        if ((mask >> i & 1) && fibers_[first + i].operands->value[0] != 0) ballot |= 1u << i;
      for (unsigned i = 0; i < kWarp; ++i)
        if (mask >> i & 1) fibers_[first + i].operands->value[0] = ballot;
      return;
    }
    case WarpOp::kShuffle:
      return ExecuteShuffle(first, mask);
    case WarpOp::kLdmatrix:
      return ExecuteLdmatrix(first);
    case WarpOp::kMmaBf16:
    case WarpOp::kMmaF16:
    case WarpOp::kMmaTf32:
      return ExecuteMma(first, op);
  }
}

void Block::ExecuteShuffle(unsigned first, unsigned mask) {
  unsigned values[kWarp];
  for (unsigned i = 0; i < kWarp; ++i)
    if (mask >> i & 1) values[i] = fibers_[first + i].operands->value[0];
  for (unsigned i = 0; i < kWarp; ++i) {
    if (!(mask >> i & 1)) continue;
    WarpOperands& operands = *fibers_[first + i].operands;
    unsigned source = operands.value[1] & (kWarp - 1);
    if (!(mask >> source & 1)) {
      Fiber& caller = fiber(CurrentThread());
      Fail(caller,
           StrCat("completes a shuffle in which thread ", first + i, " reads lane ", source,
                  ", which takes no part"),
           caller.pc);
    }
    operands.value[0] = values[source];
  }
}

// Matrix m's row r is at the address that lane 8 m + r gives; lane l gets elements 2 (l % 4) and
// the next of row l / 4, or of column l / 4 when transposed.
void Block::ExecuteLdmatrix(unsigned first) {
  const WarpOperands& shape = *fibers_[first].operands;
  unsigned matrices = shape.value[0], transposed = shape.value[1];
  uint16_t rows[kWarp][8];
  for (unsigned i = 0; i < 8 * matrices; ++i) {
    Fiber& fiber = fibers_[first + i];
    Fiber& caller = this->fiber(CurrentThread());
    size_t offset = shared_.OffsetOf(fiber.operands->pointer[0]);
    std::string error;
    if (offset >= shared_.bytes())
      error = "reads a row outside of shared memory";
    else if (offset % 16 != 0)
      error = StrCat("reads a row at offset ", offset, " of shared memory, no multiple of 16");
    else
      error = shared_.Check(offset, 16, Access::kRead, first + i, fiber.clock, *fiber.known);
    if (!error.empty())
      Fail(caller, StrCat("completes an ldmatrix in which thread ", first + i, " ", error),
           caller.pc);
    std::memcpy(rows[i], fiber.operands->pointer[0], 16);
  }
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    auto* out = static_cast<uint32_t*>(fibers_[first + lane].operands->pointer[1]);
    unsigned row = lane / 4, column = lane % 4 * 2;
    for (unsigned m = 0; m < matrices; ++m) {
      uint32_t low = transposed ? rows[8 * m + column][row] : rows[8 * m + row][column];
      uint32_t high = transposed ? rows[8 * m + column + 1][row] : rows[8 * m + row][column + 1];
      out[m] = low | high << 16;
    }
  }
}

// d (16 x 8) += a (16 x k) b (k x 8). With g = lane / 4 and t = lane % 4:
//   d: register i is row g + 8 (i / 2), column 2 t + i % 2.
//   k = 16, two elements e to a register: a register i is row g + 8 (i % 2), column
//   2 t + e + 8 (i / 2); b register i is row 2 t + e + 8 i, column g.
//   k = 8 (tf32): a register i is row g + 8 (i % 2), column t + 4 (i / 2); b register i is row
//   t + 4 i, column g.
void Block::ExecuteMma(unsigned first, WarpOp op) {
  float a[16][16], b[16][8];
  const unsigned depth = op == WarpOp::kMmaTf32 ? 8 : 16;
  auto element = [op](uint32_t bits, unsigned half) {
    uint16_t part = bits >> (16 * half);
    return op == WarpOp::kMmaBf16 ? FloatFromBf16(part) : FloatFromF16(part);
  };
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    const WarpOperands& operands = *fibers_[first + lane].operands;
    auto* pa = static_cast<const uint32_t*>(operands.pointer[1]);
    auto* pb = static_cast<const uint32_t*>(operands.pointer[2]);
    unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; ++i) {
      unsigned row = g + 8 * (i % 2);
      if (op == WarpOp::kMmaTf32) {
        a[row][t + 4 * (i / 2)] = Tf32(pa[i]);
      } else {
        for (unsigned e = 0; e < 2; ++e) a[row][2 * t + e + 8 * (i / 2)] = element(pa[i], e);
      }
    }
    for (unsigned i = 0; i < 2; ++i) {
      if (op == WarpOp::kMmaTf32) {
        b[t + 4 * i][g] = Tf32(pb[i]);
      } else {
        for (unsigned e = 0; e < 2; ++e) b[2 * t + e + 8 * i][g] = element(pb[i], e);
      }
    }
  }
  float product[16][8] = {};
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned k = 0; k < depth; ++k)
      for (unsigned column = 0; column < 8; ++column)
        product[row][column] += a[row][k] * b[k][column];
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    auto* d = static_cast<float*>(fibers_[first + lane].operands->pointer[0]);
    for (unsigned i = 0; i < 4; ++i) d[i] += product[lane / 4 + 8 * (i / 2)][lane % 4 * 2 + i % 2];
  }
}

}  // namespace ashlar::emulator
