// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes over graph modules.

#ifndef ASHLAR_COMPILER_TRANSFORMS_PASSES_TD
#define ASHLAR_COMPILER_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def MergeProductsPass : Pass<"ashlar-merge-products", "::mlir::func::FuncOp"> {
  let summary = "Computes products of one left operand at once";
  let description = [{
    Products that read the same rows with different weights (queries, keys and values) become one with their weights
    side by side; each former result is a slice:

    ```
    q = matmul x, wq; k = matmul x, wk   =>   y = matmul x, concat(wq, wk); q = slice y; k = slice y
    ```

    Where every product is followed by the addition of a bias of its own, the biases are concatenated and added before
    the slices. Products whose results meet in elementwise ops (a gated feed-forward layer) are left alone: fusion
    computes them in one kernel. The concatenation of parameters costs nothing: it is how the weight is packed. The
    rows are read once instead of once per product. Test: merge-products.mlir.
  }];
  let dependentDialects = ["::ashlar::graph::GraphDialect"];
}

def FusePass : Pass<"ashlar-fuse", "::mlir::func::FuncOp"> {
  let summary = "Groups ops into regions that become one kernel each";
  let description = [{
    Every op that computes ends in a `graph.fused` region:

    - a product with packed weights takes the elementwise ops behind it (bias, activation, residual), and a second
      product of the same rows that meets it there (gated feed-forward);
    - attention takes what makes its queries (slices of a merged product, rotations); cache appends take what makes
      their new rows;
    - what is left becomes row kernels: chains of elementwise ops, lookups, softmax and norms over the same rows.

    Slices, reshapes, transposes, splat constants and index counts are no work: they are repeated in every region that
    uses them. A producer with several uses, or one that a broadcast would repeat, is computed again only where the
    roofline model says that this is cheaper than storing it (compiler/CostModel/Roofline.h). Writes of states move to
    the end, each behind a copy unless the value is in place. The model goes by the constants of an ordinary core, so
    that the result does not depend on where it is made, or by those of `machine`. Tests: fuse.mlir, fuse-machine.mlir.
  }];
  let options = [
    Option<"machineFile", "machine", "std::string", "\"\"",
           "a file of machine constants, as `ashlar machine -o FILE` writes it">];
  let dependentDialects = ["::ashlar::graph::GraphDialect"];
}

def NarrowOperandsPass : Pass<"ashlar-narrow-operands", "::mlir::func::FuncOp"> {
  let summary = "Stores what products round as it is rounded";
  let description = [{
    For targets whose products round their left operand to the type of 16-bit weights: what one kernel hands to the
    next as such an operand is stored in that type, beside the f32 value where others read that. The numbers are the
    same, half the bytes move, and copies need no registers:

    ```
    %x = fused { yield %n : f32 }                  %x = fused { %h = cast %n : f32 to bf16; yield %h }
    fused (%a = %x) { matmul %a, %w : f32, bf16 }  =>  fused (%a = %x) { %f = cast %a; matmul %f, %w : f32, bf16 }
    ```

    Queries, keys and values that products with 16-bit weights make are stored in that type, too, which tells attention
    to multiply on the tensor cores: here numbers are rounded that were not. Operands that come from an input, a state
    or a constant stay as they are, and so does what is multiplied by anything but a weight. Test: narrow-operands.mlir.
  }];
  let dependentDialects = ["::ashlar::graph::GraphDialect"];
}

def SplitAttentionPass : Pass<"ashlar-split-attention", "::mlir::func::FuncOp"> {
  let summary = "Splits the keys of attention with few queries";
  let description = [{
    For targets on which one block of a kernel takes a sequence and key head (Target::getMultiprocessors): a decoder's
    step has as few as one sequence, and its key heads keep a few multiprocessors busy. The kernel attends to parts of the
    keys, and another merges them:

    ```
    %y = fused "attention" (...) {                      %p:2 = fused "attention" (...) {
      %o, %l = attention %q, %k, %v                 =>    yield attention %q, %k, %v parts 4 of 64
      yield reshape %o                                  }
    }                                                   %y = fused "merge_attention" (%p#0, %p#1) {
                                                          %o, %l = merge_attention %p#0, %p#1
                                                          yield reshape %o
                                                        }
    ```

    The parts follow from bounds, so that a row's bits do not depend on what comes with it. Attention with more rows (queries
    of the heads that share keys) than a block takes, and kernels that yield the logsumexp, stay whole. Costs: each
    part's output in the arena, a 1/64 of the keys and values that it reads for each row. Test: split-attention.mlir.
  }];
  let dependentDialects = ["::ashlar::graph::GraphDialect"];
  let options = [Option<"multiprocessors", "multiprocessors", "int64_t", "132", "blocks that run side by side">];
}

def NameValuesPass : Pass<"ashlar-name-values", "::mlir::func::FuncOp"> {
  let summary = "Gives every value of an entry point a path";
  let description = [{
    A value whose location names no path gets one: an input by the name that callers use, a reading by its state, any
    other by what it computes, numbered where that is taken. What has a path keeps it. Import gives every value one that
    tells its place in the model; this pass serves modules that were written by hand. Test: paths.mlir.
  }];
}

def VerifyPathsPass : Pass<"ashlar-verify-paths", "::mlir::func::FuncOp"> {
  let summary = "Checks that every value of an entry point has a path of its own";
  let description = [{
    Plans, errors and profiles speak of values by their paths (dialects/Graph/GraphPaths.h), so that a value without one,
    or two with the same, are an error. Runs before and after fusion; import checks what it has made. Tests: paths.mlir,
    paths-invalid.mlir.
  }];
}

#endif
