// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementwise ops. Binary ones broadcast as NumPy does.

#ifndef ASHLAR_DIALECTS_GRAPH_GRAPHELEMENTWISEOPS_TD
#define ASHLAR_DIALECTS_GRAPH_GRAPHELEMENTWISEOPS_TD

include "dialects/Graph/GraphBase.td"
include "dialects/Graph/GraphInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Graph_ElementwiseOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<ElementwiseOpInterface,
        ["getOperationsPerElement"]>,
        DeclareOpInterfaceMethods<CostOpInterface, ["getTranscendentals"]>, ShardingRuleOpInterface], traits)>;

class Graph_UnaryOp<string mnemonic, string formula, list<Trait> traits = []>
    : Graph_ElementwiseOp<mnemonic, !listconcat([SameOperandsAndResultType], traits)> {
  let summary = "y = " # formula;
  let arguments = (ins Graph_FloatTensor:$x);
  let results = (outs Graph_FloatTensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
}

def Graph_NegOp : Graph_UnaryOp<"neg", "-x"> { let hasFolder = 1; }
def Graph_AbsOp : Graph_UnaryOp<"abs", "|x|">;
def Graph_ExpOp : Graph_UnaryOp<"exp", "e^x">;
def Graph_LogOp : Graph_UnaryOp<"log", "ln x">;
def Graph_SqrtOp : Graph_UnaryOp<"sqrt", "x^(1/2)">;
def Graph_RsqrtOp : Graph_UnaryOp<"rsqrt", "x^(-1/2)">;
def Graph_TanhOp : Graph_UnaryOp<"tanh", "tanh x">;
def Graph_ErfOp : Graph_UnaryOp<"erf", "erf x">;
def Graph_SigmoidOp : Graph_UnaryOp<"sigmoid", "1 / (1 + e^-x)">;
def Graph_SiluOp : Graph_UnaryOp<"silu", "x sigmoid(x)">;
def Graph_ReluOp : Graph_UnaryOp<"relu", "max(x, 0)">;

def Graph_GeluOp : Graph_UnaryOp<"gelu", "x Phi(x)"> {
  let description = [{
    Gaussian error linear unit (Hendrycks and Gimpel, 2016). `exact`: x (1 + erf(x / sqrt 2)) / 2; `tanh`:
    x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2; `sigmoid`: x sigmoid(1.702 x).
  }];
  let arguments = (ins Graph_FloatTensor:$x, Graph_GeluApproximation:$approximation);
  let assemblyFormat = "$x $approximation attr-dict `:` type($x)";
}

def Graph_CastOp : Graph_ElementwiseOp<"cast"> {
  let summary = "y = x in another element type";
  let description = "Floating point rounds to nearest even; floating point to integer truncates; to i1 asks for x != 0.";
  let arguments = (ins Graph_Tensor:$x);
  let results = (outs Graph_Tensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `to` type($y)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

class Graph_BinaryOp<string mnemonic, string formula, list<Trait> traits = []>
    : Graph_ElementwiseOp<mnemonic,
        !listconcat([DeclareOpInterfaceMethods<InferTypeOpInterface>, SameOperandsAndResultElementType], traits)> {
  let summary = "z = " # formula;
  let arguments = (ins Graph_Tensor:$x, Graph_Tensor:$y);
  let results = (outs Graph_Tensor:$z);
  let assemblyFormat = "$x `,` $y attr-dict `:` type($x) `,` type($y)";
}

def Graph_AddOp : Graph_BinaryOp<"add", "x + y", [Commutative]> { let hasFolder = 1; }
def Graph_SubOp : Graph_BinaryOp<"sub", "x - y"> { let hasFolder = 1; }
def Graph_MulOp : Graph_BinaryOp<"mul", "x y", [Commutative]> { let hasFolder = 1; }
def Graph_DivOp : Graph_BinaryOp<"div", "x / y"> {
  let description = "Integers divide towards zero.";
  let hasFolder = 1;
}
def Graph_MaxOp : Graph_BinaryOp<"max", "max(x, y)", [Commutative]>;
def Graph_MinOp : Graph_BinaryOp<"min", "min(x, y)", [Commutative]>;
def Graph_PowOp : Graph_BinaryOp<"pow", "x^y, x > 0"> {
  let arguments = (ins Graph_FloatTensor:$x, Graph_FloatTensor:$y);
  let results = (outs Graph_FloatTensor:$z);
}

def Graph_CompareOp : Graph_ElementwiseOp<"compare",
    [DeclareOpInterfaceMethods<InferTypeOpInterface>, SameOperandsElementType]> {
  let summary = "z = whether x and y stand in a relation";
  let arguments = (ins Graph_ComparePredicate:$predicate, Graph_Tensor:$x, Graph_Tensor:$y);
  let results = (outs Graph_BoolTensor:$z);
  let assemblyFormat = "$predicate $x `,` $y attr-dict `:` type($x) `,` type($y)";
}

def Graph_SelectOp : Graph_ElementwiseOp<"select", [DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "z = condition ? x : y";
  let arguments = (ins Graph_BoolTensor:$condition, Graph_Tensor:$x, Graph_Tensor:$y);
  let results = (outs Graph_Tensor:$z);
  let assemblyFormat = "$condition `,` $x `,` $y attr-dict `:` type($condition) `,` type($x) `,` type($y)";
}

#endif
