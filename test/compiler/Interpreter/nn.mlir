// RUN: ashlar-interpret %s --entry products --input 'a=dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>' --input 'b=dense<[[1.0, -1.0], [0.5, 2.0]]> : tensor<2x2xf32>' | FileCheck %s --check-prefix=PRODUCTS
// RUN: ashlar-interpret %s --entry lookup --input 'ids=dense<[2, 0, 3, -1]> : tensor<4xi64>' | FileCheck %s --check-prefix=LOOKUP
// RUN: ashlar-interpret %s --entry norms --input 'x=dense<[[1.0, 2.0, 3.0, 6.0]]> : tensor<1x4xf64>' | FileCheck %s --check-prefix=NORMS
// RUN: ashlar-interpret %s --entry rotates --input 'positions=dense<[[0, 3]]> : tensor<1x2xi64>' --input 'x=dense<[[[[1.0, 2.0, 3.0, 4.0, 5.0]], [[1.0, 2.0, 3.0, 4.0, 5.0]]]]> : tensor<1x2x1x5xf64>' | FileCheck %s --check-prefix=ROTATES
// The layers of transformers on small numbers.

!m = tensor<2x2xf32>
// PRODUCTS: result0: 2x2xf32 = 2 3 5 5
// PRODUCTS: result1: 2x2xf32 = -1 4.5 -1 9.5
// PRODUCTS: result2: 1x2x2xf32 = 2 3 5 5
func.func @products(%a: !m {graph.name = "a"}, %b: !m {graph.name = "b"}) -> (!m, !m, tensor<1x2x2xf32>) {
  %0 = graph.matmul %a, %b : !m, !m
  %1 = graph.matmul %a, %b transpose_b : !m, !m
  %2 = graph.reshape %a : !m to tensor<1x2x2xf32>
  %3 = graph.reshape %b : !m to tensor<1x2x2xf32>
  %4 = graph.matmul %2, %3 : tensor<1x2x2xf32>, tensor<1x2x2xf32>
  return %0, %1, %4 : !m, !m, tensor<1x2x2xf32>
}

// Ids outside the table give zeros.
// LOOKUP: result0: 4x2xf32 = 5 6 1 2 0 0 0 0
func.func @lookup(%ids: tensor<4xi64> {graph.name = "ids"}) -> tensor<4x2xf32> {
  %table = graph.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xbf16>
  %0 = graph.embedding %table, %ids as f32 : tensor<3x2xbf16>, tensor<4xi64>
  return %0 : tensor<4x2xf32>
}

// Mean 3, variance 3.5; mean square 12.5.
// NORMS: result0: 1x4xf64 = 0.00626879 0.0170403 0.0463204 0.93037
// NORMS: result1: 1x4xf64 = -1 -1 0.5 6
// NORMS: result2: 1x4xf64 = -1 -0.5 0 1.5
// NORMS: result3: 1x4xf64 = 0.27735 0.5547 0.83205 1.6641
func.func @norms(%x: tensor<1x4xf64> {graph.name = "x"})
    -> (tensor<1x4xf64>, tensor<1x4xf64>, tensor<1x4xf64>, tensor<1x4xf64>) {
  %scale = graph.constant dense<[1.0, 2.0, 1.0, 4.0]> : tensor<4xf64>
  %bias = graph.constant dense<[0.0, 0.0, 0.5, 0.0]> : tensor<4xf64>
  %ones = graph.constant dense<1.0> : tensor<4xf64>
  %0 = graph.softmax %x : tensor<1x4xf64>
  %1 = graph.layer_norm %x, %scale, %bias epsilon 0.5 : tensor<1x4xf64>, tensor<4xf64>, tensor<4xf64>
  %2 = graph.layer_norm %x, %ones epsilon 0.5 : tensor<1x4xf64>, tensor<4xf64>
  %3 = graph.rms_norm %x, %ones epsilon 0.5 : tensor<1x4xf64>, tensor<4xf64>
  return %0, %1, %2, %3 : tensor<1x4xf64>, tensor<1x4xf64>, tensor<1x4xf64>, tensor<1x4xf64>
}

// Angles 0 and 3, 1.5; pairs (0, 2), (1, 3), then (0, 1), (2, 3); the fifth element passes.
// ROTATES: result0: 1x2x2xf32 = 2 2 -1.97998 0.141474
// ROTATES: result1: 1x2x2xf32 = 0 0 0.28224 1.99499
// ROTATES: result2: 1x2x1x5xf64 = 2 4 6 8 5 -2.82671 -7.69701 -5.65771 4.55588 5
// ROTATES: result3: 1x2x1x5xf64 = 2 4 6 8 5 -2.54447 -3.67773 -7.55554 6.55087 5
!x = tensor<1x2x1x5xf64>
!t = tensor<1x2x2xf32>
func.func @rotates(%positions: tensor<1x2xi64> {graph.name = "positions"}, %x: !x {graph.name = "x"}) -> (!t, !t, !x, !x) {
  %f = graph.constant dense<[1.0, 0.5]> : tensor<2xf32>
  %c, %s = graph.rope_table %positions, %f scale 2.0 : tensor<1x2xi64>, tensor<2xf32>
  %0 = graph.rope %x, %c, %s : !x, !t, !t
  %1 = graph.rope %x, %c, %s interleaved : !x, !t, !t
  return %c, %s, %0, %1 : !t, !t, !x, !x
}
