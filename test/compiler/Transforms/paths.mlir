// RUN: ashlar-opt %s --pass-pipeline='builtin.module(func.func(ashlar-name-values,ashlar-verify-paths))' --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s
// RUN: ashlar-opt %s --ashlar-fusion-pipeline --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s --check-prefix=FUSED

!x = tensor<?x8xf32, #graph.dims<[batch, _]>>
graph.dim @batch from 1 to 4
graph.state parameter model @layer.q.weight : tensor<8x8xf32>
graph.state parameter model @layer.k.weight : tensor<8x8xf32>

// What has a path keeps it; what has none is named by what it is.
// CHECK-LABEL: func.func @named
// CHECK-SAME: loc("x"
// CHECK: graph.read @layer.q.weight {{.*}} loc("layer.q.weight"
// CHECK: graph.matmul {{.*}} loc("layer.q.matmul")
// CHECK: graph.add {{.*}} loc("add"
// CHECK: graph.add {{.*}} loc("add_1"
// The products become one, whose path holds both; the slices are the values that they replace.
// FUSED-LABEL: func.func @named
// FUSED: graph.concat {{.*}} loc("layer.{q,k}.weight"
// FUSED: graph.matmul {{.*}} loc("layer.{q,k}.matmul"
// FUSED: graph.slice {{.*}} loc("layer.q.matmul")
// FUSED: graph.slice {{.*}} loc("layer.k.matmul")
// A result that only passes an input on is a value of its own.
// FUSED: graph.cast {{.*}} loc("x.copy"
func.func @named(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}, !x {graph.name = "z"}) attributes {graph.entry} {
  %wq = graph.read @layer.q.weight : tensor<8x8xf32>
  %wk = graph.read @layer.k.weight : tensor<8x8xf32>
  %q = graph.matmul %x, %wq transpose_b : !x, tensor<8x8xf32> loc("layer.q.matmul")
  %k = graph.matmul %x, %wk transpose_b : !x, tensor<8x8xf32> loc("layer.k.matmul")
  %s = graph.softmax %q : !x loc("layer.softmax")
  %0 = graph.add %s, %k : !x, !x
  %1 = graph.add %0, %k : !x, !x
  return %1, %x : !x, !x
}

// The same weights the other way round are other values.
// FUSED-LABEL: func.func @both_ways
// FUSED-DAG: graph.concat {{.*}} axis 0 {{.*}} loc("layer.{q,k}.weight"
// FUSED-DAG: graph.concat {{.*}} axis 1 {{.*}} loc("layer.{q,k}.weight_1"
func.func @both_ways(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}, !x {graph.name = "z"}) attributes {graph.entry} {
  %wq = graph.read @layer.q.weight : tensor<8x8xf32>
  %wk = graph.read @layer.k.weight : tensor<8x8xf32>
  %q = graph.matmul %x, %wq transpose_b : !x, tensor<8x8xf32>
  %k = graph.matmul %x, %wk transpose_b : !x, tensor<8x8xf32>
  %s = graph.softmax %q : !x
  %t = graph.softmax %k : !x
  %y = graph.add %s, %t : !x, !x
  %m = graph.matmul %y, %wq : !x, tensor<8x8xf32>
  %n = graph.matmul %y, %wk : !x, tensor<8x8xf32>
  %o = graph.softmax %m : !x
  %p = graph.softmax %n : !x
  return %o, %p : !x, !x
}
