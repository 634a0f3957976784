// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The contract between the compiler and a code generator. A kernel is a private func.func over
// graph ops (one outlined graph.fused region):
//
//   func.func private @dense_gelu(%a: tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>>,
//                                 %w: tensor<3072x768xf32> {ashlar.layout = "panel_f32"}) ->
//                                 tensor<...>
//
// Its buffers are its arguments and then its results, in order; its extents are the named
// dimensions of its types in alphabetical order, on a CPU followed by the number of the launch,
// which no other launch of the process has and which is not 0. A target describes a kernel (how
// many work items, how much scratch), or says why it cannot make it, before any code is made;
// compile() then turns all kernels of a program into code at once.
//
// How work is dealt out is the target's own. A CPU kernel computes any range of its work items. A
// device kernel comes with its launch (blocks, threads, shared memory), which may differ from one
// architecture to the next.

#ifndef ASHLAR_CODEGEN_TARGET_H
#define ASHLAR_CODEGEN_TARGET_H

#include "dialects/Graph/GraphDims.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>
#include <string>
#include <vector>

namespace ashlar {

/// The layout of a kernel's argument, an attribute of the argument; row-major where there is none.
/// Names as in the artifact's schema: "panel_f32", "panel_bf16" (a product's second operand),
/// "key_panels" [batch][head][position / 32] [width][32] and "value_rows"
/// [batch][head][position][width padded to 32] (caches). Targets without panels:
/// "transposed" (a product's [k, n] weight, stored [n, k]) and "head_rows"
/// [batch][head][position][width] (caches).
inline constexpr llvm::StringLiteral kLayoutAttr = "ashlar.layout";

/// ceil(scale * product of names / divisor); names are dimensions.
struct Extent {
  int64_t scale = 1;
  llvm::SmallVector<mlir::StringAttr, 2> names;
  int64_t divisor = 1;
};

/// What the runtime must know about a kernel before it runs.
struct KernelDescription {
  llvm::SmallVector<Extent> grid; // work items: the product
  graph::Polynomial scratchBytes; // per worker, at the bound of its dimensions
};

/// A matrix of 16-bit elements that the copy engine of sm_90a reads box by box, with its 128-byte
/// swizzle, from the beginning of an operand. The runtime encodes it, with the step's rows.
struct DeviceTensorMap {
  unsigned operand = 0; // of the kernel's buffers
  Extent rows;
  int64_t columns = 0, rowBytes = 0; // a multiple of 16
  uint32_t boxRows = 0, boxColumns = 0;
  bool isF16 = false; // or bf16
};

/// What comes behind a library's product.
enum class Activation { None, Relu, GeluTanh };

/// A product that cuBLASLt can compute in place of a kernel, of operands by their numbers among the
/// kernel's buffers, all row-major: result = activation(left weight^T + addend + bias), with left
/// [rows, depth], weight [columns, depth], addend and result [rows, columns], bias [columns].
struct DeviceProduct {
  unsigned left = 0, weight = 0, result = 0;
  std::optional<unsigned> addend, bias;
  Extent rows;
  int64_t columns = 0, depth = 0;
  int64_t leftOffset = 0, leftStride = 0; // elements: where it begins, from row to row
  mlir::Type type, resultType;            // of left and weight; of result, addend and bias
  Activation activation = Activation::None;
  bool usesTf32 = false;
  bool isLibrarys = true;    // the library computes it, or the kernel all the same,
  bool isByCostModel = true; // which the cost model has chosen, or whoever compiles
};

/// A kernel in a device's image, and how it is launched. Its parameter block is its tensor maps,
/// 128 bytes each, the addresses of its buffers and then its extents, eight bytes each.
struct DeviceKernel {
  uint64_t offset = 0, size = 0;  // of its code: a cubin, or host code
  uint64_t entry = 0;             // where the function begins in host code
  std::string symbol;             // its name in a cubin
  llvm::SmallVector<Extent> grid; // blocks: up to three factors, over the kernel's extents
  llvm::SmallVector<DeviceTensorMap> tensorMaps;
  uint32_t threads = 0, sharedBytes = 0;  // of a block
  uint32_t registers = 0, spillBytes = 0; // of a thread, as ptxas reports them
  std::optional<DeviceProduct> product;   // what it computes, where a library could, too
};

/// Machine code of all kernels for one kind of machine.
struct CodeImage {
  std::string cpu;                   // "x86-64-v4"; of a device its architecture, "sm_90a"
  std::vector<std::string> features; // what the machine must have
  std::vector<char> code;            // flat, position-independent
  std::vector<uint64_t> entries;     // per kernel, in the order given
  std::vector<DeviceKernel> kernels; // of a device, in place of entries
  uint32_t emulatorAbi = 0;          // of host code for the emulator; cubins have none
};

/// The named dimensions of a kernel's types, alphabetically: its extents.
llvm::SmallVector<mlir::StringAttr> getExtentNames(mlir::func::FuncOp kernel);

class Target {
public:
  virtual ~Target() = default;

  /// Whether weights and caches are packed in panels, which are made for a CPU's registers.
  virtual bool hasPanels() const { return true; }

  /// Whether products with 16-bit weights round their left operand to the weight's type, so that
  /// nothing is lost where it is stored so (NarrowOperandsPass).
  virtual bool roundsLeftOperands() const { return false; }

  /// Blocks of a kernel that run side by side on the largest device that code is made for, where
  /// the target wants attention to be split so that all have work (SplitAttentionPass); 0: it does
  /// not.
  virtual int64_t getMultiprocessors() const { return 0; }

  /// Describes the kernel, or emits an error at the op that the target has no code for.
  virtual mlir::FailureOr<KernelDescription> describe(mlir::func::FuncOp kernel) const = 0;

  /// Compiles kernels that were described. The functions are not changed.
  virtual mlir::FailureOr<std::vector<CodeImage>>
  compile(llvm::ArrayRef<mlir::func::FuncOp> kernels) const = 0;
};

} // namespace ashlar

#endif
