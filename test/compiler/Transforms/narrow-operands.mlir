// RUN: ashlar-opt %s --ashlar-narrow-operands --verify-roundtrip | FileCheck %s

!x = tensor<?x8xf32, #graph.dims<[seq, _]>>
!r = tensor<?x2x4xf32, #graph.dims<[seq, _, _]>>
!w = tensor<8x8xbf16>
!v = tensor<8x8xf32>
graph.dim @seq from 1 to 64
graph.state parameter model @w init normal stddev 1.0 : !w
graph.state parameter model @v init normal stddev 1.0 : !v

// The only readers round, one of them by way of a reshape: the value is stored rounded, and widened
// once for two products.
// CHECK-LABEL: func @only_products
func.func @only_products(%x: !r {graph.name = "x"}) -> (!x {graph.name = "y"})
    attributes {graph.entry} {
  %w = graph.read @w : !w
  // CHECK: %[[N:.*]] = graph.fused "neg"
  // CHECK: %[[NEG:.*]] = graph.neg
  // CHECK: %[[H:.*]] = graph.cast %[[NEG]] : {{.*}}xf32{{.*}} to tensor<?x2x4xbf16
  // CHECK: graph.yield %[[H]]
  %n = graph.fused "neg" (%a = %x : !r) -> !r {
    %0 = graph.neg %a : !r
    graph.yield %0 : !r
  }
  // CHECK: graph.fused "products" (%[[A:.*]] = %[[N]] : tensor<?x2x4xbf16
  // CHECK: %[[FLAT:.*]] = graph.reshape %[[A]] : tensor<?x2x4xbf16{{.*}} to tensor<?x8xbf16
  // CHECK: %[[WIDE:.*]] = graph.cast %[[FLAT]] : {{.*}} to tensor<?x8xf32
  // CHECK: graph.matmul %[[WIDE]],
  // CHECK: graph.matmul %[[WIDE]],
  %y = graph.fused "products" (%a = %n : !r, %b = %w : !w) -> !x {
    %0 = graph.reshape %a : !r to !x
    %1 = graph.matmul %0, %b transpose_b : !x, !w
    %2 = graph.matmul %0, %b transpose_b : !x, !w
    %3 = graph.mul %1, %2 : !x, !x
    graph.yield %3 : !x
  }
  return %y : !x
}

// A sum reads the value, too: it gets a rounded copy.
// CHECK-LABEL: func @also_a_sum
func.func @also_a_sum(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"})
    attributes {graph.entry} {
  %w = graph.read @w : !w
  // CHECK: %[[N:.*]]:2 = graph.fused "neg"
  // CHECK: graph.yield %{{.*}}, %{{.*}} : tensor<?x8xf32{{.*}}, tensor<?x8xbf16
  %n = graph.fused "neg" (%a = %x : !x) -> !x {
    %0 = graph.neg %a : !x
    graph.yield %0 : !x
  }
  // CHECK: graph.fused "product" ({{.*}} = %[[N]]#1 : tensor<?x8xbf16{{.*}}, {{.*}} = %[[N]]#0 :
  %y = graph.fused "product" (%a = %n : !x, %c = %n : !x, %b = %w : !w) -> !x {
    %0 = graph.matmul %a, %b transpose_b : !x, !w
    %1 = graph.add %0, %c : !x, !x
    graph.yield %1 : !x
  }
  return %y : !x
}

// f32 weights do not round; an input is not a kernel's.
// CHECK-LABEL: func @nothing_rounds
// CHECK-NOT: graph.cast
func.func @nothing_rounds(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"})
    attributes {graph.entry} {
  %w = graph.read @w : !w
  %v = graph.read @v : !v
  %n = graph.fused "product" (%a = %x : !x, %b = %w : !w) -> !x {
    %0 = graph.matmul %a, %b transpose_b : !x, !w
    graph.yield %0 : !x
  }
  %y = graph.fused "wide" (%a = %n : !x, %b = %v : !v) -> !x {
    %0 = graph.matmul %a, %b transpose_b : !x, !v
    graph.yield %0 : !x
  }
  return %y : !x
}

// A right operand that is no weight, or has rows of its own for every sequence: a sum in f32, which
// rounds nothing.
!b = tensor<2x4x8xf32>
!g = tensor<2x8x8xbf16>
!c = tensor<8x8xbf16>
// CHECK-LABEL: func @no_weights
// CHECK-NOT: graph.cast
func.func @no_weights(%x: !b {graph.name = "x"}, %g: !g {graph.name = "g"}, %c: !c {graph.name = "c"})
    -> (!b {graph.name = "y"}, !b {graph.name = "z"}) attributes {graph.entry} {
  %n:2 = graph.fused "neg" (%a = %x : !b) -> !b, !b {
    %0 = graph.neg %a : !b
    %1 = graph.neg %0 : !b
    graph.yield %0, %1 : !b, !b
  }
  %y = graph.fused "batched" (%a = %n#0 : !b, %d = %g : !g) -> !b {
    %0 = graph.matmul %a, %d transpose_b : !b, !g
    graph.yield %0 : !b
  }
  %z = graph.fused "input" (%a = %n#1 : !b, %d = %c : !c) -> !b {
    %0 = graph.matmul %a, %d transpose_b : !b, !c
    graph.yield %0 : !b
  }
  return %y, %z : !b, !b
}

!m = tensor<?x?x24xf32, #graph.dims<[batch, seq, _]>>
!i = tensor<?x?x8xf32, #graph.dims<[batch, seq, _]>>
!h = tensor<?x?x2x4xf32, #graph.dims<[batch, seq, _, _]>>
graph.dim @batch from 1 to 4
graph.state parameter model @merged init normal stddev 1.0 : tensor<24x8xbf16>

// What a product of bf16 weights makes for attention is stored as bf16.
// CHECK-LABEL: func @attention
func.func @attention(%x: !i {graph.name = "x"}) -> (!h {graph.name = "y"})
    attributes {graph.entry} {
  %w = graph.read @merged : tensor<24x8xbf16>
  // CHECK: %[[M:.*]] = graph.fused "merged"
  // CHECK: graph.cast {{.*}} to tensor<?x?x24xbf16
  %m = graph.fused "merged" (%a = %x : !i, %b = %w : tensor<24x8xbf16>) -> !m {
    %0 = graph.matmul %a, %b transpose_b : !i, tensor<24x8xbf16>
    graph.yield %0 : !m
  }
  // CHECK: graph.fused "attention" (%{{.*}} = %[[M]] : tensor<?x?x24xbf16
  // CHECK: graph.reshape {{.*}} to tensor<?x?x2x4xbf16
  // CHECK: %[[Q:.*]] = graph.cast {{.*}} to tensor<?x?x2x4xf32
  // CHECK: graph.attention %[[Q]],
  %y = graph.fused "attention" (%a = %m : !m) -> !h {
    %0 = graph.slice %a axis 2 from 0 size 8 : !m
    %1 = graph.reshape %0 : !i to !h
    %2 = graph.slice %a axis 2 from 8 size 8 : !m
    %3 = graph.reshape %2 : !i to !h
    %o, %l = graph.attention %1, %3, %3 scale 0.5 causal : !h, !h, !h
    graph.yield %o : !h
  }
  return %y : !h
}
