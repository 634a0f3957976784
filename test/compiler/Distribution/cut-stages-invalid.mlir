// RUN: ashlar-opt %s --split-input-file --ashlar-cut-stages --verify-diagnostics

dist.mesh @mesh [pp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
graph.state parameter model @w : tensor<8x8xf32>
// expected-error @below {{has 1 ops that a stage may begin with, too few for 2 stages}}
func.func @f(%x: tensor<4x8xf32> {graph.name = "x"}) -> (tensor<4x8xf32> {graph.name = "y"}) attributes {graph.entry} {
  %w = graph.read @w : tensor<8x8xf32>
  %y = graph.matmul %x, %w : tensor<4x8xf32>, tensor<8x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

dist.mesh @mesh [pp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
func.func @f(%x: tensor<4x8xf32> {graph.name = "x"}) -> (tensor<4x8xf32> {graph.name = "y"}) attributes {graph.entry} {
  // expected-error @below {{is cut over 'pp', along which the stages of a pipeline lie; cut it over another axis}}
  %y = dist.all_reduce sum %x over @mesh [pp] : tensor<4x8xf32> to tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

dist.mesh @mesh [pp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
graph.state parameter model @w : tensor<8x8xf32>
graph.state counter session @mean : tensor<4x8xf32>
func.func @f(%x: tensor<4x8xf32> {graph.name = "x"}) -> (tensor<4x8xf32> {graph.name = "y"}) attributes {graph.entry} {
  %w = graph.read @w : tensor<8x8xf32>
  %y = graph.matmul %x, %w : tensor<4x8xf32>, tensor<8x8xf32>
  // expected-error @below {{writes @mean with what one stage of a pipeline computes}}
  graph.write %y, @mean : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
