// RUN: ashlar-opt %s --split-input-file --verify-diagnostics
// Each error names the constraint and what was found.

// expected-error @+1 {{bounds are 0 <= minimum <= maximum and 1 <= maximum, found 9 to 8}}
graph.dim @batch from 9 to 8

// -----

graph.dim @a from 1 to 4
// expected-error @+1 {{has maximum 9, beyond the sum of its terms' maxima, 4}}
graph.dim @b from 1 to 9 sum [@a]

// -----

// expected-error @+1 {{is derived from @c, which is no other graph.dim of this module}}
graph.dim @b from 1 to 9 sum [@c]

// -----

// expected-error @+1 {{of role cache has type 'tensor<4xf32>'; exactly a cache has a !graph.cache type}}
graph.state cache session @k : tensor<4xf32>

// -----

// expected-error @+1 {{is a parameter, which belongs to the model and not to a session}}
graph.state parameter session @w : tensor<4xf32>

// -----

// expected-error @+1 {{of 'tensor<4x6xf32>' at [0, 3] lies outside of 'ab' of [4, 8]}}
graph.state parameter model @b tensor "ab" at [0, 3] of [4, 8] : tensor<4x6xf32>

// -----

// expected-error @+1 {{of 'tensor<4xf32>' at [0, 0] lies outside of 'ab' of [4, 8]}}
graph.state parameter model @b tensor "ab" at [0, 0] of [4, 8] : tensor<4xf32>

// -----

// expected-error @+1 {{ranges are parameters that name their `tensor`}}
graph.state counter session @n tensor "n" at [0] of [8] : tensor<4xi64>

// -----

// expected-error @+1 {{a cache is [sequences, positions, heads, width], rank 4, not rank 2}}
graph.state cache session @k : !graph.cache<4x8xf32>

// -----

// expected-error @+1 {{a cache holds elements of f32, bf16 or f16, found 'f64'}}
graph.state cache session @k : !graph.cache<4x8x2x8xf64>

// -----

// expected-note @+1 {{the state is declared here}}
graph.state parameter model @w : tensor<4xf32>
func.func @f() {
  // expected-error @+1 {{has type 'tensor<5xf32>', but the state's is 'tensor<4xf32>'}}
  %0 = graph.read @w : tensor<5xf32>
  return
}

// -----

graph.state parameter model @w : tensor<4xf32>
func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{writes parameter @w; only a training step may, through its optimizer}}
  graph.write %x, @w : tensor<4xf32>
  return
}

// -----

// expected-error @+1 {{#graph.dims has 1 entries for a tensor of rank 2}}
func.func @f(%x: tensor<?x4xf32, #graph.dims<[batch]>>) { return }

// -----

// expected-error @+1 {{#graph.dims names dimensions exactly where they are `?`: dimension 1 is a number and named "seq"}}
func.func @f(%x: tensor<?x4xf32, #graph.dims<[batch, seq]>>) { return }

// -----

// expected-error @+1 {{'func.func' op uses dimension 'batch', which no graph.dim declares; declare it with `graph.dim @batch from MIN to MAX`}}
func.func @f(%x: tensor<?xf32, #graph.dims<[batch]>> {graph.name = "x"}) attributes {graph.entry} { return }

// -----

// expected-error @+1 {{argument #0 of an entry point needs a graph.name}}
func.func @f(%x: tensor<4xf32>) attributes {graph.entry} { return }

// -----

// expected-error @+1 {{has two arguments named 'x'}}
func.func @f(%x: tensor<4xf32> {graph.name = "x"}, %y: tensor<4xf32> {graph.name = "x"}) attributes {graph.entry} { return }

// -----

// expected-error @+1 {{argument #0: graph.default is an integer, a dimension's symbol or "iota"}}
func.func @f(%x: tensor<4xi64> {graph.name = "x", graph.default = "ones"}) { return }

// -----

func.func @f(%x: tensor<4x5xf32>, %y: tensor<3x5xf32>) {
  // expected-error @+1 {{operands of dimensions 4x5 and 3x5 do not broadcast}}
  %0 = graph.add %x, %y : tensor<4x5xf32>, tensor<3x5xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>, %w: tensor<6x7xf32>) {
  // expected-error @+1 {{reduces over k = 5 of a (4x5) and k = 7 of b (6x7, transposed)}}
  %0 = graph.matmul %x, %w transpose_b : tensor<4x5xf32>, tensor<6x7xf32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{changes the number of elements: 4x6 to 5x5}}
  %0 = graph.reshape %x : tensor<4x6xf32> to tensor<5x5xf32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{[4, 8) is outside dimension 1 of size 6}}
  %0 = graph.slice %x axis 1 from 4 size 4 : tensor<4x6xf32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{[0, 0] is no permutation of 2 dimensions}}
  %0 = graph.transpose %x [0, 0] : tensor<4x6xf32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %s: tensor<5xf32>) {
  // expected-error @+1 {{takes scale and bias of dimension 6, found 5}}
  %0 = graph.rms_norm %x, %s epsilon 1.0e-5 : tensor<4x6xf32>, tensor<5xf32>
  return
}

// -----

func.func @f(%q: tensor<1x2x5x8xf32>, %k: tensor<1x2x2x8xf32>) {
  // expected-error @+1 {{has 5 query heads, not a multiple of 2 key-value heads}}
  %0, %1 = graph.attention %q, %k, %k scale 1.0 : tensor<1x2x5x8xf32>, tensor<1x2x2x8xf32>, tensor<1x2x2x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x2x2x8xf32>) {
  // expected-error @+1 {{has a window of 4; a window is at least 1 and goes with `causal`}}
  %0, %1 = graph.attention %q, %q, %q scale 1.0 window 4 : tensor<1x2x2x8xf32>, tensor<1x2x2x8xf32>, tensor<1x2x2x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x1x2x8xf32>, %k: tensor<1x130x2x8xf32>) {
  // expected-error @+1 {{has 2 parts of 64 keys for 130 keys; they take 3}}
  %0, %1 = graph.attention %q, %k, %k scale 1.0 parts 2 of 64 : tensor<1x1x2x8xf32>, tensor<1x130x2x8xf32>, tensor<1x130x2x8xf32>
  return
}

// -----

func.func @f(%y: tensor<1x1x2x3x8xf32>, %l: tensor<1x1x2x2xf32>) {
  // expected-error @+1 {{takes outputs [batch, seq, heads, parts, width] and logsumexps [batch, seq, heads, parts] of a number of parts, found 1x1x2x3x8 and 1x1x2x2}}
  %0, %1 = graph.merge_attention %y, %l : tensor<1x1x2x3x8xf32>, tensor<1x1x2x2xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x2x8xf32>, %c: tensor<1x2x5xf32>) {
  // expected-error @+1 {{rotates 5 pairs, more than a width of 8 holds}}
  %0 = graph.rope %x, %c, %c : tensor<1x2x2x8xf32>, tensor<1x2x5xf32>, tensor<1x2x5xf32>
  return
}

// -----

graph.state counter session @n : tensor<4xi64>
func.func @f() attributes {graph.entry} {
  %0 = graph.read @n : tensor<4xi64>
  // expected-error @+1 {{reads state @n a second time in one entry point}}
  %1 = graph.read @n : tensor<4xi64>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{yields types that differ from its results'}}
  %0 = graph.fused "f" (%a = %x : tensor<4xf32>) -> tensor<5xf32> {
    graph.yield %a : tensor<4xf32>
  }
  return
}
