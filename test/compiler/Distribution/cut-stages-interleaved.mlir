// RUN: ashlar-opt %s --ashlar-cut-stages 2>/dev/null | FileCheck %s
// RUN: ashlar-opt %s --ashlar-cut-stages 2>&1 >/dev/null | FileCheck %s --check-prefix=REPORT
// Two stages a rank: each value goes from stage to stage, and the last stage of a rank gives the result.
dist.mesh @mesh [pp = 2] bandwidth [1.0e12] latency [1.0e-9] flops 1.0e9 {dist.chunks = 2 : i64, dist.microbatches = 2 : i64}
graph.dim @batch from 1 to 8
graph.state parameter model @one : tensor<8x8xf32>
graph.state parameter model @two : tensor<8x8xf32>
graph.state parameter model @three : tensor<8x8xf32>
graph.state parameter model @four : tensor<8x8xf32>
func.func @f(%x: tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
    -> (tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %one = graph.read @one : tensor<8x8xf32>
  %two = graph.read @two : tensor<8x8xf32>
  %three = graph.read @three : tensor<8x8xf32>
  %four = graph.read @four : tensor<8x8xf32>
  %a = graph.matmul %x, %one : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %b = graph.matmul %a, %two : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %c = graph.matmul %b, %three : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %d = graph.matmul %c, %four : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %e = graph.add %d, %a : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<?x8xf32, #graph.dims<[batch, _]>>
  return %e : tensor<?x8xf32, #graph.dims<[batch, _]>>
}
// CHECK-LABEL: func.func @f.stage0
// CHECK-NOT:     ->
// CHECK:         dist.ranks = array<i64: 0>
// CHECK:         dist.send {{.*}} to 1 over
// CHECK:         return{{$}}
// CHECK-LABEL: func.func @f.stage1
// CHECK:         dist.ranks = array<i64: 1>
// CHECK:         %[[A:.*]] = dist.recv from 0
// CHECK:         %[[B:.*]] = graph.matmul %[[A]]
// CHECK-DAG:     dist.send %[[A]] to 0
// CHECK-DAG:     dist.send %[[B]] to 0
// CHECK:         return{{$}}
// CHECK-LABEL: func.func @f.stage2
// CHECK:         dist.ranks = array<i64: 0>
// CHECK:         dist.recv from 1 {{.*}} delivery
// CHECK:         return %
// CHECK-LABEL: func.func @f.stage3
// CHECK:         dist.ranks = array<i64: 1>
// CHECK:         graph.add
// CHECK:         dist.send {{.*}} to 0 {{.*}} delivery
// Two microbatches of 0.512 us in each of two stages of two ranks, and half of that to fill the pipeline.
// REPORT: a step of @f in 2 microbatches: 2.6{{[0-9]}} us, stages idle for 2{{[0-9]}} % of it
