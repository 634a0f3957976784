// RUN: ashlar-opt %s --ashlar-propagate-sharding --split-input-file | FileCheck %s

// Columns, then rows: what is in between is cut, forward and backward, and the bias with it.
// CHECK-LABEL: module
dist.mesh @mesh [dp = 2, tp = 4] bandwidth [1.0, 1.0] latency [0.0, 0.0] flops 1.0
graph.dim @batch from 1 to 8
!x = tensor<?x16xf32, #graph.dims<[batch, _]>>
!h = tensor<?x64xf32, #graph.dims<[batch, _]>>
graph.state parameter model @up {dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>} : tensor<64x16xf32>
// CHECK: @bias {dist.sharding = #dist.sharding<@mesh, [{tp, ?}]>}
graph.state parameter model @bias : tensor<64xf32>
// CHECK: @down {dist.sharding = #dist.sharding<@mesh, [{?}, {tp, ?}]>}
graph.state parameter model @down : tensor<16x64xf32>
// CHECK: %arg0: {{.*}} {dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{dp}, {?}]>}
func.func @f(%x: !x {dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{dp}, {?}]>}) -> !x {
  %up = graph.read @up : tensor<64x16xf32>
  %bias = graph.read @bias : tensor<64xf32>
  %down = graph.read @down : tensor<16x64xf32>
  // CHECK: graph.matmul {{.*}} {dist.shardings = [#dist.sharding<@mesh, [{dp, ?}, {tp, ?}]>]}
  %0 = graph.matmul %x, %up transpose_b : !x, tensor<64x16xf32>
  // CHECK: graph.add {{.*}} {dist.shardings = [#dist.sharding<@mesh, [{dp, ?}, {tp, ?}]>]}
  %1 = graph.add %0, %bias : !h, tensor<64xf32>
  // CHECK: graph.matmul {{.*}} {dist.shardings = [#dist.sharding<@mesh, [{dp, ?}, {?}]>]}
  %2 = graph.matmul %1, %down transpose_b : !h, tensor<16x64xf32>
  return %2 : !x
}

// -----

// Heads of 6 cut over 4: two key-value heads on tp's half, and a closed dimension is left alone.
// CHECK-LABEL: module
dist.mesh @mesh [tp = 4] bandwidth [1.0] latency [0.0] flops 1.0
// CHECK: @heads(%arg0: {{.*}}#dist.sharding<@mesh, [{}, {tp}]>}
// CHECK-SAME: %arg1: {{.*}}#dist.sharding<@mesh, [{?}, {}]>}
func.func @heads(%x: tensor<8x12xf32> {dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>},
                 %y: tensor<8x12xf32> {dist.sharding = #dist.sharding<@mesh, [{?}, {}]>}) {
  // CHECK: graph.reshape {{.*}} {dist.shardings = [#dist.sharding<@mesh, [{?}, {tp:(1)2, ?}, {tp:(2)2, ?}]>]}
  %0 = graph.reshape %x : tensor<8x12xf32> to tensor<8x2x6xf32>
  %1 = graph.add %x, %y : tensor<8x12xf32>, tensor<8x12xf32>
  return
}

// -----

// Two factors of one product want the axis: nobody gets it while both are of priority 0; the one of
// priority 0 does where the other waits.
// CHECK-LABEL: module
dist.mesh @mesh [tp = 4] bandwidth [1.0] latency [0.0] flops 1.0
func.func @contested(%x: tensor<8x16xf32> {dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>},
                     %w: tensor<16x32xf32> {dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>}) {
  // CHECK: graph.matmul %arg0, %arg1 :
  %0 = graph.matmul %x, %w : tensor<8x16xf32>, tensor<16x32xf32>
  return
}
func.func @waits(%x: tensor<8x16xf32> {dist.pinned = 1 : i64, dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>},
                 %w: tensor<16x32xf32> {dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>}) {
  // CHECK: graph.matmul %arg0, %arg1 {dist.shardings = [#dist.sharding<@mesh, [{?}, {tp, ?}]>]}
  %0 = graph.matmul %x, %w : tensor<8x16xf32>, tensor<16x32xf32>
  return
}
