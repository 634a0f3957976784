// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What passes ask of an op. No pass holds a switch over ops: a new op answers these, or says by not implementing one
// that it has no answer.

#ifndef ASHLAR_DIALECTS_GRAPH_GRAPHINTERFACES_TD
#define ASHLAR_DIALECTS_GRAPH_GRAPHINTERFACES_TD

include "mlir/IR/OpBase.td"

class Graph_Interface<string name> : OpInterface<name> {
  let cppNamespace = "::ashlar::graph";
}

def ElementwiseOpInterface : Graph_Interface<"ElementwiseOpInterface"> {
  let description = [{
    An op whose every result element depends on the operands' elements at the same (broadcast) index only. The code
    generators clone such ops into any loop, on scalars or on vectors.
  }];
  let methods = [
    InterfaceMethod<[{
      Creates the computation of one element (or of a vector of elements) from `elements`, one value per operand, in the
      arith and math dialects. Floating-point elements arrive and leave as f32 (or vectors of it) unless the operand is f64.
    }], "::mlir::Value", "buildElement",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$elements)>,
    InterfaceMethod<"Returns how many arithmetic operations one element takes beside transcendental functions, for the cost model.",
      "int64_t", "getOperationsPerElement", (ins), "", [{ return 1; }]>,
  ];
}

def CostOpInterface : Graph_Interface<"CostOpInterface"> {
  let description = [{
    How much arithmetic an op does, by kind, as sums of monomials over named dimensions. Bytes follow from the operands'
    and results' types, except where only a part of an operand is touched.
  }];
  let methods = [
    InterfaceMethod<"Returns the operations of the whole op that are neither of the two kinds below.",
      "::ashlar::graph::Polynomial", "getElementwiseFlops">,
    InterfaceMethod<"Returns the multiplications and additions of products (a fused multiply-add counts two).",
      "::ashlar::graph::Polynomial", "getProductFlops", (ins), "", [{ return {}; }]>,
    InterfaceMethod<"Returns how many exponentials, error functions, logarithms and the like are evaluated.",
      "::ashlar::graph::Polynomial", "getTranscendentals", (ins), "", [{ return {}; }]>,
    InterfaceMethod<"Returns the bytes read of an operand: all of it unless the op is a lookup.",
      "::ashlar::graph::Polynomial", "getBytesRead", (ins "unsigned":$operand), "",
      [{ return ::ashlar::graph::getByteSize($_op->getOperand(operand).getType()); }]>,
  ];
  let extraSharedClassDeclaration = [{
    /// All operations; a transcendental function counts as the polynomial that stands for it.
    ::ashlar::graph::Polynomial getFlops() {
      ::ashlar::graph::Polynomial flops = $_op.getTranscendentals();
      flops *= 20;
      flops += $_op.getElementwiseFlops();
      flops += $_op.getProductFlops();
      return flops;
    }
  }];
}

def ShardingRuleOpInterface : Graph_Interface<"ShardingRuleOpInterface"> {
  let description = [{
    Which dimensions of operands and results are one factor (as the letters of an einsum), which factors are reduced
    and how, and which may not be cut; see ShardingRule.h. Without a method of its own an op is taken to broadcast:
    every dimension of the result is a factor, and operands are aligned with it at the last one.
  }];
  let methods = [
    InterfaceMethod<"Returns the rule for this op at its present types.",
      "::ashlar::graph::ShardingRule", "getShardingRule", (ins), "",
      [{ return ::ashlar::graph::getBroadcastRule($_op.getOperation()); }]>,
  ];
}

def PartitionOpInterface : Graph_Interface<"PartitionOpInterface"> {
  let description = [{
    An op that computes something else where some of its factors are cut: a softmax combines maxima and sums, an iota
    adds the shard's origin. The factors are those of its rule marked `Cut::Partition`. Which alternative is taken
    (gather the dimension first, or cut it and combine) is the choice of factors; what each costs follows from the
    collectives that it brings.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the op on this rank's operands. Returns one value per result, of the local types; where a reduced factor is
      cut, of this rank's part of the reduction. Called only where a factor marked `Cut::Partition` is cut.
    }], "::llvm::SmallVector<::mlir::Value>", "partition", (ins "::ashlar::graph::PartitionContext &":$context)>,
  ];
}

def DifferentiableOpInterface : Graph_Interface<"DifferentiableOpInterface"> {
  let description = "An op that can build its vector-Jacobian product in graph ops.";
  let methods = [
    InterfaceMethod<[{
      Builds, at the builder's insertion point, the gradients of a loss with respect to each operand from the gradients
      with respect to each result (null: none flows). Pushes one value per operand, null where none flows. Fails with a
      diagnostic where the op has no derivative.
    }], "::llvm::LogicalResult", "buildGradients",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultGradients,
           "::llvm::SmallVectorImpl<::mlir::Value> &":$operandGradients)>,
  ];
}

#endif
