// RUN: ashlar-interpret %s --entry step --repeat 3 --input 'new=dense<[[[[1.0]]], [[[5.0]]]]> : tensor<2x1x1x1xf32>' | FileCheck %s
// RUN: not ashlar-interpret %s --entry step --repeat 4 --input 'new=dense<[[[[1.0]]], [[[5.0]]]]> : tensor<2x1x1x1xf32>' 2>&1 | FileCheck %s --check-prefix=FULL
// A cache of three positions for three sequences, of which two take part: each step appends, attends and counts.

graph.dim @batch from 1 to 3
graph.state cache session @keys : !graph.cache<3x3x1x1xf32>
graph.state counter session @lengths : tensor<3xi64>

!new = tensor<?x1x1x1xf32, #graph.dims<[batch, _, _, _]>>
!row = tensor<?xi64, #graph.dims<[batch]>>

// CHECK: lengths: 2xi64 = 1 1
// CHECK: lse: 2x1x1xf32 = 1 25
// CHECK: mean: 2x1x1x1xf32 = 1 5
// CHECK: lengths: 2xi64 = 2 2
// ln(2) more, for two keys
// CHECK: lse: 2x1x1xf32 = 1.69315 25.6931
// CHECK: lengths: 2xi64 = 3 3
// CHECK: lse: 2x1x1xf32 = 2.09861 26.0986
// FULL: error: 'graph.cache_append' op puts 1 positions behind 3 of sequence 0 into a cache with room for 3
func.func @step(%new: !new {graph.name = "new"})
    -> (!row {graph.name = "lengths"}, tensor<?x1x1xf32, #graph.dims<[batch, _, _]>> {graph.name = "lse"},
        !new {graph.name = "mean"}) attributes {graph.entry} {
  %cache = graph.read @keys : !graph.cache<3x3x1x1xf32>
  %lengths = graph.read @lengths : !row
  %one = graph.constant dense<1> : tensor<1xi64>
  %after = graph.add %lengths, %one : !row, tensor<1xi64>
  %next = graph.cache_append %cache, %new, %lengths : !graph.cache<3x3x1x1xf32>, !new, !row
  %mean, %lse = graph.attention %new, %next, %next offsets %lengths lengths %after scale 1.0 causal : !new, !graph.cache<3x3x1x1xf32>, !graph.cache<3x3x1x1xf32> offsets !row lengths !row
  graph.write %next, @keys : !graph.cache<3x3x1x1xf32>
  graph.write %after, @lengths : !row
  return %after, %lse, %mean : !row, tensor<?x1x1xf32, #graph.dims<[batch, _, _]>>, !new
}
