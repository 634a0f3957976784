// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The graph dialect itself, its attributes, its one type and its enumerations.

#ifndef ASHLAR_DIALECTS_GRAPH_GRAPHBASE_TD
#define ASHLAR_DIALECTS_GRAPH_GRAPHBASE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/TensorEncoding.td"
include "mlir/IR/DialectBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Graph_Dialect : Dialect {
  let name = "graph";
  let cppNamespace = "::ashlar::graph";
  let summary = "Transformer models on whole tensors";
  let description = [{
    Value-semantics tensors at the level on which people think about models. A dimension is a number or a name;
    names are declared once per module by `graph.dim` with their bounds, and carried by the tensor's encoding:

    ```mlir
    module {
      graph.dim @batch from 1 to 8
      graph.dim @seq from 1 to 512
      graph.state parameter model @dense.weight : tensor<768x768xf32>
      func.func @forward(%x: tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>> {graph.name = "x"})
          -> (tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>> {graph.name = "y"}) attributes {graph.entry} {
        %w = graph.read @dense.weight : tensor<768x768xf32>
        %y = graph.matmul %x, %w transpose_b
            : tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>>, tensor<768x768xf32>
        return %y : tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>>
      }
    }
    ```

    Two dimensions with one name are equal by construction; there is no other symbolic algebra. See README.md beside
    this file for the reasons.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::math::MathDialect"];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
}

//===----------------------------------------------------------------------===//
// Attributes and types
//===----------------------------------------------------------------------===//

class Graph_Attr<string name, string attrMnemonic, list<Trait> traits = []> : AttrDef<Graph_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Graph_DimsAttr : Graph_Attr<"Dims", "dims", [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "the names of a tensor's dimensions";
  let description = [{
    `#graph.dims<[batch, seq, _]>`: one entry per dimension, a name exactly where the dimension is `?`, `_` where it is
    a number. A tensor whose dimensions are all numbers carries no encoding.
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$names);
  let hasCustomAssemblyFormat = 1;
}

def Graph_CacheType : TypeDef<Graph_Dialect, "Cache"> {
  let mnemonic = "cache";
  let summary = "a key or value cache";
  let description = [{
    `!graph.cache<8x512x4x64xf32>`: room for [sequences, positions, heads, width], in f32, bf16 or f16.
    Only `graph.cache_append` makes a new one and only `graph.attention` looks inside, so that contiguous, blocked or
    paged storage is a lowering.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getSequences() const { return getShape()[0]; }
    int64_t getPositions() const { return getShape()[1]; }
    int64_t getHeads() const { return getShape()[2]; }
    int64_t getWidth() const { return getShape()[3]; }
  }];
}

//===----------------------------------------------------------------------===//
// Enumerations
//===----------------------------------------------------------------------===//

class Graph_Enum<string name, string description, list<I32EnumAttrCase> cases> : I32EnumAttr<name, description, cases> {
  let cppNamespace = "::ashlar::graph";
}

def Graph_StateRole : Graph_Enum<"StateRole", "what a state holds", [
  I32EnumAttrCase<"Parameter", 0, "parameter">, I32EnumAttrCase<"Optimizer", 1, "optimizer">,
  I32EnumAttrCase<"Cache", 2, "cache">, I32EnumAttrCase<"Counter", 3, "counter">, I32EnumAttrCase<"Rng", 4, "rng">]>;

def Graph_StateScope : Graph_Enum<"StateScope", "who owns a state", [
  I32EnumAttrCase<"Model", 0, "model">, I32EnumAttrCase<"Session", 1, "session">]>;

def Graph_InitKind : Graph_Enum<"InitKind", "how a parameter without a checkpoint starts", [
  I32EnumAttrCase<"Zeros", 0, "zeros">, I32EnumAttrCase<"Ones", 1, "ones">, I32EnumAttrCase<"Normal", 2, "normal">]>;

def Graph_ReduceKind : Graph_Enum<"ReduceKind", "how elements are combined", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">, I32EnumAttrCase<"Min", 2, "min">,
  I32EnumAttrCase<"Mean", 3, "mean">]>;

def Graph_ComparePredicate : Graph_Enum<"ComparePredicate", "a comparison", [
  I32EnumAttrCase<"Eq", 0, "eq">, I32EnumAttrCase<"Ne", 1, "ne">, I32EnumAttrCase<"Lt", 2, "lt">,
  I32EnumAttrCase<"Le", 3, "le">, I32EnumAttrCase<"Gt", 4, "gt">, I32EnumAttrCase<"Ge", 5, "ge">]>;

def Graph_GeluApproximation : Graph_Enum<"GeluApproximation", "which GELU", [
  I32EnumAttrCase<"Exact", 0, "exact">, I32EnumAttrCase<"Tanh", 1, "tanh">, I32EnumAttrCase<"Sigmoid", 2, "sigmoid">]>;

def Graph_DimDerivation : Graph_Enum<"DimDerivation", "how a dimension follows from others", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Product", 1, "product">]>;

//===----------------------------------------------------------------------===//
// Constraints
//===----------------------------------------------------------------------===//

def Graph_FloatTensor : RankedTensorOf<[F64, F32, F16, BF16]>;
def Graph_IntTensor : RankedTensorOf<[I64, I32]>;
def Graph_Number : AnyTypeOf<[F64, F32, F16, BF16, I64, I32, I8, I1]>;
def Graph_Tensor : RankedTensorOf<[F64, F32, F16, BF16, I64, I32, I8, I1]>;
def Graph_BoolTensor : RankedTensorOf<[I1]>;
def Graph_TensorOrCache : AnyTypeOf<[Graph_Tensor, Graph_CacheType]>;
def Graph_FloatTensorOrCache : AnyTypeOf<[Graph_FloatTensor, Graph_CacheType]>;

class Graph_Op<string mnemonic, list<Trait> traits = []> : Op<Graph_Dialect, mnemonic, traits>;

#endif
