// RUN: ashlar-opt %s | ashlar-opt | FileCheck %s
// Every op and attribute survives being written and read.

// CHECK: dist.mesh @mesh [dp = 2, tp = 4] bandwidth [5.000000e+10, 4.500000e+11] latency [8.000000e-06, 3.000000e-06] flops 4.000000e+14
dist.mesh @mesh [dp = 2, tp = 4] bandwidth [5.0e10, 4.5e11] latency [8.0e-6, 3.0e-6] flops 4.0e14

graph.dim @batch from 1 to 8
// CHECK: graph.dim @"batch/dp" from 0 to 4 {dist.local = #dist.local_dim<@mesh, @batch, <[dp]>>}
graph.dim @"batch/dp" from 0 to 4 {dist.local = #dist.local_dim<@mesh, @batch, <[dp]>>}
// CHECK: graph.dim @"61/tp" from 15 to 16 {dist.local = #dist.local_dim<@mesh, 61 : i64, <[tp]>>}
graph.dim @"61/tp" from 15 to 16 {dist.local = #dist.local_dim<@mesh, 61 : i64, <[tp]>>}

// CHECK: graph.state parameter model @w {dist.global_type = tensor<61x8xf32>, dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>} : tensor<16x8xf32>
graph.state parameter model @w {dist.global_type = tensor<61x8xf32>, dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>} : tensor<16x8xf32>

// CHECK-LABEL: @shardings
// CHECK-SAME: #dist.sharding<@mesh, [{dp, tp:(1)2}, {?}, {tp:(2)2, ?}]>
// CHECK-SAME: #dist.sharding<@mesh, [{}] partial max [dp, tp]>
func.func @shardings(%x: tensor<8x4x4xf32> {dist.sharding = #dist.sharding<@mesh, [{dp, tp:(1)2}, {?}, {tp:(2)2, ?}]>},
                     %y: tensor<8xf32> {dist.sharding = #dist.sharding<@mesh, [{}] partial max [dp, tp]>}) {
  // CHECK: graph.neg %{{.*}} {dist.shardings = [#dist.sharding<@mesh, [{tp}]>]}
  %0 = graph.neg %y {dist.shardings = [#dist.sharding<@mesh, [{tp}]>]} : tensor<8xf32>
  return
}

// CHECK-LABEL: @collectives
func.func @collectives(%x: tensor<8x8xf32>) {
  // CHECK: dist.all_reduce sum %{{.*}} over @mesh [tp] : tensor<8x8xf32> to tensor<8x8xf32>
  %0 = dist.all_reduce sum %x over @mesh [tp] : tensor<8x8xf32> to tensor<8x8xf32>
  // CHECK: dist.reduce_scatter max %{{.*}} over @mesh [dp, tp:(1)2] axis 1 : tensor<8x8xf32> to tensor<8x2xf32>
  %1 = dist.reduce_scatter max %0 over @mesh [dp, tp:(1)2] axis 1 : tensor<8x8xf32> to tensor<8x2xf32>
  // CHECK: dist.all_gather %{{.*}} over @mesh [dp, tp:(1)2] axis 1 : tensor<8x2xf32> to tensor<8x8xf32>
  %2 = dist.all_gather %1 over @mesh [dp, tp:(1)2] axis 1 : tensor<8x2xf32> to tensor<8x8xf32>
  // CHECK: dist.all_to_all %{{.*}} over @mesh [tp] split 0 join 1 : tensor<8x8xf32> to tensor<2x32xf32>
  %3 = dist.all_to_all %2 over @mesh [tp] split 0 join 1 : tensor<8x8xf32> to tensor<2x32xf32>
  // CHECK: dist.permute %{{.*}} over @mesh [tp] pairs [0, 1, 1, 2] : tensor<2x32xf32> to tensor<2x32xf32>
  %4 = dist.permute %3 over @mesh [tp] pairs [0, 1, 1, 2] : tensor<2x32xf32> to tensor<2x32xf32>
  // CHECK: dist.broadcast %{{.*}} over @mesh [dp] root 1 : tensor<2x32xf32> to tensor<2x32xf32>
  %5 = dist.broadcast %4 over @mesh [dp] root 1 : tensor<2x32xf32> to tensor<2x32xf32>
  // CHECK: dist.all_slice %{{.*}} over @mesh [tp] axis 1 : tensor<2x32xf32> to tensor<2x8xf32>
  %6 = dist.all_slice %5 over @mesh [tp] axis 1 : tensor<2x32xf32> to tensor<2x8xf32>
  // CHECK: dist.shard_origin @batch over @mesh [dp] : tensor<i64>
  %7 = dist.shard_origin @batch over @mesh [dp] : tensor<i64>
  // CHECK: dist.shard_origin 61 : i64 over @mesh [tp] : tensor<i64>
  %8 = dist.shard_origin 61 : i64 over @mesh [tp] : tensor<i64>
  return
}

// The start form gives a pending tensor, which is waited for.
// CHECK-LABEL: @start
func.func @start(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  // CHECK: %[[P:.*]] = dist.all_reduce sum %{{.*}} over @mesh [tp] : tensor<8x8xf32> to !dist.pending<tensor<8x8xf32>>
  %0 = dist.all_reduce sum %x over @mesh [tp] : tensor<8x8xf32> to !dist.pending<tensor<8x8xf32>>
  // CHECK: dist.wait %[[P]] : <tensor<8x8xf32>> to tensor<8x8xf32>
  %1 = dist.wait %0 : !dist.pending<tensor<8x8xf32>> to tensor<8x8xf32>
  return %1 : tensor<8x8xf32>
}

// CHECK-LABEL: @stage0
// CHECK-SAME: attributes {dist.ranks = array<i64: 0, 1, 2, 3>}
func.func @stage0(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 0, 1, 2, 3>} {
  // CHECK: dist.send %{{.*}} to 1 over @mesh [dp] : tensor<8xf32>
  dist.send %x to 1 over @mesh [dp] : tensor<8xf32>
  return
}
func.func @stage1() -> tensor<8xf32> attributes {dist.ranks = array<i64: 4, 5, 6, 7>} {
  // CHECK: dist.recv from 0 over @mesh [dp] : tensor<8xf32>
  %x = dist.recv from 0 over @mesh [dp] : tensor<8xf32>
  return %x : tensor<8xf32>
}
