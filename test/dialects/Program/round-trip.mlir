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
  // CHECK: program.collective all_gather sum f32 cuts [1, 2] axis 1 join 0 from <arena, 0, 128> to <arena, 256, 128> workspace <arena, 384, 128> [#program.extent<1 * batch>, #program.extent<2>] to [#program.extent<1 * batch>, #program.extent<4>]
  program.collective all_gather sum f32 cuts [1, 2] axis 1 join 0 from <arena, 0, 128> to <arena, 256, 128> workspace <arena, 384, 128> [#program.extent<1 * batch>, #program.extent<2>] to [#program.extent<1 * batch>, #program.extent<4>]
  // CHECK: program.collective all_reduce {{.*}} started
  program.collective all_reduce sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 128> to <arena, 256, 128> [#program.extent<1 * batch>, #program.extent<2>] to [#program.extent<1 * batch>, #program.extent<2>] started
  // CHECK: program.wait 1
  program.wait 1
  // CHECK: program.collective all_gather {{.*}} layout panel_f32
  program.collective all_gather sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 128> to <arena, 512, 1024> workspace <arena, 1536, 256> [#program.extent<4>, #program.extent<8>] to [#program.extent<8>, #program.extent<8>] layout panel_f32
  // CHECK: program.collective origin sum i64 cuts [2, 2] axis 0 join 0 to <arena, 0, 8> [] to [] of <1 * batch>
  program.collective origin sum i64 cuts [2, 2] axis 0 join 0 to <arena, 0, 8> [] to [] of <1 * batch>
}
// CHECK: program.mesh ["dp", "tp"] [2, 2]
program.mesh ["dp", "tp"] [2, 2]
// CHECK: program.dim @"batch/dp" from 0 to 4 part of <1 * batch> cuts [2, 2]
program.dim @"batch/dp" from 0 to 4 part of <1 * batch> cuts [2, 2]
// CHECK: program.weight @r f32 plain [31, 8] at 2112 bytes 992 [{{.*}}] shards [#program.shard<whole = [61, 16], dims = [0], cuts = [1, 2] range = [61, 8] begin = [0, 8]>]
program.weight @r f32 plain [31, 8] at 2112 bytes 992 [#program.part<"r", f32, [31, 8], straight, none, 0.0>] shards [#program.shard<whole = [61, 16], dims = [0], cuts = [1, 2] range = [61, 8] begin = [0, 8]>]
// CHECK: program.weight @t f32 plain [4, 8] at 3136 bytes 128 [{{.*}}] shards [#program.shard<whole = [8, 8] range = [4, 8] begin = [4, 0]>]
program.weight @t f32 plain [4, 8] at 3136 bytes 128 [#program.part<"s", f32, [4, 8], straight, none, 0.0>] shards [#program.shard<whole = [8, 8] range = [4, 8] begin = [4, 0]>]
// CHECK: program.weight @v f32 plain [31, 8] at 1088 bytes 992 [#program.part<"v", f32, [31, 8], straight, none, 0.000000e+00>] shards [#program.shard<whole = [61, 8], dims = [0], cuts = [1, 2]>]
program.weight @v f32 plain [31, 8] at 1088 bytes 992 [#program.part<"v", f32, [31, 8], straight, none, 0.0>] shards [#program.shard<whole = [61, 8], dims = [0], cuts = [1, 2]>]
