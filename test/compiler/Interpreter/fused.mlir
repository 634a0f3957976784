// RUN: ashlar-interpret %s --input 'x=dense<[1.0, 2.0]> : tensor<2xf32>' | FileCheck %s
// A fused region is evaluated by walking in.

// CHECK: result0: 2xf32 = 2 4
// CHECK: result1: 2xf32 = 1 4
func.func @f(%x: tensor<2xf32> {graph.name = "x"}) -> (tensor<2xf32>, tensor<2xf32>) {
  %0, %1 = graph.fused "double_and_square" (%a = %x : tensor<2xf32>) -> tensor<2xf32>, tensor<2xf32> {
    %sum = graph.add %a, %a : tensor<2xf32>, tensor<2xf32>
    %square = graph.mul %a, %a : tensor<2xf32>, tensor<2xf32>
    graph.yield %sum, %square : tensor<2xf32>, tensor<2xf32>
  }
  return %0, %1 : tensor<2xf32>, tensor<2xf32>
}
