// RUN: ashlar-opt %s --ashlar-partition=report=false --cse --split-input-file | FileCheck %s
// Ops that compute something else where what they combine is cut.

// CHECK-LABEL: @softmax
dist.mesh @mesh [tp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
func.func @softmax(%x: tensor<8x4096xf32> {dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>}) -> tensor<8x4096xf32> {
  // CHECK: %[[M:.*]] = graph.reduce max %arg0 axis 1 keep_dims : tensor<8x2048xf32>
  // CHECK: %[[MAX:.*]] = dist.all_reduce max %[[M]] over @mesh [tp]
  // CHECK: %[[S:.*]] = graph.sub %arg0, %[[MAX]]
  // CHECK: %[[E:.*]] = graph.exp %[[S]]
  // CHECK: %[[P:.*]] = graph.reduce sum %[[E]]
  // CHECK: %[[SUM:.*]] = dist.all_reduce sum %[[P]]
  // CHECK: graph.div %[[E]], %[[SUM]]
  %y = graph.softmax %x {dist.shardings = [#dist.sharding<@mesh, [{}, {tp}]>]} : tensor<8x4096xf32>
  return %y : tensor<8x4096xf32>
}

// -----

// Queries that are cut stand behind their origin, and the keys are gathered; two key-value heads on
// four ranks lie on half of the axis each.
// CHECK-LABEL: @attention
!q = tensor<2x?x4x8xf32, #graph.dims<[_, seq, _, _]>>
!k = tensor<2x?x2x8xf32, #graph.dims<[_, seq, _, _]>>
dist.mesh @mesh [sp = 2, tp = 4] bandwidth [1.0e9, 1.0e9] latency [1.0e-6, 1.0e-6] flops 1.0e9
graph.dim @seq from 1 to 512
func.func @attention(%q: !q {dist.sharding = #dist.sharding<@mesh, [{}, {sp}, {tp}, {}]>},
                     %k: !k {dist.sharding = #dist.sharding<@mesh, [{}, {sp}, {tp:(1)2}, {}]>}) -> !q {
  // CHECK: %[[K:.*]] = dist.all_gather %arg1 over @mesh [sp] axis 1 : {{.*}} to tensor<2x?x1x8xf32, #graph.dims<[_, seq, _, _]>>
  // CHECK: %[[O:.*]] = dist.shard_origin @seq over @mesh [sp]
  // CHECK: %[[P:.*]] = graph.add %{{.*}}, %[[O]]
  // CHECK: graph.attention %arg0, %[[K]], %[[K]] offsets %[[P]] scale 1.000000e+00 causal : tensor<2x?x1x8xf32, #graph.dims<[_, "seq/sp", _, _]>>
  %o, %l = graph.attention %q, %k, %k scale 1.0 causal : !q, !k, !k
  return %o : !q
}

// -----

// CHECK-LABEL: @positions
dist.mesh @mesh [sp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
func.func @positions() -> tensor<8xi32> {
  // CHECK: %[[I:.*]] = graph.iota axis 0 : tensor<4xi32>
  // CHECK: %[[O:.*]] = dist.shard_origin 8 : i64 over @mesh [sp]
  // CHECK: %[[C:.*]] = graph.cast %[[O]]
  // CHECK: graph.add %[[I]], %[[C]]
  %0 = graph.iota axis 0 {dist.shardings = [#dist.sharding<@mesh, [{sp}]>]} : tensor<8xi32>
  return %0 : tensor<8xi32>
}
