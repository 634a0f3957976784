// RUN: split-file %s %t
// RUN: ashlar-opt %t/module.mlir --ashlar-name-values --ashlar-pin-sharding=plan=%t/plan.txt | FileCheck %s
// Patterns over paths pin states, inputs, values and results; the first line that matches counts.

//--- plan.txt
# Two hosts would be `on nvlink-ib`.
mesh dp=2 tp=4 on nvlink
x              [{dp}, {?}]
layers.0.w     [{}, {}]
layers.*.w     [{tp}, {}]
layers.*.w.*   [{}, {}]          # matches no value here but the product
result:y       [{dp}, {tp}] priority 1

//--- module.mlir
// CHECK: dist.mesh @mesh [dp = 2, tp = 4] bandwidth [4.500000e+11, 4.500000e+11] latency [3.000000e-06, 3.000000e-06] flops 4.000000e+14
graph.dim @batch from 1 to 8
// CHECK: @layers.0.w {dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{}, {}]>}
graph.state parameter model @layers.0.w : tensor<64x64xf32>
// CHECK: @layers.1.w {dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>}
graph.state parameter model @layers.1.w : tensor<64x64xf32>
!x = tensor<?x64xf32, #graph.dims<[batch, _]>>
// CHECK: %arg0: {{.*}} {dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{dp}, {?}]>, graph.name = "x"}
// CHECK-SAME: {dist.pinned = 1 : i64, dist.sharding = #dist.sharding<@mesh, [{dp}, {tp}]>, graph.name = "y"}
func.func @f(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}) attributes {graph.entry} {
  %w = graph.read @layers.1.w : tensor<64x64xf32>
  // CHECK: graph.matmul {{.*}} {dist.pinned = 0 : i64, dist.shardings = [#dist.sharding<@mesh, [{}, {}]>]}
  %y = graph.matmul %x, %w : !x, tensor<64x64xf32> loc("layers.1.w.matmul")
  return %y : !x
}
