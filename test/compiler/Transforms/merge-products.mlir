// RUN: ashlar-opt %s --pass-pipeline='builtin.module(func.func(ashlar-merge-products))' | FileCheck %s

!x = tensor<?x8xf32, #graph.dims<[batch, _]>>
graph.dim @batch from 1 to 4
graph.state parameter model @wq : tensor<8x8xf32>
graph.state parameter model @wk : tensor<4x8xf32>
graph.state parameter model @bq : tensor<8xf32>
graph.state parameter model @bk : tensor<4xf32>
graph.state parameter model @wu : tensor<8x8xf32>

// CHECK-LABEL: func.func @queries_and_keys
// CHECK: %[[W:.*]] = graph.concat %{{.*}}, %{{.*}} axis 0 : tensor<8x8xf32>, tensor<4x8xf32>
// CHECK: %[[Y:.*]] = graph.matmul %arg0, %[[W]] transpose_b
// CHECK: %[[B:.*]] = graph.concat %{{.*}}, %{{.*}} axis 0 : tensor<8xf32>, tensor<4xf32>
// CHECK: %[[S:.*]] = graph.add %[[Y]], %[[B]]
// CHECK: %[[Q:.*]] = graph.slice %[[S]] axis 1 from 0 size 8
// CHECK: %[[K:.*]] = graph.slice %[[S]] axis 1 from 8 size 4
// CHECK: return %[[Q]], %[[K]]
func.func @queries_and_keys(%x: !x) -> (!x, tensor<?x4xf32, #graph.dims<[batch, _]>>) {
  %wq = graph.read @wq : tensor<8x8xf32>
  %bq = graph.read @bq : tensor<8xf32>
  %0 = graph.matmul %x, %wq transpose_b : !x, tensor<8x8xf32>
  %q = graph.add %0, %bq : !x, tensor<8xf32>
  %wk = graph.read @wk : tensor<4x8xf32>
  %bk = graph.read @bk : tensor<4xf32>
  %1 = graph.matmul %x, %wk transpose_b : !x, tensor<4x8xf32>
  %k = graph.add %1, %bk : tensor<?x4xf32, #graph.dims<[batch, _]>>, tensor<4xf32>
  return %q, %k : !x, tensor<?x4xf32, #graph.dims<[batch, _]>>
}

// Gate and up meet in a product of their elements: fusion makes them one kernel.
// CHECK-LABEL: func.func @gated
// CHECK-NOT: graph.concat
// CHECK-COUNT-2: graph.matmul
func.func @gated(%x: !x) -> !x {
  %wq = graph.read @wq : tensor<8x8xf32>
  %wu = graph.read @wu : tensor<8x8xf32>
  %0 = graph.matmul %x, %wq transpose_b : !x, tensor<8x8xf32>
  %1 = graph.matmul %x, %wu transpose_b : !x, tensor<8x8xf32>
  %2 = graph.silu %0 : !x
  %3 = graph.mul %2, %1 : !x, !x
  return %3 : !x
}

// Only one of them has a bias; merging would need zeros for the other.
// CHECK-LABEL: func.func @one_bias
// CHECK-NOT: graph.concat
func.func @one_bias(%x: !x) -> (!x, tensor<?x4xf32, #graph.dims<[batch, _]>>) {
  %wq = graph.read @wq : tensor<8x8xf32>
  %bq = graph.read @bq : tensor<8xf32>
  %wk = graph.read @wk : tensor<4x8xf32>
  %0 = graph.matmul %x, %wq transpose_b : !x, tensor<8x8xf32>
  %q = graph.add %0, %bq : !x, tensor<8xf32>
  %k = graph.matmul %x, %wk transpose_b : !x, tensor<4x8xf32>
  return %q, %k : !x, tensor<?x4xf32, #graph.dims<[batch, _]>>
}
