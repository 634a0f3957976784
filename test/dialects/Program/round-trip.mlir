// RUN: ashlar-opt %s --verify-roundtrip | FileCheck %s

// CHECK: program.dim @batch from 1 to 8
program.dim @batch from 1 to 8
// CHECK: program.weight @w f32 panel_f32 [8, 12] at 64 bytes 1024 [#program.part<"q", f32, [4, 8], transposed, normal, 5.000000e-01>, #program.part<"k", f16, [8, 8], transposed, none, 0.000000e+00>]
program.weight @w f32 panel_f32 [8, 12] at 64 bytes 1024
    [#program.part<"q", f32, [4, 8], transposed, normal, 0.5>, #program.part<"k", f16, [8, 8], transposed, none, 0.0>]
// CHECK: program.constant @c dense<[1, 2]> : tensor<2xi64> at 0 bytes 16
program.constant @c dense<[1, 2]> : tensor<2xi64> at 0 bytes 16
// CHECK: program.state @s i64 at 0 bytes 64
program.state @s i64 at 0 bytes 64
// CHECK: program.kernel @k of ["neg"] accesses [0, 1] extents [@batch] grid [#program.extent<12 * batch ceildiv 64>] scratch 128 body @k_body
program.kernel @k of ["neg"] accesses [0, 1] extents [@batch] grid [#program.extent<12 * batch ceildiv 64>] scratch 128 body @k_body
func.func private @k_body(tensor<4xf32>)
// CHECK: program.entry @forward arena 512 lower_bound 256 {
program.entry @forward arena 512 lower_bound 256 {
  // CHECK: program.input "x" f32 [#program.extent<1 * batch>, #program.extent<4>] at 0 bytes 128
  program.input "x" f32 [#program.extent<1 * batch>, #program.extent<4>] at 0 bytes 128
  // CHECK: program.launch @k [#program.operand<arena, 0, 128>, #program.operand<arena, 256, 128>] extents [#program.extent<1 * batch>] work [#program.work<product, <4 * batch>>, #program.work<arena_read, <16 * batch>>]
  program.launch @k [#program.operand<arena, 0, 128>, #program.operand<arena, 256, 128>] extents [#program.extent<1 * batch>] work [#program.work<product, <4 * batch>>, #program.work<arena_read, <16 * batch>>]
  // CHECK: program.limit @s rows <1 * batch> add <1> limit 16
  program.limit @s rows <1 * batch> add <1> limit 16
  // CHECK: program.output "y" f32 [#program.extent<1 * batch>, #program.extent<4>] at 256 bytes 128
  program.output "y" f32 [#program.extent<1 * batch>, #program.extent<4>] at 256 bytes 128
}
