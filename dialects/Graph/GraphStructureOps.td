// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a module is made of: dimensions, states and their reads and writes, constants, fused regions.

#ifndef ASHLAR_DIALECTS_GRAPH_GRAPHSTRUCTUREOPS_TD
#define ASHLAR_DIALECTS_GRAPH_GRAPHSTRUCTUREOPS_TD

include "dialects/Graph/GraphBase.td"
include "dialects/Graph/GraphInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"

def Graph_DimOp : Graph_Op<"dim", [Symbol, HasParent<"::mlir::ModuleOp">]> {
  let summary = "declares a named dimension and its bounds";
  let description = [{
    `graph.dim @batch from 1 to 8`. A derived dimension says what it follows from:
    `graph.dim @total from 2 to 512 sum [@past, @seq]`. Memory is planned at `to`; kernels take the extent at run time.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$minimum, I64Attr:$maximum,
                       OptionalAttr<Graph_DimDerivation>:$derivation,
                       OptionalAttr<TypedArrayAttrBase<FlatSymbolRefAttr, "dimension names">>:$terms);
  let assemblyFormat = "$sym_name `from` $minimum `to` $maximum ($derivation^ $terms)? attr-dict";
  let hasVerifier = 1;
}

def Graph_StateOp : Graph_Op<"state", [Symbol, HasParent<"::mlir::ModuleOp">]> {
  let summary = "declares memory that outlives a step";
  let description = [{
    A parameter, an optimiser's moment, a KV cache, a counter or a random generator's state:

    ```mlir
    graph.state parameter model @encoder.layer.0.output.dense.weight : tensor<768x3072xf32>
    graph.state cache session @layers.0.self_attn.key_cache : !graph.cache<8x512x4x64xf32>
    ```

    The symbol is the logical name, which plans, checkpoints and errors use. `tensor` names the checkpoint's tensor where
    that differs; a parameter may be a range of it, beginning `at` an element `of` its whole shape, as queries are of the
    columns of a merged projection:

    ```mlir
    graph.state parameter model @h.0.attn.c_attn.key.weight tensor "h.0.attn.c_attn.weight" at [0, 768] of [768, 2304]
        : tensor<768x768xf32>
    ```

    `init` (and `stddev`) say how a parameter starts when there is no checkpoint; session states start as
    zero. An entry point reads a state at most once and writes it at most once.
  }];
  let arguments = (ins Graph_StateRole:$role, Graph_StateScope:$scope, SymbolNameAttr:$sym_name,
                       TypeAttr:$type, OptionalAttr<StrAttr>:$tensor, OptionalAttr<DenseI64ArrayAttr>:$begin,
                       OptionalAttr<DenseI64ArrayAttr>:$whole, OptionalAttr<Graph_InitKind>:$init,
                       OptionalAttr<F32Attr>:$stddev);
  let assemblyFormat = [{
    $role $scope $sym_name (`tensor` $tensor^)? (`at` $begin^ `of` $whole)? (`init` $init^)? (`stddev` $stddev^)? attr-dict
    `:` $type
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The name of the tensor in the checkpoint.
    ::llvm::StringRef getTensorName() { return getTensor() ? *getTensor() : getSymName(); }
  }];
}

def Graph_ReadOp : Graph_Op<"read", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "reads a state at the start of a step";
  let description = [{
    The whole state, or its first elements: where the state is a tensor, the reading may have named dimensions in the
    place of its numbers, whose bounds are not larger. A counter kept for 8 sequences is read for the `batch` sequences
    of this step, without a copy; a shard kept with padding is read without it.

    ```mlir
    graph.dim @batch from 1 to 8
    graph.state counter session @lengths : tensor<8xi64>
    %lengths = graph.read @lengths : tensor<?xi64, #graph.dims<[batch]>>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$state);
  let results = (outs Graph_TensorOrCache:$result);
  let assemblyFormat = "$state attr-dict `:` type($result)";
}

def Graph_WriteOp : Graph_Op<"write", [MemoryEffects<[MemWrite]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "writes a state at the end of a step";
  let description = [{
    In place where the value was made from the state's own reading, which is what a cache does. As `graph.read`, it may
    be of the first elements; the others keep what they hold.
  }];
  let arguments = (ins Graph_TensorOrCache:$value, FlatSymbolRefAttr:$state);
  let assemblyFormat = "$value `,` $state attr-dict `:` type($value)";
}

def Graph_ConstantOp : Graph_Op<"constant", [Pure, ConstantLike, InferTypeOpAdaptor,
    DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["getShardingRule"]>]> {
  let summary = "a constant tensor";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$value attr-dict";
  let hasFolder = 1;
}

def Graph_FusedOp : Graph_Op<"fused", [Pure, IsolatedFromAbove, SingleBlock]> {
  let summary = "a region that becomes one kernel";
  let description = [{
    ```mlir
    %y = graph.fused "dense_gelu" (%a = %x : T0, %b = %w : T1) -> T2 {
      %0 = graph.matmul %a, %b : T0, T1
      %1 = graph.gelu %0 exact : T2
      graph.yield %1 : T2
    }
    ```
    The name says what is fused. Nothing in the region is visible outside except what it yields.
  }];
  let arguments = (ins StrAttr:$name, Variadic<Graph_TensorOrCache>:$inputs);
  let results = (outs Variadic<Graph_TensorOrCache>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block &getBlock() { return getBody().front(); }
    ::mlir::Operation *getYield() { return getBlock().getTerminator(); }
  }];
}

def Graph_YieldOp : Graph_Op<"yield", [Pure, Terminator, HasParent<"FusedOp">]> {
  let summary = "the results of a fused region";
  let arguments = (ins Variadic<Graph_TensorOrCache>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

#endif
