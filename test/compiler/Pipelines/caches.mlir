// RUN: ashlar-opt %s --pass-pipeline='builtin.module(ashlar-fusion-pipeline,ashlar-lower-to-program)' | FileCheck %s

// One entry point fills caches that another reads: they are kept as attention reads them.
graph.state cache session @keys : !graph.cache<4x8x1x4xf32>
graph.state cache session @values : !graph.cache<4x8x1x4xf32>
graph.state counter session @length : tensor<4xi64>
// CHECK: program.entry @remember
// CHECK: program.launch @[[APPEND:cache_append[a-z_]*]]
func.func @remember(%k: tensor<4x1x1x4xf32> {graph.name = "k"}, %v: tensor<4x1x1x4xf32> {graph.name = "v"}) -> (tensor<4x1x1x4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %n = graph.read @length : tensor<4xi64>
  %keys = graph.read @keys : !graph.cache<4x8x1x4xf32>
  %values = graph.read @values : !graph.cache<4x8x1x4xf32>
  %0 = graph.cache_append %keys, %k, %n : !graph.cache<4x8x1x4xf32>, tensor<4x1x1x4xf32>, tensor<4xi64>
  %1 = graph.cache_append %values, %v, %n : !graph.cache<4x8x1x4xf32>, tensor<4x1x1x4xf32>, tensor<4xi64>
  %2 = graph.neg %k : tensor<4x1x1x4xf32>
  graph.write %0, @keys : !graph.cache<4x8x1x4xf32>
  graph.write %1, @values : !graph.cache<4x8x1x4xf32>
  return %2 : tensor<4x1x1x4xf32>
}
// CHECK: program.entry @recall
// Keys in panels, values in rows padded to 32.
// CHECK-DAG: program.state @state.keys f32 at {{[0-9]+}} bytes 2048
// CHECK-DAG: program.state @state.values f32 at {{[0-9]+}} bytes 16384
// Only the caches are written.
// CHECK-DAG: program.kernel @[[APPEND]] of {{.*}} accesses [2, 0, 0, 2, 0]
func.func @recall(%q: tensor<4x1x1x4xf32> {graph.name = "q"}) -> (tensor<4x1x1x4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %n = graph.read @length : tensor<4xi64>
  %keys = graph.read @keys : !graph.cache<4x8x1x4xf32>
  %values = graph.read @values : !graph.cache<4x8x1x4xf32>
  %y, %l = graph.attention %q, %keys, %values offsets %n lengths %n scale 1.0 : tensor<4x1x1x4xf32>, !graph.cache<4x8x1x4xf32>, !graph.cache<4x8x1x4xf32> offsets tensor<4xi64> lengths tensor<4xi64>
  return %y : tensor<4x1x1x4xf32>
}
