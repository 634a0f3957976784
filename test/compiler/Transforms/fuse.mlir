// RUN: ashlar-opt %s --pass-pipeline='builtin.module(func.func(ashlar-fuse))' | FileCheck %s

!x = tensor<?x?x8xf32, #graph.dims<[batch, seq, _]>>
!h = tensor<?x?x2x4xf32, #graph.dims<[batch, seq, _, _]>>
!ids = tensor<?x?xi64, #graph.dims<[batch, seq]>>
graph.dim @batch from 1 to 4
graph.dim @seq from 1 to 16
graph.state parameter model @w : tensor<8x8xf32>
graph.state parameter model @u : tensor<8x8xf32>
graph.state parameter model @b : tensor<8xf32>
graph.state parameter model @table : tensor<10x8xf32>
graph.state counter session @steps : tensor<4xi64>

// A product takes bias, activation and residual; the norm behind it needs whole rows and is a kernel of its own.
// CHECK-LABEL: func.func @dense
// CHECK: graph.fused "matmul_add_gelu_add"
// CHECK: graph.matmul
// CHECK: graph.yield
// CHECK: graph.fused "layer_norm"
func.func @dense(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}) attributes {graph.entry} {
  %w = graph.read @w : tensor<8x8xf32>
  %b = graph.read @b : tensor<8xf32>
  %0 = graph.matmul %x, %w transpose_b : !x, tensor<8x8xf32>
  %1 = graph.add %0, %b : !x, tensor<8xf32>
  %2 = graph.gelu %1 exact : !x
  %3 = graph.add %2, %x : !x, !x
  %4 = graph.layer_norm %3, %b, %b epsilon 1.0e-5 : !x, tensor<8xf32>, tensor<8xf32>
  return %4 : !x
}

// Two products that meet in elementwise ops are one kernel.
// CHECK-LABEL: func.func @gated
// CHECK: graph.fused "matmul_matmul_silu_mul"
// CHECK-NOT: graph.fused
// CHECK: return
func.func @gated(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}) attributes {graph.entry} {
  %w = graph.read @w : tensor<8x8xf32>
  %u = graph.read @u : tensor<8x8xf32>
  %0 = graph.matmul %x, %w transpose_b : !x, tensor<8x8xf32>
  %1 = graph.matmul %x, %u transpose_b : !x, tensor<8x8xf32>
  %2 = graph.silu %0 : !x
  %3 = graph.mul %2, %1 : !x, !x
  return %3 : !x
}

// The sum of two lookups and the norm over it are one kernel; nothing of it is stored in between.
// CHECK-LABEL: func.func @embed
// CHECK: graph.fused "embedding_embedding_add_rms_norm"
// CHECK-NOT: graph.fused
// CHECK: return
func.func @embed(%ids: !ids {graph.name = "ids"}, %kinds: !ids {graph.name = "kinds"}) -> (!x {graph.name = "y"})
    attributes {graph.entry} {
  %t = graph.read @table : tensor<10x8xf32>
  %b = graph.read @b : tensor<8xf32>
  %0 = graph.embedding %t, %ids : tensor<10x8xf32>, !ids
  %1 = graph.embedding %t, %kinds : tensor<10x8xf32>, !ids
  %2 = graph.add %0, %1 : !x, !x
  %3 = graph.rms_norm %2, %b epsilon 1.0e-5 : !x, tensor<8xf32>
  return %3 : !x
}

// Slices and reshapes are no work: attention reads the merged product through them. The result is viewed back by the
// product that follows.
// CHECK-LABEL: func.func @attend
// CHECK: graph.fused "attention" (%[[A:.*]] = %arg0
// CHECK: graph.slice %[[A]]
// CHECK: graph.attention
// CHECK: graph.fused "matmul" (%[[O:[a-z0-9]+]] =
// CHECK: graph.reshape %[[O]]
func.func @attend(%qkv: tensor<?x?x24xf32, #graph.dims<[batch, seq, _]>> {graph.name = "x"}) -> (!x {graph.name = "y"})
    attributes {graph.entry} {
  %w = graph.read @w : tensor<8x8xf32>
  %0 = graph.slice %qkv axis 2 from 0 size 8 : tensor<?x?x24xf32, #graph.dims<[batch, seq, _]>>
  %1 = graph.slice %qkv axis 2 from 8 size 8 : tensor<?x?x24xf32, #graph.dims<[batch, seq, _]>>
  %2 = graph.slice %qkv axis 2 from 16 size 8 : tensor<?x?x24xf32, #graph.dims<[batch, seq, _]>>
  %q = graph.reshape %0 : !x to !h
  %k = graph.reshape %1 : !x to !h
  %v = graph.reshape %2 : !x to !h
  %o, %lse = graph.attention %q, %k, %v scale 0.5 causal : !h, !h, !h
  %3 = graph.reshape %o : !h to !x
  %4 = graph.matmul %3, %w transpose_b : !x, tensor<8x8xf32>
  return %4 : !x
}

// A value with two readers is stored, not computed twice.
// CHECK-LABEL: func.func @shared
// CHECK: %[[S:.*]] = graph.fused "matmul"
// CHECK: graph.fused "softmax" (%{{.*}} = %[[S]]
// CHECK: graph.fused "exp" (%{{.*}} = %[[S]]
func.func @shared(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}, !x {graph.name = "z"}) attributes {graph.entry} {
  %w = graph.read @w : tensor<8x8xf32>
  %0 = graph.matmul %x, %w transpose_b : !x, tensor<8x8xf32>
  %1 = graph.softmax %0 : !x
  %2 = graph.exp %0 : !x
  return %1, %2 : !x, !x
}

