// RUN: ashlar-opt %s --pass-pipeline='builtin.module(ashlar-fusion-pipeline,ashlar-lower-to-program)' | FileCheck %s

graph.state cache session @keys : !graph.cache<4x8x1x4xf32>
graph.state cache session @values : !graph.cache<4x8x1x4xf32>
graph.state counter session @length : tensor<4xi64>

// Each number of tokens has a limit of its own.
// CHECK: program.entry @uneven
// CHECK-DAG: program.limit @state.length rows <4> add <1> limit 8
// CHECK-DAG: program.limit @state.length rows <4> add <5> limit 8
func.func @uneven(%k: tensor<4x1x1x4xf32> {graph.name = "k"}, %v: tensor<4x5x1x4xf32> {graph.name = "v"}) -> (tensor<4x1x1x4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %n = graph.read @length : tensor<4xi64>
  %keys = graph.read @keys : !graph.cache<4x8x1x4xf32>
  %values = graph.read @values : !graph.cache<4x8x1x4xf32>
  %0 = graph.cache_append %keys, %k, %n : !graph.cache<4x8x1x4xf32>, tensor<4x1x1x4xf32>, tensor<4xi64>
  %1 = graph.cache_append %values, %v, %n : !graph.cache<4x8x1x4xf32>, tensor<4x5x1x4xf32>, tensor<4xi64>
  %2 = graph.neg %k : tensor<4x1x1x4xf32>
  graph.write %0, @keys : !graph.cache<4x8x1x4xf32>
  graph.write %1, @values : !graph.cache<4x8x1x4xf32>
  return %2 : tensor<4x1x1x4xf32>
}
func.func @recall(%q: tensor<4x1x1x4xf32> {graph.name = "q"}) -> (tensor<4x1x1x4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %n = graph.read @length : tensor<4xi64>
  %keys = graph.read @keys : !graph.cache<4x8x1x4xf32>
  %values = graph.read @values : !graph.cache<4x8x1x4xf32>
  %y, %l = graph.attention %q, %keys, %values offsets %n lengths %n scale 1.0 : tensor<4x1x1x4xf32>, !graph.cache<4x8x1x4xf32>, !graph.cache<4x8x1x4xf32> offsets tensor<4xi64> lengths tensor<4xi64>
  return %y : tensor<4x1x1x4xf32>
}
