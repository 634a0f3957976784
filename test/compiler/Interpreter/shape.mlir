// RUN: ashlar-interpret %s --entry moves --input 'x=dense<[[0, 1, 2], [3, 4, 5]]> : tensor<2x3xi64>' | FileCheck %s --check-prefix=MOVES
// RUN: ashlar-interpret %s --entry combines --input 'x=dense<[[1.0, -2.0, 4.0], [0.5, 8.0, -1.0]]> : tensor<2x3xf32>' | FileCheck %s --check-prefix=COMBINES
// RUN: ashlar-interpret %s --entry gathers --input 'x=dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>' --input 'at=dense<[1, 9]> : tensor<2xi64>' | FileCheck %s --check-prefix=GATHERS
// RUN: ashlar-interpret %s --entry counts --dim n=3 | FileCheck %s --check-prefix=COUNTS
// Ops that move, make and combine elements.

graph.dim @n from 1 to 4

!x = tensor<2x3xi64>
// MOVES: result0: 3x2xi64 = 0 1 2 3 4 5
// MOVES: result1: 3x2xi64 = 0 3 1 4 2 5
// MOVES: result2: 2x2xi64 = 1 2 4 5
// MOVES: result3: 2x5xi64 = 0 1 2 1 2 3 4 5 4 5
// MOVES: result4: 2x2x3xi64 = 0 1 2 3 4 5 0 1 2 3 4 5
func.func @moves(%x: !x {graph.name = "x"})
    -> (tensor<3x2xi64>, tensor<3x2xi64>, tensor<2x2xi64>, tensor<2x5xi64>, tensor<2x2x3xi64>) {
  %0 = graph.reshape %x : !x to tensor<3x2xi64>
  %1 = graph.transpose %x [1, 0] : !x
  %2 = graph.slice %x axis 1 from 1 size 2 : !x
  %3 = graph.concat %x, %2 axis 1 : !x, tensor<2x2xi64>
  %4 = graph.broadcast %x : !x to tensor<2x2x3xi64>
  return %0, %1, %2, %3, %4 : tensor<3x2xi64>, tensor<3x2xi64>, tensor<2x2xi64>, tensor<2x5xi64>, tensor<2x2x3xi64>
}

// COMBINES: result0: 3xf32 = 1.5 6 3
// COMBINES: result1: 2x1xf32 = 4 8
// COMBINES: result2: 2xf32 = -2 -1
// COMBINES: result3: 2xf32 = 1 2.5
// COMBINES: result4: 2x3xf32 = 1 -1 3 0.5 8.5 7.5
// COMBINES: result5: 2x3xf32 = 1 -2 4 1.5 6 3
func.func @combines(%x: tensor<2x3xf32> {graph.name = "x"})
    -> (tensor<3xf32>, tensor<2x1xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = graph.reduce sum %x axis 0 : tensor<2x3xf32>
  %1 = graph.reduce max %x axis 1 keep_dims : tensor<2x3xf32>
  %2 = graph.reduce min %x axis 1 : tensor<2x3xf32>
  %3 = graph.reduce mean %x axis 1 : tensor<2x3xf32>
  %4 = graph.cumsum %x axis 1 : tensor<2x3xf32>
  %5 = graph.cumsum %x axis 0 : tensor<2x3xf32>
  return %0, %1, %2, %3, %4, %5 : tensor<3xf32>, tensor<2x1xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// An index outside is clamped.
// GATHERS: result0: 2xi64 = 2 6
func.func @gathers(%x: !x {graph.name = "x"}, %at: tensor<2xi64> {graph.name = "at"}) -> tensor<2xi64> {
  %0 = graph.gather %x, %at : !x, tensor<2xi64>
  return %0 : tensor<2xi64>
}

// COUNTS: result0: 2x3xi64 = 0 1 2 0 1 2
// COUNTS: result1: 2x3xf32 = 0 0 0 1 1 1
func.func @counts() -> (tensor<2x?xi64, #graph.dims<[_, n]>>, tensor<2x?xf32, #graph.dims<[_, n]>>) {
  %0 = graph.iota axis 1 : tensor<2x?xi64, #graph.dims<[_, n]>>
  %1 = graph.iota axis 0 : tensor<2x?xf32, #graph.dims<[_, n]>>
  return %0, %1 : tensor<2x?xi64, #graph.dims<[_, n]>>, tensor<2x?xf32, #graph.dims<[_, n]>>
}
