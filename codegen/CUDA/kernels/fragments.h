// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which element of a matrix a thread's register holds: coordinate functions of (lane, register), so
// that kernels never spell the layouts out (PTX ISA, "Matrix Fragments for mma.m16n8k16" and
// "Register Fragments for wgmma").
#pragma once

#include "device.h"

namespace ashlar {

/// d of m16n8k16 and m16n8k8: 4 floats.
struct MmaD {
  static ASHLAR_DEVICE int row(uint32 lane, int i) { return lane / 4 + 8 * (i / 2); }
  static ASHLAR_DEVICE int col(uint32 lane, int i) { return lane % 4 * 2 + i % 2; }
};

/// a of m16n8k16, 8 elements of 16 bits: element i is half i % 2 of register i / 2.
struct MmaA {
  static ASHLAR_DEVICE int row(uint32 lane, int i) { return lane / 4 + 8 * (i / 2 % 2); }
  static ASHLAR_DEVICE int col(uint32 lane, int i) { return lane % 4 * 2 + i % 2 + 8 * (i / 4); }
};

/// b of m16n8k16, 4 elements of 16 bits.
struct MmaB {
  static ASHLAR_DEVICE int row(uint32 lane, int i) { return lane % 4 * 2 + i % 2 + 8 * (i / 2); }
  static ASHLAR_DEVICE int col(uint32 lane, int) { return lane / 4; }
};

/// a (4 registers) and b (2 registers) of m16n8k8 over tf32.
struct MmaTf32A {
  static ASHLAR_DEVICE int row(uint32 lane, int i) { return lane / 4 + 8 * (i % 2); }
  static ASHLAR_DEVICE int col(uint32 lane, int i) { return lane % 4 + 4 * (i / 2); }
};
struct MmaTf32B {
  static ASHLAR_DEVICE int row(uint32 lane, int i) { return lane % 4 + 4 * i; }
  static ASHLAR_DEVICE int col(uint32 lane, int) { return lane / 4; }
};

/// d of wgmma m64nNk16: N / 2 floats; `thread` counts within the warpgroup.
struct WgmmaD {
  static ASHLAR_DEVICE int row(uint32 thread, int i) {
    return thread / 32 * 16 + thread % 32 / 4 + 8 * (i / 2 % 2);
  }
  static ASHLAR_DEVICE int col(uint32 thread, int i) {
    return 8 * (i / 4) + thread % 4 * 2 + i % 2;
  }
};

/// The row that `lane` gives ldmatrix_x4 for a 16 x 16 block of a row-major matrix, so that the
/// result is a of m16n8k16: matrices 0 to 3 are rows 0-7, rows 8-15, and again with columns 8-15.
struct LdmatrixA {
  static ASHLAR_DEVICE int row(uint32 lane) { return lane % 16; }
  static ASHLAR_DEVICE int col(uint32 lane) { return lane / 16 * 8; }
};

/// The same for two b of m16n8k16, columns 0-7 (registers 0, 1) and 8-15 (registers 2, 3), of a
/// matrix stored by columns: element (k, n) at [n][k], plain ldmatrix.
struct LdmatrixB {
  static ASHLAR_DEVICE int n(uint32 lane) { return lane % 8 + lane / 16 * 8; }
  static ASHLAR_DEVICE int k(uint32 lane) { return lane / 8 % 2 * 8; }
};

/// The same of a matrix stored by rows: element (k, n) at [k][n], transposed ldmatrix.
struct LdmatrixTransposedB {
  static ASHLAR_DEVICE int k(uint32 lane) { return lane % 16; }
  static ASHLAR_DEVICE int n(uint32 lane) { return lane / 16 * 8; }
};

} // namespace ashlar
