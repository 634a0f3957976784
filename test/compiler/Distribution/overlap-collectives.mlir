// RUN: ashlar-opt %s --split-input-file --verify-roundtrip --ashlar-name-values --ashlar-overlap-collectives=report=false --ashlar-verify-collectives | FileCheck %s
// RUN: ashlar-opt %s --split-input-file --ashlar-name-values --ashlar-overlap-collectives -o /dev/null 2>&1 | FileCheck %s --check-prefix=REPORT

// A parameter is gathered while the products before its own run: it takes 2 ms, as long as the second of them, each 2 ms.
// CHECK-LABEL: func.func @gathered
// CHECK: graph.matmul
// CHECK: %[[PART:.*]] = graph.read @w
// CHECK-NEXT: %[[PENDING:.*]] = dist.all_gather %[[PART]] over @mesh [dp] axis 0 : tensor<500x1000xf32> to !dist.pending<tensor<1000x1000xf32>>
// CHECK: graph.matmul
// CHECK-NEXT: %[[WHOLE:.*]] = dist.wait %[[PENDING]] : <tensor<1000x1000xf32>> to tensor<1000x1000xf32>
// CHECK-NEXT: %[[VIEW:.*]] = graph.transpose %[[WHOLE]]
// CHECK-NEXT: graph.matmul {{.*}}, %[[VIEW]]
// REPORT: w.all_gather starts early, before {{.*}}matmul{{.*}}: 2000.0 of its 2000.0 us are hidden
dist.mesh @mesh [dp = 2] bandwidth [1.0e9] latency [0.0] flops 1.0e10
graph.state parameter model @u : tensor<1000x1000xf32>
graph.state parameter model @v : tensor<1000x1000xf32>
graph.state parameter model @w : tensor<500x1000xf32>
func.func @gathered(%x: tensor<10x1000xf32> {graph.name = "x"}) -> (tensor<10x1000xf32> {graph.name = "y"}) attributes {graph.entry} {
  %u = graph.read @u : tensor<1000x1000xf32>
  %v = graph.read @v : tensor<1000x1000xf32>
  %0 = graph.matmul %x, %u : tensor<10x1000xf32>, tensor<1000x1000xf32>
  %1 = graph.matmul %0, %v : tensor<10x1000xf32>, tensor<1000x1000xf32>
  %w = graph.read @w : tensor<500x1000xf32>
  %2 = dist.all_gather %w over @mesh [dp] axis 0 : tensor<500x1000xf32> to tensor<1000x1000xf32> loc("w.all_gather")
  %3 = graph.transpose %2 [1, 0] : tensor<1000x1000xf32>
  %4 = graph.matmul %1, %3 : tensor<10x1000xf32>, tensor<1000x1000xf32>
  return %4 : tensor<10x1000xf32>
}

// -----

// What is wanted at once is waited for, and nothing else is under way meanwhile: of the two products only the one behind
// it hides the gathering.
// CHECK-LABEL: func.func @border
// CHECK: graph.matmul
// CHECK-NEXT: %[[SUM:.*]] = dist.all_reduce sum {{.*}} to tensor<10x1000xf32>
// CHECK-NEXT: graph.read @v
// CHECK-NEXT: graph.read @w
// CHECK-NEXT: dist.all_gather {{.*}} to !dist.pending<tensor<1000x1000xf32>>
// CHECK-NEXT: graph.matmul %[[SUM]]
// CHECK-NEXT: dist.wait
// REPORT: 2000.0 of its 4000.0 us are hidden
dist.mesh @mesh [dp = 2] bandwidth [5.0e8] latency [0.0] flops 1.0e10
graph.state parameter model @u : tensor<1000x1000xf32>
graph.state parameter model @v : tensor<1000x1000xf32>
graph.state parameter model @w : tensor<500x1000xf32>
func.func @border(%x: tensor<10x1000xf32> {graph.name = "x"}) -> (tensor<10x1000xf32> {graph.name = "y"}) attributes {graph.entry} {
  %u = graph.read @u : tensor<1000x1000xf32>
  %0 = graph.matmul %x, %u : tensor<10x1000xf32>, tensor<1000x1000xf32>
  %1 = dist.all_reduce sum %0 over @mesh [dp] : tensor<10x1000xf32> to tensor<10x1000xf32>
  %v = graph.read @v : tensor<1000x1000xf32>
  %2 = graph.matmul %1, %v : tensor<10x1000xf32>, tensor<1000x1000xf32>
  %w = graph.read @w : tensor<500x1000xf32>
  %3 = dist.all_gather %w over @mesh [dp] axis 0 : tensor<500x1000xf32> to tensor<1000x1000xf32>
  %4 = graph.matmul %2, %3 : tensor<10x1000xf32>, tensor<1000x1000xf32>
  return %4 : tensor<10x1000xf32>
}

