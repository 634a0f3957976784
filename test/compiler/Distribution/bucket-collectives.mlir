// RUN: ashlar-opt %s --split-input-file --verify-roundtrip --ashlar-name-values --ashlar-bucket-collectives=report=false | FileCheck %s
// RUN: ashlar-opt %s --split-input-file --ashlar-name-values --ashlar-bucket-collectives -o /dev/null 2>&1 | FileCheck %s --check-prefix=REPORT

// Two small parameters that are gathered for their use are gathered at once, before the first of their readers.
// CHECK-LABEL: func.func @gathered
// CHECK: %[[U:.*]] = graph.read @u
// CHECK: %[[UROW:.*]] = graph.reshape %[[U]] : tensor<4xf32> to tensor<4xf32>
// CHECK: %[[V:.*]] = graph.read @v
// CHECK: %[[VROW:.*]] = graph.reshape %[[V]] : tensor<2x3xf32> to tensor<6xf32>
// CHECK: %[[ROW:.*]] = graph.concat %[[UROW]], %[[VROW]] axis 0
// CHECK: %[[ALL:.*]] = dist.all_gather %[[ROW]] over @mesh [dp] axis 0 : tensor<10xf32> to tensor<20xf32>
// CHECK: %[[PARTS:.*]] = graph.reshape %[[ALL]] : tensor<20xf32> to tensor<2x10xf32>
// CHECK: graph.slice %[[PARTS]] axis 1 from 0 size 4
// CHECK: %[[UALL:.*]] = graph.reshape {{.*}} : tensor<2x4xf32> to tensor<8xf32>
// CHECK: graph.slice %[[PARTS]] axis 1 from 4 size 6
// CHECK: %[[VALL:.*]] = graph.reshape {{.*}} : tensor<2x6xf32> to tensor<4x3xf32>
// CHECK: graph.add %arg0, %[[UALL]]
// CHECK: graph.neg %[[VALL]]
// CHECK-NEXT: return
// REPORT: u.all_gather and 1 more dist.all_gather are one of 80 bytes: 10.0 us in place of 20.0
dist.mesh @mesh [dp = 2] bandwidth [1.0e9] latency [1.0e-5] flops 1.0e9 memory 1.0e9
graph.state parameter model @u : tensor<4xf32>
graph.state parameter model @v : tensor<2x3xf32>
func.func @gathered(%x: tensor<2x8xf32> {graph.name = "x"})
    -> (tensor<2x8xf32> {graph.name = "y"}, tensor<4x3xf32> {graph.name = "z"}) attributes {graph.entry} {
  %u = graph.read @u : tensor<4xf32>
  %0 = dist.all_gather %u over @mesh [dp] axis 0 : tensor<4xf32> to tensor<8xf32> loc("u.all_gather")
  %1 = graph.add %x, %0 : tensor<2x8xf32>, tensor<8xf32>
  %v = graph.read @v : tensor<2x3xf32>
  %2 = dist.all_gather %v over @mesh [dp] axis 0 : tensor<2x3xf32> to tensor<4x3xf32>
  %3 = graph.neg %2 : tensor<4x3xf32>
  return %1, %3 : tensor<2x8xf32>, tensor<4x3xf32>
}

// -----

// Layers have buckets of their own: what is read of them lies at the same places, and layers stay alike.
// CHECK-LABEL: func.func @layers
// CHECK-COUNT-2: graph.concat {{.*}} : tensor<4xf32>, tensor<4xf32>
// CHECK-NOT: graph.concat
// REPORT: layer.0.u and 1 more dist.all_gather
// REPORT: layer.1.u and 1 more dist.all_gather
dist.mesh @mesh [dp = 2] bandwidth [1.0e9] latency [1.0e-5] flops 1.0e9 memory 1.0e9
graph.state parameter model @u : tensor<4xf32>
func.func @layers(%x: tensor<2x8xf32> {graph.name = "x"}) -> (tensor<2x8xf32> {graph.name = "y"}) attributes {graph.entry} {
  %u = graph.read @u : tensor<4xf32>
  %0 = dist.all_gather %u over @mesh [dp] axis 0 : tensor<4xf32> to tensor<8xf32> loc("layer.0.u")
  %1 = dist.all_gather %u over @mesh [dp] axis 0 : tensor<4xf32> to tensor<8xf32> loc("layer.0.v")
  %2 = dist.all_gather %u over @mesh [dp] axis 0 : tensor<4xf32> to tensor<8xf32> loc("layer.1.u")
  %3 = dist.all_gather %u over @mesh [dp] axis 0 : tensor<4xf32> to tensor<8xf32> loc("layer.1.v")
  %4 = dist.all_gather %u over @mesh [dp] axis 0 : tensor<4xf32> to tensor<8xf32> loc("outside")
  %5 = graph.add %x, %0 : tensor<2x8xf32>, tensor<8xf32>
  %6 = graph.add %5, %1 : tensor<2x8xf32>, tensor<8xf32>
  %7 = graph.add %6, %2 : tensor<2x8xf32>, tensor<8xf32>
  %8 = graph.add %7, %3 : tensor<2x8xf32>, tensor<8xf32>
  %9 = graph.add %8, %4 : tensor<2x8xf32>, tensor<8xf32>
  return %9 : tensor<2x8xf32>
}

// -----

