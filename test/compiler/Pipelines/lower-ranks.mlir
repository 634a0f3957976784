// RUN: ashlar-opt %s --pass-pipeline='builtin.module(ashlar-partition{report=false for-programs=true},ashlar-fusion-pipeline,ashlar-lower-to-program)' | FileCheck %s
// Callers give and get whole tensors; each rank takes its rows, reads its part of the weight, and sums with the others.

dist.mesh @mesh [dp = 2, tp = 2] bandwidth [1.0e9, 1.0e9] latency [1.0e-6, 1.0e-6] flops 1.0e12
graph.dim @batch from 1 to 3
// CHECK: program.mesh ["dp", "tp"] [2, 2]
// CHECK: program.dim @batch from 1 to 3
// CHECK: program.dim @"batch/dp" from 0 to 2 part of <1 * batch> cuts [2, 2]
graph.state parameter model @w {dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>} : tensor<16x64xf32>
func.func @f(%x: tensor<?x64xf32, #graph.dims<[batch, _]>> {graph.name = "x", dist.sharding = #dist.sharding<@mesh, [{dp}, {}]>})
    -> (tensor<?x16xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %w = graph.read @w : tensor<16x64xf32>
  %y = graph.matmul %x, %w transpose_b : tensor<?x64xf32, #graph.dims<[batch, _]>>, tensor<16x64xf32>
  return %y : tensor<?x16xf32, #graph.dims<[batch, _]>>
}
// CHECK: program.entry @f
// CHECK: program.input "x" f32 [#program.extent<1 * batch>, #program.extent<64>]
// CHECK: program.collective slice sum f32 cuts [2, 2] axis 0
// CHECK: program.launch @matmul
// CHECK: program.collective all_reduce sum f32 cuts [1, 2]
// CHECK-SAME: [#program.extent<1 * "batch/dp">, #program.extent<16>]
// CHECK: program.collective all_gather sum f32 cuts [2, 2] axis 0
// CHECK-SAME: to [#program.extent<1 * batch>, #program.extent<16>]
// CHECK: program.output "y" f32 [#program.extent<1 * batch>, #program.extent<16>]
// CHECK: program.weight {{.*}}[#program.part<"w", f32, [16, 32], transposed, none, 0.000000e+00>] shards [#program.shard<whole = [16, 64], dims = [1], cuts = [1, 2]>]
