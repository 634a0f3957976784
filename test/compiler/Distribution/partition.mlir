// RUN: ashlar-opt %s --ashlar-partition --cse --split-input-file --verify-diagnostics | FileCheck %s

// Rows of the weight on the reduced side: each rank has a summand, and all get the sum.
dist.mesh @mesh [tp = 4] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
// CHECK: graph.state parameter model @w {dist.global_type = tensor<64x32xf32>, dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>} : tensor<16x32xf32>
graph.state parameter model @w {dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>} : tensor<64x32xf32>
// CHECK-LABEL: @reduced
func.func @reduced(%x: tensor<8x64xf32> {dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>}) -> tensor<8x32xf32> {
  %w = graph.read @w : tensor<64x32xf32>
  // CHECK: %[[W:.*]] = graph.read @w : tensor<16x32xf32>
  // CHECK: %[[Z:.*]] = graph.matmul %arg0, %[[W]] : tensor<8x16xf32>, tensor<16x32xf32>
  // CHECK: %[[Y:.*]] = dist.all_reduce sum %[[Z]] over @mesh [tp] : tensor<8x32xf32> to tensor<8x32xf32>
  // CHECK: return %[[Y]] : tensor<8x32xf32>
  // expected-remark @+1 {{all_reduce over [tp] of '': 1024 bytes, 6.05 us; its result of 'graph.matmul' lies as [{}, {}] partial sum [tp] and is needed as [{}, {}]}}
  %y = graph.matmul %x, %w : tensor<8x64xf32>, tensor<64x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

// A result that is wanted cut over the reduced axis is scattered.
// CHECK-LABEL: @scattered
// CHECK-SAME: -> (tensor<2x32xf32> {dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>})
dist.mesh @mesh [tp = 4] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
func.func @scattered(%x: tensor<8x64xf32> {dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>},
                     %w: tensor<64x32xf32> {dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>}) -> tensor<8x32xf32> {
  // CHECK: dist.reduce_scatter sum %{{.*}} over @mesh [tp] axis 0 : tensor<8x32xf32> to tensor<2x32xf32>
  // expected-remark @+1 {{reduce_scatter over [tp]}}
  %y = graph.matmul %x, %w {dist.shardings = [#dist.sharding<@mesh, [{tp}, {}]>]} : tensor<8x64xf32>, tensor<64x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

// Uneven parts have names; two tensors cut alike have the same. The vocabulary is looked up with ids
// less the origin, so that those of other ranks' rows give zeros.
// CHECK-LABEL: module
// CHECK-DAG: graph.dim @"batch/dp" from 0 to 4 {dist.local = #dist.local_dim<@mesh, @batch, <[dp]>>}
// CHECK-DAG: graph.dim @"61/tp" from 20 to 21 {dist.local = #dist.local_dim<@mesh, 61 : i64, <[tp]>>}
// CHECK: graph.state parameter model @table {{.*}} : tensor<21x8xf32>
// CHECK: @vocabulary(%[[IDS:.*]]: tensor<?xi64, #graph.dims<["batch/dp"]>>
dist.mesh @mesh [dp = 2, tp = 3] bandwidth [1.0e9, 1.0e9] latency [1.0e-6, 1.0e-6] flops 1.0e12
graph.dim @batch from 1 to 8
graph.state parameter model @table {dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>} : tensor<61x8xf32>
func.func @vocabulary(%ids: tensor<?xi64, #graph.dims<[batch]>> {dist.sharding = #dist.sharding<@mesh, [{dp}]>})
    -> tensor<?x61xf32, #graph.dims<[batch, _]>> {
  // CHECK: %[[TABLE:.*]] = graph.read @table : tensor<?x8xf32, #graph.dims<["61/tp", _]>>
  %table = graph.read @table : tensor<61x8xf32>
  // CHECK: %[[ORIGIN:.*]] = dist.shard_origin 61 : i64 over @mesh [tp]
  // CHECK: %[[OWN:.*]] = graph.sub %[[IDS]], %[[ORIGIN]]
  // CHECK: %[[ROWS:.*]] = graph.embedding %[[TABLE]], %[[OWN]]
  // CHECK: %[[X:.*]] = dist.all_reduce sum %[[ROWS]] over @mesh [tp]
  // expected-remark @+1 {{all_reduce over [tp]}}
  %x = graph.embedding %table, %ids : tensor<61x8xf32>, tensor<?xi64, #graph.dims<[batch]>>
  // CHECK: %[[Y:.*]] = graph.matmul %[[X]], %[[TABLE]] transpose_b
  // CHECK: return %[[Y]] : tensor<?x?xf32, #graph.dims<["batch/dp", "61/tp"]>>
  %y = graph.matmul %x, %table transpose_b : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<61x8xf32>
  return %y : tensor<?x61xf32, #graph.dims<[batch, _]>>
}

// -----

// What is needed in two ways is brought there twice, and once for two uses alike.
// CHECK-LABEL: @gathered
dist.mesh @mesh [sp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
// expected-remark @+1 {{all_gather over [sp] of '': 2048 bytes, 2.02 us; operand 0 of 'graph.cumsum' lies as [{sp}, {}] and is needed as [{}, {}]}}
func.func @gathered(%x: tensor<8x64xf32> {dist.sharding = #dist.sharding<@mesh, [{sp}, {}]>}) -> (tensor<8x64xf32>, tensor<8x64xf32>) {
  // CHECK: %[[ALL:.*]] = dist.all_gather %arg0 over @mesh [sp] axis 0 : tensor<4x64xf32> to tensor<8x64xf32>
  // CHECK-NOT: dist.
  // CHECK: graph.cumsum %[[ALL]]
  // CHECK: graph.slice %[[ALL]]
  %0 = graph.cumsum %x axis 0 : tensor<8x64xf32>
  %1 = graph.slice %x axis 0 from 1 size 1 : tensor<8x64xf32>
  %2 = graph.add %1, %0 : tensor<1x64xf32>, tensor<8x64xf32>
  // CHECK: graph.neg %arg0 : tensor<4x64xf32>
  %3 = graph.neg %x : tensor<8x64xf32>
  return %2, %3 : tensor<8x64xf32>, tensor<8x64xf32>
}

// -----

// What an op combines on the way is said, too: the largest elements and the sums of rows.
// CHECK-LABEL: @combined
dist.mesh @mesh [tp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
func.func @combined(%x: tensor<8x4096xf32> {dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>}) -> tensor<8x4096xf32> {
  // CHECK-COUNT-2: dist.all_reduce
  // expected-remark @+1 {{all_reduce over [tp] of '': 32 bytes, 2.03 us; 'graph.softmax' combines what is cut}}
  %y = graph.softmax %x : tensor<8x4096xf32>
  return %y : tensor<8x4096xf32>
}

// -----

// Without a sharding everything is computed on every rank, and nothing is said.
// CHECK-LABEL: @replicated
// CHECK-NEXT: graph.neg %arg0 : tensor<8xf32>
dist.mesh @mesh [tp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
func.func @replicated(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = graph.neg %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}
