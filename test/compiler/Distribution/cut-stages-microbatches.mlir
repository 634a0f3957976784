// RUN: ashlar-opt %s --split-input-file --ashlar-cut-stages 2>/dev/null | FileCheck %s
// RUN: ashlar-opt %s --split-input-file --ashlar-cut-stages 2>&1 >/dev/null | FileCheck %s --check-prefix=REPORT
// In how many parts a step of several sequences runs: as many as there are sequences where arithmetic is all that it
// takes; one where reading weights takes longer; as many as someone says; none where an op needs the whole batch.

dist.mesh @mesh [pp = 2] bandwidth [1.0e12] latency [1.0e-9] flops 1.0e9
graph.dim @batch from 1 to 8
graph.state parameter model @one : tensor<8x8xf32>
graph.state parameter model @two : tensor<8x8xf32>
func.func @f(%x: tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
    -> (tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %one = graph.read @one : tensor<8x8xf32>
  %two = graph.read @two : tensor<8x8xf32>
  %a = graph.matmul %x, %one : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %b = graph.matmul %a, %two : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  return %b : tensor<?x8xf32, #graph.dims<[batch, _]>>
}
// CHECK: func.func @f.stage0({{.*}}dist.batch = @batch, dist.microbatches = 8 : i64
// CHECK: func.func @f.stage1({{.*}}dist.batch = @batch, dist.microbatches = 8 : i64
// Nine turns of 0.128 us, and a message in each of eight.
// REPORT: a step of @f in 8 microbatches: 1.1{{[0-9]}} us, stages idle for 1{{[0-9]}} % of it

// -----

// To read a stage's weights takes longer than its arithmetic for all sequences.
dist.mesh @mesh [pp = 2] bandwidth [1.0e12] latency [1.0e-9] flops 1.0e9 memory 1.0e8
graph.dim @batch from 1 to 8
graph.state parameter model @one : tensor<8x8xf32>
graph.state parameter model @two : tensor<8x8xf32>
func.func @f(%x: tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
    -> (tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %one = graph.read @one : tensor<8x8xf32>
  %two = graph.read @two : tensor<8x8xf32>
  %a = graph.matmul %x, %one : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %b = graph.matmul %a, %two : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  return %b : tensor<?x8xf32, #graph.dims<[batch, _]>>
}
// REPORT: a step of @f in 1 microbatch: 5.1{{[0-9]}} us, stages idle for 50 % of it{{ *$}}

// -----

dist.mesh @mesh [pp = 2] bandwidth [1.0e12] latency [1.0e-9] flops 1.0e9 {dist.microbatches = 3 : i64}
graph.dim @batch from 1 to 8
graph.state parameter model @one : tensor<8x8xf32>
graph.state parameter model @two : tensor<8x8xf32>
func.func @f(%x: tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
    -> (tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %one = graph.read @one : tensor<8x8xf32>
  %two = graph.read @two : tensor<8x8xf32>
  %a = graph.matmul %x, %one : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %b = graph.matmul %a, %two : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  return %b : tensor<?x8xf32, #graph.dims<[batch, _]>>
}
// CHECK: func.func @f.stage0({{.*}}dist.microbatches = 3 : i64
// REPORT: a step of @f in 3 microbatches

// -----

dist.mesh @mesh [pp = 2] bandwidth [1.0e12] latency [1.0e-9] flops 1.0e9
graph.dim @batch from 1 to 8
graph.state parameter model @one : tensor<8x8xf32>
graph.state parameter model @two : tensor<8x8xf32>
func.func @f(%x: tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
    -> (tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %one = graph.read @one : tensor<8x8xf32>
  %two = graph.read @two : tensor<8x8xf32>
  %a = graph.matmul %x, %one : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %mean = graph.reduce sum %a axis 0 keep_dims : tensor<?x8xf32, #graph.dims<[batch, _]>>
  %c = graph.add %a, %mean : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<1x8xf32>
  %b = graph.matmul %c, %two : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  return %b : tensor<?x8xf32, #graph.dims<[batch, _]>>
}
// CHECK: func.func @f.stage0(
// CHECK-NOT: dist.microbatches
// REPORT: a step of @f in 1 microbatch: {{.*}} it is not split, because graph.reduce does not compute each element of 'batch' by itself

// -----

// Sums up over the sequences before.
dist.mesh @mesh [pp = 2] bandwidth [1.0e12] latency [1.0e-9] flops 1.0e9
graph.dim @batch from 1 to 8
graph.state parameter model @one : tensor<8x8xf32>
graph.state parameter model @two : tensor<8x8xf32>
func.func @f(%x: tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
    -> (tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %one = graph.read @one : tensor<8x8xf32>
  %two = graph.read @two : tensor<8x8xf32>
  %a = graph.matmul %x, %one : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %c = graph.cumsum %a axis 0 : tensor<?x8xf32, #graph.dims<[batch, _]>>
  %b = graph.matmul %c, %two : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  return %b : tensor<?x8xf32, #graph.dims<[batch, _]>>
}
// REPORT: a step of @f in 1 microbatch: {{.*}} it is not split, because graph.cumsum does not compute each element of 'batch' by itself

// -----

// Weighs the sequences against each other.
dist.mesh @mesh [pp = 2] bandwidth [1.0e12] latency [1.0e-9] flops 1.0e9
graph.dim @batch from 1 to 8
graph.state parameter model @one : tensor<8x8xf32>
graph.state parameter model @two : tensor<8x8xf32>
func.func @f(%x: tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
    -> (tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %one = graph.read @one : tensor<8x8xf32>
  %two = graph.read @two : tensor<8x8xf32>
  %a = graph.matmul %x, %one : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %t = graph.transpose %a [1, 0] : tensor<?x8xf32, #graph.dims<[batch, _]>>
  %s = graph.softmax %t : tensor<8x?xf32, #graph.dims<[_, batch]>>
  %c = graph.transpose %s [1, 0] : tensor<8x?xf32, #graph.dims<[_, batch]>>
  %b = graph.matmul %c, %two : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  return %b : tensor<?x8xf32, #graph.dims<[batch, _]>>
}
// REPORT: a step of @f in 1 microbatch: {{.*}} it is not split, because graph.softmax does not compute each element of 'batch' by itself

// -----

// What gathers the weights of a stage counts as its work.
dist.mesh @mesh [pp = 2, dp = 2] bandwidth [1.0e12, 1.0e9] latency [1.0e-9, 1.0e-9] flops 1.0e9
graph.dim @batch from 8 to 8
graph.state parameter model @one {dist.global_type = tensor<8x8xf32>, dist.sharding = #dist.sharding<@mesh, [{dp}, {}]>} : tensor<4x8xf32>
graph.state parameter model @two : tensor<8x8xf32>
func.func @f(%x: tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
    -> (tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
  %part = graph.read @one : tensor<4x8xf32>
  %one = dist.all_gather %part over @mesh [dp] axis 0 : tensor<4x8xf32> to tensor<8x8xf32>
  %two = graph.read @two : tensor<8x8xf32>
  %a = graph.matmul %x, %one : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  %b = graph.matmul %a, %two : tensor<?x8xf32, #graph.dims<[batch, _]>>, tensor<8x8xf32>
  return %b : tensor<?x8xf32, #graph.dims<[batch, _]>>
}
// 1.02 us of arithmetic, 0.13 of moving 128 bytes.
// REPORT: remark: stage 0 of @f: 1.15 us
// REPORT: remark: stage 1 of @f: 1.02 us
