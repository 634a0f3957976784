// RUN: ashlar-opt %s --ashlar-name-values --ashlar-propagate-sharding --ashlar-write-plan="plan=%t.txt topology=nvlink" -o %t.mlir
// RUN: FileCheck %s --check-prefix=PLAN --input-file=%t.txt
// RUN: sed -e 's/{dist.sharding = [^}]*}[^}]*}[^}]*}/{}/' %s | ashlar-opt --ashlar-name-values --ashlar-pin-sharding=plan=%t.txt | FileCheck %s
// RUN: not ashlar-opt %s --ashlar-write-plan=plan=%t/no/such/file 2>&1 | FileCheck %s --check-prefix=FILE
// What is written can be read again, also where a path looks like a pattern.

// PLAN: mesh tp=4 on nvlink
// PLAN-NEXT: up [{}, {tp}]
// PLAN-NEXT: result:y [{}, {tp}]
// PLAN-NEXT: matmul [{}, {tp}]
// PLAN-NEXT: \{q,k\}.gelu [{}, {tp}]
// What is to be whole is said, too, or it would be cut when the plan is read again.
// PLAN-NEXT: whole [{}, {}]

// FILE: cannot write the plan '{{.*}}/no/such/file'

dist.mesh @mesh [tp = 4] bandwidth [4.5e11] latency [3.0e-6] flops 4.0e14
// CHECK: @up {dist.pinned = 0 : i64, dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>}
graph.state parameter model @up {dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>} : tensor<64x64xf32>
func.func @f(%x: tensor<8x64xf32> {graph.name = "x"}) -> (tensor<8x64xf32> {graph.name = "y"}) attributes {graph.entry} {
  %up = graph.read @up : tensor<64x64xf32>
  // CHECK: graph.matmul {{.*}} {dist.pinned = 0 : i64, dist.shardings = [#dist.sharding<@mesh, [{}, {tp}]>]}
  %0 = graph.matmul %x, %up : tensor<8x64xf32>, tensor<64x64xf32>
  // CHECK: graph.gelu {{.*}} {dist.pinned = 0 : i64, dist.shardings = [#dist.sharding<@mesh, [{}, {tp}]>]}
  %1 = graph.gelu %0 exact : tensor<8x64xf32> loc("{q,k}.gelu")
  %2 = graph.neg %1 {dist.shardings = [#dist.sharding<@mesh, [{}, {}]>]} : tensor<8x64xf32> loc("whole")
  return %1 : tensor<8x64xf32>
}
