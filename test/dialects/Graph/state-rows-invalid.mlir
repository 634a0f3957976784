// RUN: ashlar-opt %s --split-input-file --verify-diagnostics
// A use of a state has its type, or names bounded by its dimensions in the place of them.

graph.dim @batch from 1 to 9
graph.state counter session @lengths : tensor<8xi64> // expected-note {{the state is declared here}}
func.func @read() {
  // expected-error @+1 {{has type 'tensor<?xi64, #graph.dims<[batch]>>', but the state's is 'tensor<8xi64>'; a use has that type, or names bounded by its dimensions in the place of them}}
  %0 = graph.read @lengths : tensor<?xi64, #graph.dims<[batch]>>
  return
}

// -----

graph.dim @width from 1 to 5
graph.state counter session @table : tensor<8x4xi64> // expected-note {{the state is declared here}}
func.func @columns(%x: tensor<8x?xi64, #graph.dims<[_, width]>>) {
  // expected-error @+1 {{names bounded by its dimensions in the place of them}}
  graph.write %x, @table : tensor<8x?xi64, #graph.dims<[_, width]>>
  return
}

// -----

graph.dim @batch from 1 to 8
graph.state counter session @lengths : tensor<8xi64> // expected-note {{the state is declared here}}
func.func @type(%x: tensor<?xi32, #graph.dims<[batch]>>) {
  // expected-error @+1 {{has type 'tensor<?xi32, #graph.dims<[batch]>>'}}
  graph.write %x, @lengths : tensor<?xi32, #graph.dims<[batch]>>
  return
}

// -----

func.func @cumsum(%x: tensor<4xi1>, %y: tensor<4xf32>) {
  // expected-error @+1 {{adds numbers, found 'tensor<4xi1>'}}
  %0 = graph.cumsum %x axis 0 : tensor<4xi1>
  return
}

// -----

func.func @cumsum(%x: tensor<4xf32>) {
  // expected-error @+1 {{axis 1 is outside a tensor of rank 1}}
  %0 = graph.cumsum %x axis 1 : tensor<4xf32>
  return
}
