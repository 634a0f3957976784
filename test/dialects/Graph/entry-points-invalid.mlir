// RUN: ashlar-opt %s --split-input-file --verify-diagnostics
// What only an entry point as a whole can be checked for.

// expected-error @+1 {{takes or gives '!graph.cache<2x8x1x4xf32>'; an entry point's arguments and results are ranked tensors of}}
func.func @f(%c: !graph.cache<2x8x1x4xf32> {graph.name = "c"}) attributes {graph.entry} {
  return
}

// -----

// expected-error @+1 {{takes or gives 'f32'; an entry point's arguments}}
func.func @f(%x: f32 {graph.name = "x"}) -> (f32 {graph.name = "y"}) attributes {graph.entry} {
  return %x : f32
}

// -----

// expected-error @+1 {{takes or gives 'tensor<*xf32>'; an entry point's arguments}}
func.func @f(%x: tensor<*xf32> {graph.name = "x"}) attributes {graph.entry} {
  return
}

// -----

// expected-error @+1 {{takes or gives 'tensor<4xi16>'; an entry point's arguments}}
func.func @f(%x: tensor<4xi16> {graph.name = "x"}) attributes {graph.entry} {
  return
}

// -----

// expected-error @+1 {{argument #0: graph.default is @nope, which is no graph.dim of this module}}
func.func @f(%x: tensor<4xi64> {graph.name = "x", graph.default = @nope}) attributes {graph.entry} {
  return
}

// -----

graph.dim @seq from 1 to 8
// expected-error @+1 {{argument #0: graph.limit stands beside a graph.range, and there is none}}
func.func @f(%x: tensor<4xi64> {graph.name = "x", graph.limit = @seq}) attributes {graph.entry} {
  return
}

// -----

// expected-error @+1 {{argument #0: graph.limit is a dimension's symbol, found 7}}
func.func @f(%x: tensor<4xi64> {graph.name = "x", graph.range = array<i64: 0, 8>, graph.limit = 7 : i64}) attributes {graph.entry} {
  return
}

// -----

func.func private @g()
// expected-error @+1 {{has several blocks; an entry point has no control flow}}
func.func @f() attributes {graph.entry} {
  "func.call"() {callee = @g} : () -> ()
  "func.return"() : () -> ()
^bb1:
  "func.return"() : () -> ()
}

// -----

// A cache that is smaller than the batch may become.
graph.dim @batch from 1 to 8
graph.state cache session @k : !graph.cache<4x8x1x4xf32>
graph.state counter session @n : tensor<8xi64>
func.func @f(%x: tensor<?x1x1x4xf32, #graph.dims<[batch, _, _, _]>> {graph.name = "x"}) attributes {graph.entry} {
  %k = graph.read @k : !graph.cache<4x8x1x4xf32>
  %n = graph.read @n : tensor<?xi64, #graph.dims<[batch]>>
  // expected-error @+1 {{uses '!graph.cache<4x8x1x4xf32>' for up to 8 sequences (batch); it has room for 4}}
  %k1 = graph.cache_append %k, %x, %n : !graph.cache<4x8x1x4xf32>, tensor<?x1x1x4xf32, #graph.dims<[batch, _, _, _]>>, tensor<?xi64, #graph.dims<[batch]>>
  graph.write %k1, @k : !graph.cache<4x8x1x4xf32>
  return
}

// -----

graph.state cache session @k : !graph.cache<2x8x1x4xf32>
graph.state counter session @n : tensor<3xi64>
func.func @f(%x: tensor<3x1x1x4xf32> {graph.name = "x"}) -> (tensor<3x1x1x4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %k = graph.read @k : !graph.cache<2x8x1x4xf32>
  %n = graph.read @n : tensor<3xi64>
  // expected-error @+1 {{for up to 3 sequences (3); it has room for 2}}
  %y, %l = graph.attention %x, %k, %k offsets %n lengths %n scale 1.0 : tensor<3x1x1x4xf32>, !graph.cache<2x8x1x4xf32>, !graph.cache<2x8x1x4xf32> offsets tensor<3xi64> lengths tensor<3xi64>
  return %y : tensor<3x1x1x4xf32>
}

// -----

// expected-error @+1 {{takes more than 2^48 bytes}}
graph.state parameter model @w : tensor<4294967296x4294967296xf32>

// -----

func.func @f() {
  // expected-error @+1 {{takes its elements as dense<...>}}
  %0 = graph.constant dense_resource<elements> : tensor<2xf32>
  return
}
{-# dialect_resources: { builtin: { elements: "0x040000000000803F00000040" } } #-}

// -----

func.func @f(%x: tensor<4xi64>) {
  // expected-error @+1 {{must be ranked tensor of 64-bit float}}
  %0 = graph.pow %x, %x : tensor<4xi64>, tensor<4xi64>
  return
}