// -----

// Two transfers go one after the other, the one that is needed first before the other; a result is gathered while the
// next one is computed, and waited for at the end.
// CHECK-LABEL: func.func @two
// CHECK: graph.read @v
// CHECK-NEXT: %[[V:.*]] = dist.all_gather
// CHECK: graph.matmul
// CHECK: graph.read @w
// CHECK-NEXT: %[[W:.*]] = dist.all_gather
// CHECK-NEXT: %[[VALL:.*]] = dist.wait %[[V]]
// CHECK-NEXT: %[[FIRST:.*]] = graph.matmul {{.*}}, %[[VALL]]
// CHECK-NEXT: %[[RESULT:.*]] = dist.all_gather %[[FIRST]] {{.*}} to !dist.pending<tensor<20x1000xf32>>
// CHECK-NEXT: %[[WALL:.*]] = dist.wait %[[W]]
// CHECK-NEXT: %[[SECOND:.*]] = graph.matmul {{.*}}, %[[WALL]]
// CHECK-NEXT: %[[Y:.*]] = dist.wait %[[RESULT]]
// CHECK-NEXT: return %[[Y]], %[[SECOND]]
// REPORT: v.all_gather starts early
// REPORT: w.all_gather starts early
dist.mesh @mesh [dp = 2] bandwidth [1.0e9] latency [0.0] flops 1.0e10
graph.state parameter model @u : tensor<1000x1000xf32>
graph.state parameter model @v : tensor<500x1000xf32>
graph.state parameter model @w : tensor<500x1000xf32>
func.func @two(%x: tensor<10x1000xf32> {graph.name = "x"})
    -> (tensor<20x1000xf32> {graph.name = "y"}, tensor<10x1000xf32> {graph.name = "z"}) attributes {graph.entry} {
  %u = graph.read @u : tensor<1000x1000xf32>
  %0 = graph.matmul %x, %u : tensor<10x1000xf32>, tensor<1000x1000xf32>
  %v = graph.read @v : tensor<500x1000xf32>
  %1 = dist.all_gather %v over @mesh [dp] axis 0 : tensor<500x1000xf32> to tensor<1000x1000xf32> loc("v.all_gather")
  %2 = graph.matmul %0, %1 : tensor<10x1000xf32>, tensor<1000x1000xf32>
  %3 = dist.all_gather %2 over @mesh [dp] axis 0 : tensor<10x1000xf32> to tensor<20x1000xf32>
  %w = graph.read @w : tensor<500x1000xf32>
  %4 = dist.all_gather %w over @mesh [dp] axis 0 : tensor<500x1000xf32> to tensor<1000x1000xf32> loc("w.all_gather")
  %5 = graph.matmul %2, %4 : tensor<10x1000xf32>, tensor<1000x1000xf32>
  return %3, %5 : tensor<20x1000xf32>, tensor<10x1000xf32>
}

// -----

// Nothing to hide behind, and nothing known of how fast ranks are: all stays.
// CHECK-LABEL: func.func @nothing
// CHECK-NOT: !dist.pending
dist.mesh @mesh [dp = 2] bandwidth [1.0e9] latency [0.0] flops 0.0
graph.state parameter model @u : tensor<500x1000xf32>
func.func @nothing(%x: tensor<10x1000xf32> {graph.name = "x"}) -> (tensor<10x1000xf32> {graph.name = "y"}) attributes {graph.entry} {
  %0 = graph.neg %x : tensor<10x1000xf32>
  %u = graph.read @u : tensor<500x1000xf32>
  %1 = dist.all_gather %u over @mesh [dp] axis 0 : tensor<500x1000xf32> to tensor<1000x1000xf32>
  %2 = graph.matmul %0, %1 : tensor<10x1000xf32>, tensor<1000x1000xf32>
  return %2 : tensor<10x1000xf32>
}
