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

// -----

func.func @f(%x: tensor<4xf32> {graph.name = "x"}) -> (tensor<4xf32> {graph.name = "y"}) attributes {graph.entry} {
  // expected-error @+1 {{'arith.addf' op is no graph op, and no kernel can be made of it}}
  %0 = arith.addf %x, %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func private @g() -> tensor<4xf32>
func.func @f() -> (tensor<4xf32> {graph.name = "y"}) attributes {graph.entry} {
  // expected-error @+1 {{'func.call' op is no graph op}}
  %0 = func.call @g() : () -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

graph.dim @a from 1 to 1000000000000
graph.dim @b from 1 to 1000000000000
// expected-error @+1 {{takes more than 2^48 bytes at its bound; declare smaller bounds with graph.dim}}
func.func @f(%x: tensor<?x?xf32, #graph.dims<[a, b]>> {graph.name = "x"})
    -> (tensor<?x?xf32, #graph.dims<[a, b]>> {graph.name = "y"}) attributes {graph.entry} {
  %0 = graph.neg %x : tensor<?x?xf32, #graph.dims<[a, b]>>
  return %0 : tensor<?x?xf32, #graph.dims<[a, b]>>
}

// -----

// An append is in place: the cache as it was before is gone.
graph.state cache session @k : !graph.cache<1x8x1x4xf32>
graph.state counter session @n : tensor<1xi64>
func.func @f(%x: tensor<1x1x1x4xf32> {graph.name = "x"}) -> (tensor<1x1x1x4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %k = graph.read @k : !graph.cache<1x8x1x4xf32>
  %n = graph.read @n : tensor<1xi64>
  // expected-note @+1 {{the append is here}}
  %d = graph.cache_append %k, %x, %n : !graph.cache<1x8x1x4xf32>, tensor<1x1x1x4xf32>, tensor<1xi64>
  // expected-error @+1 {{reads a cache that was appended to in place before; read the result of the append}}
  %y, %l = graph.attention %x, %d, %k offsets %n lengths %n scale 1.0 : tensor<1x1x1x4xf32>, !graph.cache<1x8x1x4xf32>, !graph.cache<1x8x1x4xf32> offsets tensor<1xi64> lengths tensor<1xi64>
  graph.write %d, @k : !graph.cache<1x8x1x4xf32>
  return %y : tensor<1x1x1x4xf32>
}

// -----

// An append changes memory: nobody may leave that unsaid.
graph.state cache session @k : !graph.cache<1x8x1x4xf32>
graph.state cache session @v : !graph.cache<1x8x1x4xf32>
graph.state counter session @n : tensor<1xi64>
func.func @f(%x: tensor<1x1x1x4xf32> {graph.name = "x"}) -> (tensor<1x1x1x4xf32> {graph.name = "y"}) attributes {graph.entry} {
  // expected-note @+1 {{write the result of the last append to @k}}
  %k = graph.read @k : !graph.cache<1x8x1x4xf32>
  %v = graph.read @v : !graph.cache<1x8x1x4xf32>
  %n = graph.read @n : tensor<1xi64>
  // expected-error @+1 {{changes its cache in place, but no graph.write says so}}
  %d = graph.cache_append %k, %x, %n : !graph.cache<1x8x1x4xf32>, tensor<1x1x1x4xf32>, tensor<1xi64>
  %y, %l = graph.attention %x, %d, %v offsets %n lengths %n scale 1.0 : tensor<1x1x1x4xf32>, !graph.cache<1x8x1x4xf32>, !graph.cache<1x8x1x4xf32> offsets tensor<1xi64> lengths tensor<1xi64>
  return %y : tensor<1x1x1x4xf32>
}

// -----

// One cache has one layout.
graph.state cache session @k : !graph.cache<1x8x1x4xf32>
graph.state counter session @n : tensor<1xi64>
func.func @f(%x: tensor<1x1x1x4xf32> {graph.name = "x"}) -> (tensor<1x1x1x4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %k = graph.read @k : !graph.cache<1x8x1x4xf32>
  %n = graph.read @n : tensor<1xi64>
  // expected-error @+1 {{reads cache @k as value_rows, which is kept as key_panels; one cache holds keys or values, not both}}
  %y, %l = graph.attention %x, %k, %k offsets %n lengths %n scale 1.0 : tensor<1x1x1x4xf32>, !graph.cache<1x8x1x4xf32>, !graph.cache<1x8x1x4xf32> offsets tensor<1xi64> lengths tensor<1xi64>
  return %y : tensor<1x1x1x4xf32>
}

// -----

// Extents come from the inputs' shapes.
// expected-note @+1 {{it is declared here}}
graph.dim @rows from 1 to 4
graph.state counter session @n : tensor<4xi64>
func.func @f() -> (tensor<?xi64, #graph.dims<[rows]>> {graph.name = "y"}) attributes {graph.entry} {
  // expected-error @+1 {{has dimension @rows, which no input of entry point @f has; the runtime takes extents from the inputs' shapes}}
  %n = graph.read @n : tensor<?xi64, #graph.dims<[rows]>>
  return %n : tensor<?xi64, #graph.dims<[rows]>>
}

// -----

graph.dim @past from 0 to 4
graph.dim @seq from 1 to 4
// expected-note @+1 {{it is derived here, and only a dimension of an input may be used; give it one}}
graph.dim @total from 1 to 8 sum [@past, @seq]
func.func @f(%x: tensor<?xf32, #graph.dims<[past]>> {graph.name = "x"}, %y: tensor<?xf32, #graph.dims<[seq]>> {graph.name = "y"}, %i: tensor<1xi64> {graph.name = "i"})
    -> (tensor<?xi64, #graph.dims<[total]>> {graph.name = "z"}) attributes {graph.entry} {
  // expected-error @+1 {{has dimension @total, which no input of entry point @f has}}
  %z = graph.iota axis 0 : tensor<?xi64, #graph.dims<[total]>>
  %w = graph.add %z, %i : tensor<?xi64, #graph.dims<[total]>>, tensor<1xi64>
  return %w : tensor<?xi64, #graph.dims<[total]>>
}

// -----

// A region may not read a row's softmax elsewhere than in its row.
func.func @f(%x: tensor<4x4xf32> {graph.name = "x"}) -> (tensor<4x4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %r = graph.fused "mine" (%a = %x : tensor<4x4xf32>) -> tensor<4x4xf32> {
    %0 = graph.softmax %a : tensor<4x4xf32>
    // expected-error @+1 {{reads elements of operand #0 at other positions than their own, but the kernel that they are fused into has them only there; leave it out of the region}}
    %1 = graph.transpose %0 [1, 0] : tensor<4x4xf32>
    %2 = graph.add %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
    graph.yield %2 : tensor<4x4xf32>
  }
  return %r : tensor<4x4xf32>
}

// -----

// Rows may be fewer than the state has, columns not: a kernel would walk them by other strides.
graph.dim @width from 1 to 4
graph.state parameter model @w : tensor<8x4xf32>
func.func @f() -> (tensor<8x?xf32, #graph.dims<[_, width]>> {graph.name = "y"}) attributes {graph.entry} {
  // expected-error @+1 {{uses the first elements of a state along dimension 1; kernels are made for all of them, or for the first rows}}
  %w = graph.read @w : tensor<8x?xf32, #graph.dims<[_, width]>>
  %y = graph.neg %w : tensor<8x?xf32, #graph.dims<[_, width]>>
  return %y : tensor<8x?xf32, #graph.dims<[_, width]>>
}
