// RUN: ashlar-opt %s --pass-pipeline='builtin.module(ashlar-fusion-pipeline,ashlar-lower-to-program{memory-limit=1000})' --split-input-file --verify-diagnostics

// expected-error @below {{the program takes 0.0 MiB, over the limit of 0.0 MiB}}
// expected-note @below {{what would help}}
module {
  graph.dim @batch from 1 to 512
  func.func @f(%x: tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "x"})
      -> (tensor<?x8xf32, #graph.dims<[batch, _]>> {graph.name = "y"}) attributes {graph.entry} {
    %0 = graph.neg %x : tensor<?x8xf32, #graph.dims<[batch, _]>>
    return %0 : tensor<?x8xf32, #graph.dims<[batch, _]>>
  }
}

// -----

// A cache that is written must be the one that was read.
graph.dim @batch from 1 to 1
graph.state cache session @a : !graph.cache<1x8x1x4xf32>
graph.state cache session @b : !graph.cache<1x8x1x4xf32>
graph.state counter session @n : tensor<1xi64>
func.func @f(%x: tensor<1x1x1x4xf32> {graph.name = "x"}) -> (tensor<1x1x1x4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %c = graph.read @a : !graph.cache<1x8x1x4xf32>
  %n = graph.read @n : tensor<1xi64>
  %d = graph.cache_append %c, %x, %n : <1x8x1x4xf32>, tensor<1x1x1x4xf32>, tensor<1xi64>
  // expected-error @+1 {{writes @b with a cache that was not made from its own reading}}
  graph.write %d, @b : !graph.cache<1x8x1x4xf32>
  return %x : tensor<1x1x1x4xf32>
}

// -----

func.func @f(%x: tensor<4xf64> {graph.name = "x"}) -> (tensor<4xf64> {graph.name = "y"}) attributes {graph.entry} {
  // expected-error @+1 {{computes f64, which the CPU target does not; cast to f32}}
  %0 = graph.neg %x : tensor<4xf64>
  return %0 : tensor<4xf64>
}
