// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops that move, make or combine elements along dimensions.

#ifndef ASHLAR_DIALECTS_GRAPH_GRAPHSHAPEOPS_TD
#define ASHLAR_DIALECTS_GRAPH_GRAPHSHAPEOPS_TD

include "dialects/Graph/GraphBase.td"
include "dialects/Graph/GraphInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Graph_ShapeOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["getShardingRule"]>],
                                     traits)>;

def Graph_IotaOp : Graph_ShapeOp<"iota", [DeclareOpInterfaceMethods<PartitionOpInterface>]> {
  let summary = "the index along one dimension";
  let description = "`graph.iota axis 1 : tensor<?x?xi64, #graph.dims<[batch, seq]>>` is 0, 1, 2, ... in every row.";
  let arguments = (ins I64Attr:$axis);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "`axis` $axis attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Graph_BroadcastOp : Graph_ShapeOp<"broadcast"> {
  let summary = "repeats along dimensions of 1 and new leading ones";
  let arguments = (ins Graph_Tensor:$x);
  let results = (outs Graph_Tensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `to` type($y)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Graph_ReshapeOp : Graph_ShapeOp<"reshape"> {
  let summary = "the same elements in row-major order under other dimensions";
  let description = "The names on both sides are the same, as often, and the products of the numbers are equal.";
  let arguments = (ins Graph_Tensor:$x);
  let results = (outs Graph_Tensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `to` type($y)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

def Graph_TransposeOp : Graph_ShapeOp<"transpose", [InferTypeOpAdaptor]> {
  let summary = "dimension i of the result is dimension permutation[i] of the operand";
  let arguments = (ins Graph_Tensor:$x, DenseI64ArrayAttr:$permutation);
  let results = (outs Graph_Tensor:$y);
  let assemblyFormat = "$x $permutation attr-dict `:` type($x)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Graph_SliceOp : Graph_ShapeOp<"slice", [InferTypeOpAdaptor]> {
  let summary = "elements [offset, offset + size) along one dimension";
  let description = "`graph.slice %x axis 2 from 768 size 768 : T`. The dimension is a number.";
  let arguments = (ins Graph_Tensor:$x, I64Attr:$axis, I64Attr:$offset, I64Attr:$size);
  let results = (outs Graph_Tensor:$y);
  let assemblyFormat = "$x `axis` $axis `from` $offset `size` $size attr-dict `:` type($x)";
  let hasFolder = 1;
}

def Graph_ConcatOp : Graph_ShapeOp<"concat", [InferTypeOpAdaptor]> {
  let summary = "tensors one behind the other along one dimension";
  let arguments = (ins Variadic<Graph_Tensor>:$inputs, I64Attr:$axis);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` type($inputs)";
  let hasFolder = 1;
}

def Graph_GatherOp : Graph_ShapeOp<"gather",
    [InferTypeOpAdaptor, DeclareOpInterfaceMethods<CostOpInterface, ["getBytesRead"]>]> {
  let summary = "one element of dimension 1 per row of dimension 0";
  let description = [{
    `y[b, ...] = x[b, indices[b], ...]`: x is [batch, n, ...], indices [batch], y [batch, ...]. It takes the last token of
    each sequence, or the first. Indices outside [0, n) are clamped into it.
  }];
  let arguments = (ins Graph_Tensor:$x, Graph_IntTensor:$indices);
  let results = (outs Graph_Tensor:$y);
  let assemblyFormat = "$x `,` $indices attr-dict `:` type($x) `,` type($indices)";
}

def Graph_ReduceOp : Graph_ShapeOp<"reduce",
    [InferTypeOpAdaptor, DeclareOpInterfaceMethods<CostOpInterface>,
     DeclareOpInterfaceMethods<PartitionOpInterface>]> {
  let summary = "combines the elements along one dimension";
  let description = "`graph.reduce mean %x axis 1 : T`. With `keep_dims` the dimension stays as 1.";
  let arguments = (ins Graph_ReduceKind:$kind, Graph_Tensor:$x, I64Attr:$axis, UnitAttr:$keep_dims);
  let results = (outs Graph_Tensor:$y);
  let assemblyFormat = "$kind $x `axis` $axis (`keep_dims` $keep_dims^)? attr-dict `:` type($x)";
}

def Graph_CumsumOp : Graph_ShapeOp<"cumsum", [SameOperandsAndResultType, DeclareOpInterfaceMethods<CostOpInterface>]> {
  let summary = "y[.., i, ..] = x[.., 0, ..] + ... + x[.., i, ..], along one dimension";
  let description = "Padding-aware positions count the tokens so far: `graph.cumsum %mask axis 1 : T`.";
  let arguments = (ins Graph_Tensor:$x, I64Attr:$axis);
  let results = (outs Graph_Tensor:$y);
  let assemblyFormat = "$x `axis` $axis attr-dict `:` type($x)";
  let hasVerifier = 1;
}

#endif
