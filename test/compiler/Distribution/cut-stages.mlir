// RUN: ashlar-opt %s --ashlar-cut-stages=report=false --ashlar-verify-collectives | FileCheck %s
// RUN: ashlar-opt %s --ashlar-cut-stages 2>&1 >/dev/null | FileCheck %s --check-prefix=REPORT
// Two products, of which each stage gets one: the first sends its part to the rank at the same place of the second. Both
// count tokens, compute the scale from the counter for themselves, and give the result. The table is read at both ends.

dist.mesh @mesh [pp = 2, tp = 2] bandwidth [1.0e9, 1.0e9] latency [1.0e-6, 1.0e-6] flops 1.0e12
graph.dim @batch from 1 to 4
graph.state counter session @count : tensor<4xf32>
graph.state parameter model @table : tensor<8x8xf32>
graph.state parameter model @second : tensor<8x8xf32>
func.func @f(%x: tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
    -> (tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %count = graph.read @count : tensor<4xf32>
  %scale = graph.exp %count : tensor<4xf32>
  %table = graph.read @table : tensor<8x8xf32>
  %second = graph.read @second : tensor<8x8xf32>
  %a = graph.matmul %x, %table : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %b = dist.all_reduce sum %a over @mesh [tp] : tensor<?x8xf32, #graph.dims<[batch, _]>> to tensor<?x8xf32, #graph.dims<[batch, _]>>
  %c = graph.matmul %b, %second : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %d = graph.matmul %c, %table transpose_b : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  graph.write %scale, @count : tensor<4xf32>
  return %d : tensor<?x8xf32, #graph.dims<[batch, _]>>
}
// CHECK-LABEL: func.func @f.stage0(
// CHECK-SAME: graph.name = "x"
// CHECK-SAME: dist.ranks = array<i64: 0, 1>, dist.stage = #dist.stage<"f", 0>
// CHECK-DAG: %[[COUNT:.*]] = graph.read @count
// CHECK-DAG: %[[TABLE:.*]] = graph.read @table
// CHECK-NOT: graph.read @second
// CHECK: %[[PART:.*]] = graph.matmul %{{.*}}, %[[TABLE]]
// CHECK: %[[A:.*]] = dist.all_reduce sum %[[PART]]
// CHECK: graph.write {{.*}}, @count
// CHECK: dist.send %[[A]] to 1 over @mesh [pp] :
// CHECK: %[[D:.*]] = dist.recv from 1 over @mesh [pp] delivery :
// CHECK: return %[[D]]
// CHECK-LABEL: func.func @f.stage1(
// CHECK-SAME: dist.ranks = array<i64: 2, 3>, dist.stage = #dist.stage<"f", 1>
// CHECK: %[[A:.*]] = dist.recv from 0 over @mesh [pp]
// CHECK: graph.read @table
// CHECK: graph.read @second
// CHECK: graph.matmul %[[A]]
// CHECK: %[[D:.*]] = graph.matmul {{.*}} transpose_b
// CHECK: graph.write {{.*}}, @count
// CHECK: dist.send %[[D]] to 0 over @mesh [pp] delivery :
// CHECK: return %[[D]]

// REPORT: remark: stage 0 of @f: {{[0-9.]+}} us
// REPORT: remark: stage 1 of @f
// REPORT: remark: send from stage 0 to 1 of {{.*}}: 128 bytes, 1.13 us
// REPORT: remark: send from stage 1 to 0 of {{.*}}: 128 bytes, 1.13 us, a result
// A state that is not of sequences is written once a step.
// REPORT: remark: a step of @f in 1 microbatch: {{[0-9.]+}} us, stages idle for {{[0-9]+}} % of it; it is not split, because graph.read does not compute each element of 'batch' by itself
