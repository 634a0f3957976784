// RUN: ashlar-opt %s --pass-pipeline='builtin.module(func.func(ashlar-split-attention{multiprocessors=16}))' --verify-roundtrip | FileCheck %s
// Nothing is split for no multiprocessors.
// RUN: ashlar-opt %s --pass-pipeline='builtin.module(func.func(ashlar-split-attention{multiprocessors=0}))' | FileCheck %s --check-prefix=NONE
// NONE-NOT: parts

!q = tensor<?x1x4x8xf32, #graph.dims<[batch, _, _, _]>>
!y = tensor<?x1x32xf32, #graph.dims<[batch, _, _]>>
!n = tensor<?xi64, #graph.dims<[batch]>>
!c = !graph.cache<4x200x2x8xf32>
graph.dim @batch from 1 to 4
graph.dim @keys from 1 to 130
graph.dim @seq from 1 to 64
graph.state cache session @k : !c
graph.state cache session @v : !c

// Two key heads of one sequence: eight parts would give 16 blocks, and 200 keys have four of 64.
// CHECK-LABEL: func @decode
func.func @decode(%q: !q {graph.name = "q"}, %o: !n {graph.name = "o"}, %l: !n {graph.name = "l"})
    -> (!y {graph.name = "y"}) attributes {graph.entry} {
  %k = graph.read @k : !c
  %v = graph.read @v : !c
  // CHECK: %[[P:.*]]:2 = graph.fused "attention" (
  // CHECK-SAME: -> tensor<?x1x4x4x8xf32, #graph.dims<[batch, _, _, _, _]>>, tensor<?x1x4x4xf32
  // CHECK: %[[O:.*]], %[[L:.*]] = graph.attention {{.*}} causal parts 4 of 64 :
  // CHECK: graph.yield %[[O]], %[[L]]
  // CHECK: graph.fused "merge_attention" (%[[A:.*]] = %[[P]]#0 : {{.*}}, %[[B:.*]] = %[[P]]#1 :
  // CHECK: %[[M:.*]], %{{.*}} = graph.merge_attention %[[A]], %[[B]]
  // CHECK: %[[Y:.*]] = graph.reshape %[[M]]
  // CHECK: graph.yield %[[Y]]
  %y = graph.fused "attention" (%a = %q : !q, %b = %k : !c, %d = %v : !c, %e = %o : !n, %f = %l : !n) -> !y {
    %0, %1 = graph.attention %a, %b, %d offsets %e lengths %f scale 0.5 causal : !q, !c, !c offsets !n lengths !n
    %2 = graph.reshape %0 : !q to !y
    graph.yield %2 : !y
  }
  return %y : !y
}

!k = tensor<?x?x4x8xf32, #graph.dims<[batch, keys, _, _]>>
!m = tensor<?x?xi64, #graph.dims<[batch, keys]>>

// As many keys as a name can stand for.
// CHECK-LABEL: func @named_keys
func.func @named_keys(%q: !q {graph.name = "q"}, %k: !k {graph.name = "k"}, %m: !m {graph.name = "m"})
    -> (!q {graph.name = "y"}) attributes {graph.entry} {
  // CHECK: graph.attention {{.*}} mask {{.*}} parts 3 of 64 :
  %y = graph.fused "attention" (%a = %q : !q, %b = %k : !k, %e = %m : !m) -> !q {
    %0, %1 = graph.attention %a, %b, %b mask %e scale 0.5 : !q, !k, !k mask !m
    graph.yield %0 : !q
  }
  return %y : !q
}

!s = tensor<?x?x4x8xf32, #graph.dims<[batch, seq, _, _]>>
!h = tensor<16x1x4x8xf32>
!j = tensor<16x130x4x8xf32>
!t = tensor<?x1x4xf32, #graph.dims<[batch, _, _]>>

// As few keys as one part has; as many sequences as keep all busy; a logsumexp that is asked for.
// CHECK-LABEL: func @whole
// CHECK-NOT: parts
func.func @whole(%s: !s {graph.name = "s"}, %h: !h {graph.name = "h"}, %j: !j {graph.name = "j"}, %q: !q {graph.name = "q"}, %k: !k {graph.name = "k"})
    -> (!s {graph.name = "x"}, !h {graph.name = "y"}, !q {graph.name = "z"}, !t {graph.name = "t"}) attributes {graph.entry} {
  %x = graph.fused "attention" (%a = %s : !s) -> !s {
    %0, %1 = graph.attention %a, %a, %a scale 0.5 : !s, !s, !s
    graph.yield %0 : !s
  }
  %y = graph.fused "attention" (%a = %h : !h, %b = %j : !j) -> !h {
    %0, %1 = graph.attention %a, %b, %b scale 0.5 : !h, !j, !j
    graph.yield %0 : !h
  }
  %z:2 = graph.fused "attention" (%a = %q : !q, %b = %k : !k) -> !q, !t {
    %0, %1 = graph.attention %a, %b, %b scale 0.5 : !q, !k, !k
    graph.yield %0, %1 : !q, !t
  }
  return %x, %y, %z#0, %z#1 : !s, !h, !q, !t
}
