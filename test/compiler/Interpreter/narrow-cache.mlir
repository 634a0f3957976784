// RUN: ashlar-interpret %s --entry step --input 'new=dense<[[[[1.00390625]]], [[[1.01171875]]]]> : tensor<2x1x1x1xf32>' | FileCheck %s
// What a cache of bf16 keeps of a number in the middle of two is the even one: 1 of 1 + 2^-8, 1 + 2^-6 of 1 + 3 2^-8.

graph.dim @batch from 1 to 2
graph.state cache session @values : !graph.cache<2x3x1x1xbf16>
graph.state counter session @lengths : tensor<2xi64>

!new = tensor<?x1x1x1xf32, #graph.dims<[batch, _, _, _]>>
!row = tensor<?xi64, #graph.dims<[batch]>>
!cache = !graph.cache<2x3x1x1xbf16>

// CHECK: mean: 2x1x1x1xf32 = 1 1.01562
func.func @step(%new: !new {graph.name = "new"}) -> (!new {graph.name = "mean"}) attributes {graph.entry} {
  %cache = graph.read @values : !cache
  %lengths = graph.read @lengths : !row
  %one = graph.constant dense<1> : tensor<1xi64>
  %after = graph.add %lengths, %one : !row, tensor<1xi64>
  %next = graph.cache_append %cache, %new, %lengths : !cache, !new, !row
  %mean, %lse = graph.attention %new, %next, %next offsets %lengths lengths %after scale 1.0 causal : !new, !cache, !cache offsets !row lengths !row
  graph.write %next, @values : !cache
  graph.write %after, @lengths : !row
  return %mean : !new
}