// So are sums. One that is made of another's, or of other elements, or reduced otherwise, is not.
// CHECK-LABEL: func.func @summed
// CHECK: dist.all_reduce max
// CHECK: graph.concat
// CHECK: dist.all_reduce sum {{.*}} : tensor<24xf32> to tensor<24xf32>
// CHECK: dist.all_reduce sum {{.*}} : tensor<16xf32>
// CHECK: dist.all_reduce sum {{.*}} : tensor<8xi64>
// REPORT: a.all_reduce and 1 more dist.all_reduce are one of 96 bytes: 20.3 us in place of 40.1
dist.mesh @mesh [dp = 2] bandwidth [1.0e9] latency [1.0e-5] flops 1.0e9 memory 1.0e9
func.func @summed(%a: tensor<16xf32> {graph.name = "a"}, %b: tensor<8xf32> {graph.name = "b"}, %n: tensor<8xi64> {graph.name = "n"})
    -> (tensor<16xf32> {graph.name = "y"}, tensor<8xf32> {graph.name = "z"}, tensor<8xf32> {graph.name = "w"}, tensor<8xi64> {graph.name = "m"}) attributes {graph.entry} {
  %0 = dist.all_reduce sum %a over @mesh [dp] : tensor<16xf32> to tensor<16xf32> loc("a.all_reduce")
  %1 = dist.all_reduce sum %b over @mesh [dp] : tensor<8xf32> to tensor<8xf32>
  %2 = dist.all_reduce max %b over @mesh [dp] : tensor<8xf32> to tensor<8xf32>
  %3 = graph.neg %0 : tensor<16xf32>
  %4 = dist.all_reduce sum %3 over @mesh [dp] : tensor<16xf32> to tensor<16xf32>
  %5 = dist.all_reduce sum %n over @mesh [dp] : tensor<8xi64> to tensor<8xi64>
  return %4, %1, %2, %5 : tensor<16xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xi64>
}

// -----

// What takes ten times the latency is read where it lies, and so is what copying would cost more than it saves.
// CHECK-LABEL: func.func @large
// CHECK-NOT: graph.concat
dist.mesh @mesh [dp = 2] bandwidth [1.0e9] latency [1.0e-5] flops 1.0e9 memory 1.0e6
graph.state parameter model @u : tensor<25000x2xf32>
graph.state parameter model @v : tensor<25000x2xf32>
func.func @large(%a: tensor<16xf32> {graph.name = "a"}, %b: tensor<8xf32> {graph.name = "b"})
    -> (tensor<50000x2xf32> {graph.name = "y"}, tensor<50000x2xf32> {graph.name = "z"}, tensor<16xf32> {graph.name = "v"}, tensor<8xf32> {graph.name = "w"}) attributes {graph.entry} {
  %u = graph.read @u : tensor<25000x2xf32>
  %v = graph.read @v : tensor<25000x2xf32>
  %0 = dist.all_gather %u over @mesh [dp] axis 0 : tensor<25000x2xf32> to tensor<50000x2xf32>
  %1 = dist.all_gather %v over @mesh [dp] axis 0 : tensor<25000x2xf32> to tensor<50000x2xf32>
  %2 = dist.all_reduce sum %a over @mesh [dp] : tensor<16xf32> to tensor<16xf32>
  %3 = dist.all_reduce sum %b over @mesh [dp] : tensor<8xf32> to tensor<8xf32>
  return %0, %1, %2, %3 : tensor<50000x2xf32>, tensor<50000x2xf32>, tensor<16xf32>, tensor<8xf32>
}

// -----

// Parts that differ, or that are no runs of the whole, and what sessions count, stay by themselves.
// CHECK-LABEL: func.func @apart
// CHECK-NOT: graph.concat
dist.mesh @mesh [dp = 2] bandwidth [1.0e9] latency [1.0e-5] flops 1.0e9 memory 1.0e9
graph.dim @batch from 1 to 8
graph.state parameter model @u : tensor<2x4xf32>
graph.state parameter model @v : tensor<2x4xf32>
graph.state counter session @n : tensor<4xi64>
graph.state counter session @m : tensor<4xi64>
func.func @apart(%x: tensor<2x8xf32> {graph.name = "x"}, %c: tensor<8xi64> {graph.name = "c"})
    -> (tensor<2x8xf32> {graph.name = "y"}, tensor<8xi64> {graph.name = "z"}) attributes {graph.entry} {
  %u = graph.read @u : tensor<2x4xf32>
  %0 = dist.all_gather %u over @mesh [dp] axis 1 : tensor<2x4xf32> to tensor<2x8xf32>
  %v = graph.read @v : tensor<2x4xf32>
  %1 = dist.all_gather %v over @mesh [dp] axis 1 : tensor<2x4xf32> to tensor<2x8xf32>
  %2 = graph.add %x, %0 : tensor<2x8xf32>, tensor<2x8xf32>
  %3 = graph.add %2, %1 : tensor<2x8xf32>, tensor<2x8xf32>
  %n = graph.read @n : tensor<4xi64>
  %4 = dist.all_gather %n over @mesh [dp] axis 0 : tensor<4xi64> to tensor<8xi64>
  %m = graph.read @m : tensor<4xi64>
  %5 = dist.all_gather %m over @mesh [dp] axis 0 : tensor<4xi64> to tensor<8xi64>
  %6 = graph.add %c, %4 : tensor<8xi64>, tensor<8xi64>
  %7 = graph.add %6, %5 : tensor<8xi64>, tensor<8xi64>
  return %3, %7 : tensor<2x8xf32>, tensor<8xi64>
}
