// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dist dialect itself, its attributes, its type and the interface of its collectives.

#ifndef ASHLAR_DIALECTS_DIST_DISTBASE_TD
#define ASHLAR_DIALECTS_DIST_DISTBASE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/DialectBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Dist_Dialect : Dialect {
  let name = "dist";
  let cppNamespace = "::ashlar::dist";
  let summary = "Tensors over a mesh of ranks, and what ranks say to each other";
  let description = [{
    Annotations on a graph of whole tensors say who holds what; after partitioning the same functions work on each
    rank's part and talk through collectives. Sharding.h explains shardings, README.md the decisions.

    ```mlir
    module {
      dist.mesh @mesh [dp = 2, tp = 4] bandwidth [5.0e10, 4.5e11] latency [8.0e-6, 3.0e-6] flops 4.0e14
      func.func @forward(%x: tensor<8x64xf32> {dist.sharding = #dist.sharding<@mesh, [{dp}, {} ]>}) { ... }
    }
    ```

    Attributes that other dialects' ops carry:

    | attribute | on | says |
    | --- | --- | --- |
    | `dist.sharding` | arguments and results of functions, `graph.state` | how the tensor lies over the mesh |
    | `dist.shardings` | graph ops | the same, one per result |
    | `dist.pinned` | beside either | it was asked for, and propagation leaves it |
    | `dist.local` | `graph.dim` | the dimension is a rank's part of another (`#dist.local_dim`) |
    | `dist.global_type` | `graph.state` | the type of the whole tensor of which the state holds a part |
    | `dist.ranks` | functions | which ranks run it, where not all do: a stage |
    | `dist.stage` | beside it | the entry point that it is a stage of, and its number |
    | `dist.microbatches` | beside it, `dist.mesh` | in how many parts a step runs; at the most |
    | `dist.batch` | beside `dist.microbatches` | the dimension that is split |
    | `dist.step_seconds` | beside `dist.stage` | what a step of all stages takes by the model |
    | `dist.chunks` | `dist.mesh` | how many stages each rank has |
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
}

class Dist_Attr<string name, string attrMnemonic> : AttrDef<Dist_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Dist_Reduction : I32EnumAttr<"ReductionKind", "how partial tensors are combined", [
  I32EnumAttrCase<"Sum", 1, "sum">, I32EnumAttrCase<"Max", 2, "max">, I32EnumAttrCase<"Min", 3, "min">]> {
  let cppNamespace = "::ashlar::dist";
}

def Dist_AxesAttr : Dist_Attr<"Axes", "axes"> {
  let summary = "a list of mesh axes and parts of axes";
  let description = [{
    `#dist.axes<[dp, tp:(1)2]>`, major first. `parts` holds two numbers per axis, what is before the part and its size;
    0 and 0 stand for the whole axis.
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$names, ArrayRefParameter<"int64_t">:$parts);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    bool empty() const { return getNames().empty(); }
  }];
}

def Dist_ShardingAttr : Dist_Attr<"Sharding", "sharding"> {
  let summary = "how a tensor lies over a mesh";
  let description = [{
    `#dist.sharding<@mesh, [{dp}, {tp, ?} ] partial sum [pp]>`: per dimension the axes that cut it, major first, and `?`
    where propagation may add some; then the axes along which ranks hold summands (or what a maximum or minimum is
    taken of). Upstream's shard dialect calls the same `split_axes` and `partial_axes`.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$mesh, ArrayRefParameter<"::ashlar::dist::AxesAttr">:$dims,
                        ArrayRefParameter<"bool">:$open, "::ashlar::dist::Reduction":$reduction,
                        "::ashlar::dist::AxesAttr":$partial);
  let hasCustomAssemblyFormat = 1;
}

def Dist_StageAttr : Dist_Attr<"Stage", "stage"> {
  let summary = "a stage of a pipeline: which entry point the function is a part of, and its number";
  let description = "`func.func @forward.stage1(...) attributes {dist.ranks = array<i64: 2, 3>, dist.stage = #dist.stage<\"forward\", 1>}`";
  let parameters = (ins "::mlir::StringAttr":$entry, "int64_t":$index);
  let assemblyFormat = "`<` $entry `,` $index `>`";
}

def Dist_LocalDimAttr : Dist_Attr<"LocalDim", "local_dim"> {
  let summary = "a dimension that is a rank's part of another";
  let description = [{
    `graph.dim @"batch/dp" from 0 to 4 {dist.local = #dist.local_dim<@mesh, @batch, [dp]>}`; the dimension that is cut
    is a name or a number.
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$mesh, "::mlir::Attribute":$whole, "::ashlar::dist::AxesAttr":$axes);
  let assemblyFormat = "`<` $mesh `,` $whole `,` $axes `>`";
}

def Dist_PendingType : TypeDef<Dist_Dialect, "Pending"> {
  let mnemonic = "pending";
  let summary = "what a started collective will give";
  let parameters = (ins "::mlir::RankedTensorType":$result);
  let assemblyFormat = "`<` $result `>`";
}

def CollectiveOpInterface : OpInterface<"CollectiveOpInterface"> {
  let cppNamespace = "::ashlar::dist";
  let description = [{
    An op that ranks take part in together: the ranks of a group, which differ along its axes only, issue it as their
    next op of that group, or none of them goes on.
  }];
  let methods = [
    InterfaceMethod<"Returns the mesh's symbol.", "::mlir::FlatSymbolRefAttr", "getMeshAttr">,
    InterfaceMethod<"Returns the axes that a group spans, its members in order.", "::ashlar::dist::AxesAttr", "getAxes">,
    InterfaceMethod<"Returns what a rank gives, or null.", "::mlir::Value", "getInput", (ins), "",
                    [{ return $_op->getNumOperands() ? $_op->getOperand(0) : ::mlir::Value(); }]>,
    InterfaceMethod<"Returns the tensor that a rank gets, also where it is pending, or null.",
                    "::mlir::RankedTensorType", "getOutputType", (ins), "",
                    [{ return ::ashlar::dist::getOutputType($_op); }]>,
    InterfaceMethod<"Returns where the result is wanted: itself, or started and waited for later.",
                    "bool", "isStarted", (ins), "",
                    [{ return $_op->getNumResults() && ::llvm::isa<::ashlar::dist::PendingType>($_op->getResult(0).getType()); }]>,
    InterfaceMethod<[{
      Returns the place along the axes that a point-to-point op names, or nothing where all of the group take part.
    }], "std::optional<int64_t>", "getPeer", (ins), "", [{ return std::nullopt; }]>,
  ];
}

#endif
