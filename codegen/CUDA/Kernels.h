// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text of one kernel, made from a fused region. Four shapes, as on a CPU:
//
//   product     one or more matmuls of one left operand with weights, and an elementwise epilogue
//   attention   online softmax between two products
//   append      new keys or values into a cache
//   rows        everything else: element by element, or row by row where something is reduced
//
// Each is a skeleton of the device library with generated functions for what is fused into it. The
// text is one translation unit:
//
//   #include "product_fma.cuh"
//   namespace ashlar {
//   struct Parameters { const float *in0; ...; float *out0; int64 batch, seq; };
//   ASHLAR_KERNEL(matmul_add_gelu_kernel, 256, Parameters, p) { ... }
//   }

#ifndef ASHLAR_CODEGEN_CUDA_KERNELS_H
#define ASHLAR_CODEGEN_CUDA_KERNELS_H

#include "codegen/CUDA/CudaOptions.h"
#include "codegen/CUDA/ElementWriter.h"
#include "codegen/Target.h"

#include <cstdint>

namespace ashlar::cuda {

/// A kernel as text, and how it is launched.
struct KernelText {
  std::string symbol;
  std::string comment; // what it fuses and which layers launch it; no part of what is compiled
  std::string text;
  llvm::SmallVector<Extent> grid; // blocks
  llvm::SmallVector<DeviceTensorMap> tensorMaps;
  uint32_t threads = 0;
  std::optional<DeviceProduct> product; // what it computes, where cuBLASLt could, too
};

/// What the skeletons may use: those of sm_80 run everywhere, those of sm_90a on it alone.
enum class Generation { Ampere, Hopper };

struct KernelOptions : CudaOptions {
  KernelOptions(Generation generation, const CudaOptions &options)
      : CudaOptions(options), generation(generation) {}
  Generation generation;
};

/// Writes the kernel; emits an error at the op that the target has no code for.
mlir::FailureOr<KernelText> writeKernel(mlir::func::FuncOp kernel, const KernelOptions &options);

/// What a kernel's writer fills in.
struct KernelFrame {
  KernelFrame(mlir::func::FuncOp kernel, const KernelOptions &options);

  KernelOptions options;
  mutable mlir::func::FuncOp kernel; // an op is a handle; its accessors are not const
  Names names;
  ElementWriter writer;
  Code declarations; // in front of the kernel: shapes
  Code body;
  llvm::SmallVector<std::string> includes;
  std::string sharedLayout; // the type of the shared memory, where there is any
  std::string threads;      // as an expression
  bool isResident = false;  // one block to a multiprocessor is enough: registers are free
  llvm::SmallVector<Extent> grid;
  llvm::SmallVector<DeviceTensorMap> tensorMaps; // p.map0, p.map1, ...
  uint32_t threadCount = 0;

  /// The most that a count over named dimensions can be.
  int64_t getBound(const graph::Monomial &count) const;
  int64_t getBound(const graph::Dim &dim) const;
};

/// The elements of results to be stored: result by number, from a value.
struct Stored {
  unsigned result;
  mlir::Value value;
};

/// Writes into `code` the computation and the stores of the results' elements at `place`: `lanes`
/// neighbours at once.
void writeStores(KernelFrame &frame, Code &code, llvm::ArrayRef<Stored> results, Place place,
                 int64_t lanes);

/// How many neighbours of all these results can be computed and stored at once: at most 16 bytes.
int64_t getLanes(KernelFrame &frame, llvm::ArrayRef<Stored> results, int64_t most);

/// The values that the kernel returns, in order.
llvm::SmallVector<Stored> getResults(mlir::func::FuncOp kernel);

/// count as a grid factor.
Extent asExtent(const graph::Monomial &count, int64_t divisor = 1);

// One function per shape.
mlir::LogicalResult writeRowsKernel(KernelFrame &frame);
mlir::LogicalResult writeProductKernel(KernelFrame &frame);
mlir::LogicalResult writeAttentionKernel(KernelFrame &frame);
mlir::LogicalResult writeAppendKernel(KernelFrame &frame);

/// Whether the product shape has code for the kernel's matmuls.
bool isProductKernel(mlir::func::FuncOp kernel);

/// The value whose elements a product multiplies: where it widens what has the weights' type in
/// memory, rounding gives that back.
mlir::Value getStoredLeft(graph::MatmulOp product);

/// A value as rows that follow each other at one distance, in elements, where it is that in memory.
std::optional<std::pair<View, graph::Monomial>> getMatrix(mlir::Value value);

/// What a product kernel computes, where it is a plain product that cuBLASLt could compute, too,
/// and which of the two does.
std::optional<DeviceProduct> findLibraryProduct(const KernelFrame &frame);

} // namespace ashlar::cuda

#endif
