// RUN: ashlar-opt %s --ashlar-partition --split-input-file --verify-diagnostics

// expected-error @+1 {{has no dist.mesh to be partitioned over}}
module {
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
func.func @fused(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{has a region, which cannot be partitioned; partition the graph before it is fused}}
  %0 = graph.fused "neg" (%a = %x : tensor<8xf32>) -> tensor<8xf32> {
    %1 = graph.neg %a : tensor<8xf32>
    graph.yield %1 : tensor<8xf32>
  }
  return %0 : tensor<8xf32>
}

// -----

// Only a reduced dimension leaves summands: a whole tensor taken for one would be added up again.
dist.mesh @mesh [tp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
func.func @summands(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{cannot give its result as [{}, {}] partial sum [tp]: it lies as [{}, {}], and no collective makes summands of a whole}}
  %0 = graph.gelu %x exact {dist.shardings = [#dist.sharding<@mesh, [{}, {}] partial sum [tp]>]} : tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// -----

// A cache is not moved: it is cut as its state lies.
dist.mesh @mesh [tp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e12
graph.state cache session @keys {dist.sharding = #dist.sharding<@mesh, [{}, {tp}, {}, {}]>} : !graph.cache<2x8x4x8xf32>
func.func @cache(%x: tensor<2x1x4x8xf32>, %lengths: tensor<2xi64>) {
  %0 = graph.read @keys : !graph.cache<2x8x4x8xf32>
  // expected-error @+1 {{needs operand 0, a cache, as [{}, {}, {}, {}], but it lies as [{}, {tp}, {}, {}]; a cache stays where it is: pin its state to that}}
  %1 = graph.cache_append %0, %x, %lengths : !graph.cache<2x8x4x8xf32>, tensor<2x1x4x8xf32>, tensor<2xi64>
  graph.write %1, @keys : !graph.cache<2x8x4x8xf32>
  return
}
