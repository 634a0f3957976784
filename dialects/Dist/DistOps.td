// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The mesh, collectives, and a shard's origin.

#ifndef ASHLAR_DIALECTS_DIST_DISTOPS_TD
#define ASHLAR_DIALECTS_DIST_DISTOPS_TD

include "dialects/Dist/DistBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Dist_Op<string mnemonic, list<Trait> traits = []> : Op<Dist_Dialect, mnemonic, traits>;

def Dist_MeshOp : Dist_Op<"mesh", [Symbol, HasParent<"::mlir::ModuleOp">]> {
  let summary = "declares a mesh of ranks with named axes and its topology";
  let description = [{
    `dist.mesh @mesh [dp = 2, tp = 4] bandwidth [5.0e10, 4.5e11] latency [8.0e-6, 3.0e-6] flops 4.0e14`. The last axis is
    the fastest: rank = dp * 4 + tp. Bandwidth is in bytes per second that a rank sends along the axis, latency in
    seconds, `flops` the operations per second of one rank, `memory` the bytes that it reads per second. `makeMesh`
    (Sharding.h) fills these in for known topologies.
    Upstream's `shard.grid`, with names.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$names, DenseI64ArrayAttr:$sizes,
                       DenseF64ArrayAttr:$bandwidth, DenseF64ArrayAttr:$latency, F64Attr:$flops,
                       OptionalAttr<F64Attr>:$memory);
  let assemblyFormat = [{
    $sym_name custom<MeshAxes>($names, $sizes) `bandwidth` $bandwidth `latency` $latency `flops` $flops
    (`memory` $memory^)? attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = "::ashlar::dist::Mesh getMesh();";
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

// Operand, mesh and axes come first in all of them.
class Dist_Collective<string mnemonic, list<Trait> traits = []>
    : Dist_Op<mnemonic, !listconcat([DeclareOpInterfaceMethods<SymbolUserOpInterface>,
                                     DeclareOpInterfaceMethods<CollectiveOpInterface>], traits)> {
  let results = (outs AnyType:$result);
  string start = [{
    In the start form the result is `!dist.pending<T>`, and `dist.wait` gives the tensor: what stands between the two may
    run at the same time.
  }];
}

def Dist_AllReduceOp : Dist_Collective<"all_reduce"> {
  let summary = "combines every rank's tensor; all get the result";
  let description = "`dist.all_reduce sum %x over @mesh [tp] : T to T`." # start;
  let arguments = (ins Dist_Reduction:$reduction, AnyRankedTensor:$x, FlatSymbolRefAttr:$mesh, Dist_AxesAttr:$axes);
  let assemblyFormat = "$reduction $x `over` $mesh custom<AxesList>($axes) attr-dict `:` type($x) `to` type($result)";
}

def Dist_ReduceScatterOp : Dist_Collective<"reduce_scatter"> {
  let summary = "combines every rank's tensor; each gets its part of the result along a dimension";
  let description = "`dist.reduce_scatter sum %x over @mesh [tp] axis 1 : T to U`." # start;
  let arguments = (ins Dist_Reduction:$reduction, AnyRankedTensor:$x, FlatSymbolRefAttr:$mesh, Dist_AxesAttr:$axes,
                       I64Attr:$axis);
  let assemblyFormat = [{
    $reduction $x `over` $mesh custom<AxesList>($axes) `axis` $axis attr-dict `:` type($x) `to` type($result)
  }];
}

def Dist_AllGatherOp : Dist_Collective<"all_gather"> {
  let summary = "joins the ranks' tensors along a dimension, in the order of their index";
  let description = "`dist.all_gather %x over @mesh [tp] axis 1 : T to U`. Parts may have different extents." # start;
  let arguments = (ins AnyRankedTensor:$x, FlatSymbolRefAttr:$mesh, Dist_AxesAttr:$axes, I64Attr:$axis);
  let assemblyFormat = "$x `over` $mesh custom<AxesList>($axes) `axis` $axis attr-dict `:` type($x) `to` type($result)";
}

def Dist_AllToAllOp : Dist_Collective<"all_to_all"> {
  let summary = "cuts every rank's tensor along one dimension and joins what a rank gets along another";
  let description = "`dist.all_to_all %x over @mesh [tp] split 1 join 2 : T to U`." # start;
  let arguments = (ins AnyRankedTensor:$x, FlatSymbolRefAttr:$mesh, Dist_AxesAttr:$axes, I64Attr:$split, I64Attr:$join);
  let assemblyFormat = [{
    $x `over` $mesh custom<AxesList>($axes) `split` $split `join` $join attr-dict `:` type($x) `to` type($result)
  }];
}

def Dist_PermuteOp : Dist_Collective<"permute"> {
  let summary = "sends each rank's tensor to another of the group";
  let description = [{
    `dist.permute %x over @mesh [pp] pairs [0, 1, 1, 2] : T to T`: from place 0 to 1 and from 1 to 2. A rank that nobody
    sends to gets zeros; nobody sends or gets twice.
  }] # start;
  let arguments = (ins AnyRankedTensor:$x, FlatSymbolRefAttr:$mesh, Dist_AxesAttr:$axes, DenseI64ArrayAttr:$pairs);
  let assemblyFormat = "$x `over` $mesh custom<AxesList>($axes) `pairs` $pairs attr-dict `:` type($x) `to` type($result)";
}

def Dist_BroadcastOp : Dist_Collective<"broadcast"> {
  let summary = "gives every rank the tensor of one of the group";
  let description = "`dist.broadcast %x over @mesh [tp] root 0 : T to T`." # start;
  let arguments = (ins AnyRankedTensor:$x, FlatSymbolRefAttr:$mesh, Dist_AxesAttr:$axes, I64Attr:$root);
  let assemblyFormat = "$x `over` $mesh custom<AxesList>($axes) `root` $root attr-dict `:` type($x) `to` type($result)";
}

def Dist_WaitOp : Dist_Op<"wait"> {
  let summary = "the result of a started collective";
  let arguments = (ins Dist_PendingType:$pending);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$pending attr-dict `:` type($pending) `to` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Between stages
//===----------------------------------------------------------------------===//

def Dist_SendOp : Dist_Collective<"send"> {
  let summary = "gives a tensor to the rank at another place along the axes";
  let description = [{
    `dist.send %x to 1 over @mesh [pp] : T`. Sends and receives between two ranks match in their order. With `delivery` it
    brings a result of the function to a stage that does not make it; where a step runs in microbatches that happens
    once, with all of them.
  }];
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$peer, FlatSymbolRefAttr:$mesh, Dist_AxesAttr:$axes,
                       UnitAttr:$delivery);
  let results = (outs);
  let assemblyFormat = [{
    $x `to` $peer `over` $mesh custom<AxesList>($axes) (`delivery` $delivery^)? attr-dict `:` type($x)
  }];
}

def Dist_RecvOp : Dist_Collective<"recv"> {
  let summary = "takes a tensor from the rank at another place along the axes";
  let description = "`%x = dist.recv from 0 over @mesh [pp] : T`." # start;
  let arguments = (ins I64Attr:$peer, FlatSymbolRefAttr:$mesh, Dist_AxesAttr:$axes, UnitAttr:$delivery);
  let assemblyFormat = [{
    `from` $peer `over` $mesh custom<AxesList>($axes) (`delivery` $delivery^)? attr-dict `:` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// On one rank
//===----------------------------------------------------------------------===//

def Dist_AllSliceOp : Dist_Op<"all_slice", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "this rank's part of a tensor along a dimension";
  let description = "`dist.all_slice %x over @mesh [tp] axis 1 : T to U`. The inverse of all_gather; nothing is sent.";
  let arguments = (ins AnyRankedTensor:$x, FlatSymbolRefAttr:$mesh, Dist_AxesAttr:$axes, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$x `over` $mesh custom<AxesList>($axes) `axis` $axis attr-dict `:` type($x) `to` type($result)";
}

def Dist_ShardOriginOp : Dist_Op<"shard_origin", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the index at which this rank's part of a dimension begins";
  let description = [{
    `%o = dist.shard_origin @batch over @mesh [dp] : tensor<i64>`; the dimension is a name or a number. Positions on a
    rank are row numbers plus this.
  }];
  let arguments = (ins AnyAttr:$dim, FlatSymbolRefAttr:$mesh, Dist_AxesAttr:$axes);
  let results = (outs TensorOf<[I64]>:$result);
  let assemblyFormat = "$dim `over` $mesh custom<AxesList>($axes) attr-dict `:` type($result)";
}

#endif
