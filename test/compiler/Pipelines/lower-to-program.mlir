// RUN: ashlar-opt %s --pass-pipeline='builtin.module(ashlar-fusion-pipeline,ashlar-lower-to-program)' | FileCheck %s

!x = tensor<?x8xf32, #graph.dims<[batch, _]>>
graph.dim @batch from 1 to 4
graph.state parameter model @a.weight tensor "stored.name" init normal stddev 0.5 : tensor<8x8xf32>
graph.state parameter model @b.weight : tensor<8x8xf32>
graph.state counter session @steps : tensor<2xi64>

// CHECK: program.dim @batch from 1 to 4
// CHECK: program.entry @forward arena [[PEAK:[0-9]+]] lower_bound [[PEAK]]
// CHECK: program.input "x" f32 [#program.extent<1 * batch>, #program.extent<8>] at [[X:[0-9]+]] bytes 128
// CHECK: program.launch @add [#program.operand<state, 0, 16>, #program.operand<arena, [[N:[0-9]+]], 16>]
// CHECK: program.launch @matmul [#program.operand<arena, [[X]], 128>, #program.operand<weights, 0, 1024>, #program.operand<arena, [[H:[0-9]+]], 128>] extents [#program.extent<1 * batch>] work [#program.work<product, <128 * batch>>, #program.work<weight_read, <256>>, #program.work<arena_read, <32 * batch>>, #program.work<arena_write, <32 * batch>>]
// The second result takes the place of the input, which nothing reads any more.
// CHECK: program.launch @matmul [#program.operand<arena, [[H]], 128>, #program.operand<weights, 1024, 1024>, #program.operand<arena, [[X]], 128>]
// CHECK: program.launch @cast [#program.operand<arena, [[N]], 16>, #program.operand<state, 0, 16>]
// CHECK: program.output "y" f32 [#program.extent<1 * batch>, #program.extent<8>] at [[X]] bytes 128

// CHECK: program.state @state.steps i64 at 0 bytes 16
// The panels' columns are padded from 8 to 32.
// CHECK: program.weight @a.weight.panels f32 panel_f32 [8, 8] at 0 bytes 1024 [#program.part<"stored.name", f32, [8, 8], transposed, normal, 5.000000e-01>]
// Both products are one kernel.
// CHECK: program.kernel @matmul of ["matmul"] accesses [0, 0, 1] extents [@batch] grid [#program.extent<1 * batch ceildiv 192>, #program.extent<8 ceildiv 64>]
// CHECK: func.func private @matmul_body(%{{.*}}, %{{.*}}: tensor<8x8xf32> {ashlar.layout = "panel_f32"})
// CHECK: program.weight @b.weight.panels f32 panel_f32 [8, 8] at 1024 bytes 1024
// CHECK-NOT: program.kernel @matmul_1
func.func @forward(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}) attributes {graph.entry} {
  %a = graph.read @a.weight : tensor<8x8xf32>
  %b = graph.read @b.weight : tensor<8x8xf32>
  %n = graph.read @steps : tensor<2xi64>
  %one = graph.constant dense<1> : tensor<1xi64>
  %m = graph.add %n, %one : tensor<2xi64>, tensor<1xi64>
  %0 = graph.matmul %x, %a transpose_b : !x, tensor<8x8xf32>
  %1 = graph.matmul %0, %b transpose_b : !x, tensor<8x8xf32>
  graph.write %m, @steps : tensor<2xi64>
  return %1 : !x
}
