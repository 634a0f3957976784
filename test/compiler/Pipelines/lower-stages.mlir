// RUN: ashlar-opt %s --pass-pipeline='builtin.module(ashlar-cut-stages{report=false},ashlar-fusion-pipeline,ashlar-lower-to-program)' | FileCheck %s
// Each stage has an entry of its own, with weights that begin at 0, and sends or receives what lies in its arena.

dist.mesh @mesh [pp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
// CHECK: program.mesh ["pp"] [2] stages [1, 2]
graph.dim @batch from 1 to 3
graph.state parameter model @v : tensor<64x64xf32>
graph.state parameter model @w : tensor<64x64xf32>
func.func @f(%x: tensor<?x64xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
    -> (tensor<?x64xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %v = graph.read @v : tensor<64x64xf32>
  %w = graph.read @w : tensor<64x64xf32>
  %h = graph.matmul %x, %v transpose_b : tensor<?x64xf32, #graph.dims<[batch, _]>>, tensor<64x64xf32>
  %y = graph.matmul %h, %w transpose_b : tensor<?x64xf32, #graph.dims<[batch, _]>>, tensor<64x64xf32>
  return %y : tensor<?x64xf32, #graph.dims<[batch, _]>>
}
// CHECK: program.entry @f.stage0 of "f" stage 0 arena
// CHECK: program.input "x"
// CHECK: program.launch @matmul [{{.*}}, #program.operand<weights, 0, 16384>,
// CHECK: program.collective send sum f32 cuts [1, 2] axis 0 join 0 from <arena, [[H:[0-9]+]], 768> [#program.extent<1 * batch>, #program.extent<64>] to [] peer 1
// CHECK: program.collective recv sum f32 cuts [1, 2] axis 0 join 0 to <arena, [[Y:[0-9]+]], 768> [] to [#program.extent<1 * batch>, #program.extent<64>] peer 1
// CHECK: program.output "y" {{.*}} at [[Y]] bytes 768
// CHECK: program.entry @f.stage1 of "f" stage 1 arena
// CHECK: program.collective recv sum f32 cuts [1, 2] axis 0 join 0 to <arena, [[H:[0-9]+]], 768>
// CHECK: program.launch @matmul [#program.operand<arena, [[H]], 768>, #program.operand<weights, 0, 16384>,
// CHECK: program.collective send
// CHECK: program.output "y"
// CHECK-DAG: program.weight @v.panels {{.*}} at 0 bytes 16384 [#program.part<"v", {{.*}}] stage 0
// CHECK-DAG: program.weight @w.panels {{.*}} at 0 bytes 16384 [#program.part<"w", {{.*}}] stage 1