// Its elementwise reader still joins it where it comes first; the value is stored on the way.
// CHECK-LABEL: func.func @stored_on_the_way
// CHECK: %[[R:.*]]:2 = graph.fused "matmul_exp"
// CHECK: graph.yield %[[M:.*]], %[[E:.*]] :
// CHECK: graph.fused "softmax" (%{{.*}} = %[[R]]#0
// CHECK-NOT: graph.fused
// CHECK: return
func.func @stored_on_the_way(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}, !x {graph.name = "z"}) attributes {graph.entry} {
  %w = graph.read @w : tensor<8x8xf32>
  %0 = graph.matmul %x, %w transpose_b : !x, tensor<8x8xf32>
  %1 = graph.exp %0 : !x
  %2 = graph.softmax %0 : !x
  return %1, %2 : !x, !x
}

// A product of activations asks for each element once per column: an expensive one is stored first.
// CHECK-LABEL: func.func @activations
// CHECK: graph.fused "erf"
// CHECK: graph.fused "matmul"
func.func @activations(%x: tensor<?x32xf32, #graph.dims<[batch, _]>> {graph.name = "x"}, %y: tensor<32x64xf32> {graph.name = "y"})
    -> (tensor<?x64xf32, #graph.dims<[batch, _]>> {graph.name = "z"}) attributes {graph.entry} {
  %0 = graph.erf %x : tensor<?x32xf32, #graph.dims<[batch, _]>>
  %1 = graph.matmul %0, %y : tensor<?x32xf32, #graph.dims<[batch, _]>>, tensor<32x64xf32>
  return %1 : tensor<?x64xf32, #graph.dims<[batch, _]>>
}

// A result that is an argument is copied, and a written state is written last.
// CHECK-LABEL: func.func @ends
// CHECK: graph.fused "add"
// CHECK: %[[C:.*]] = graph.fused "cast" (%{{.*}} = %arg0
// CHECK: %[[N:.*]] = graph.fused "cast"
// CHECK: graph.write %[[N]], @steps
// CHECK-NEXT: return %[[C]]
func.func @ends(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}) attributes {graph.entry} {
  %n = graph.read @steps : tensor<4xi64>
  %one = graph.constant dense<1> : tensor<1xi64>
  %0 = graph.add %n, %one : tensor<4xi64>, tensor<1xi64>
  graph.write %0, @steps : tensor<4xi64>
  return %x : !x
}

// A region that stands there already stays as it is; what it reads through a view is stored first.
// CHECK-LABEL: func.func @fused_before
// CHECK: graph.fused "slice"
// CHECK: graph.fused "mine"
// CHECK-NEXT: graph.matmul
// CHECK: graph.fused "exp"
func.func @fused_before(%x: tensor<3x8xf32> {graph.name = "x"}) -> (tensor<3x3xf32> {graph.name = "y"}) attributes {graph.entry} {
  %s = graph.slice %x axis 1 from 0 size 3 : tensor<3x8xf32>
  %m = graph.fused "mine" (%a = %s : tensor<3x3xf32>) -> tensor<3x3xf32> {
    %0 = graph.matmul %a, %a : tensor<3x3xf32>, tensor<3x3xf32>
    graph.yield %0 : tensor<3x3xf32>
  }
  %y = graph.exp %m : tensor<3x3xf32>
  return %y : tensor<3x3xf32>
}

// What a kernel computes is read at its own position only: the sum with the transposed product is a kernel of its own.
// CHECK-LABEL: func.func @moved
// CHECK: graph.fused "matmul_tanh"
// CHECK-NOT: graph.transpose
// CHECK: graph.yield
// CHECK: graph.fused "add"
// CHECK: graph.transpose
func.func @moved(%x: tensor<8x8xf32> {graph.name = "x"}) -> (tensor<8x8xf32> {graph.name = "y"}) attributes {graph.entry} {
  %w = graph.read @w : tensor<8x8xf32>
  %0 = graph.matmul %x, %w : tensor<8x8xf32>, tensor<8x8xf32>
  %1 = graph.tanh %0 : tensor<8x8xf32>
  %2 = graph.transpose %0 [1, 0] : tensor<8x8xf32>
  %3 = graph.add %1, %2 : tensor<8x8xf32>, tensor<8x8xf32>
  return %3 : tensor<8x8xf32>
}
