// RUN: ashlar-opt %s --canonicalize --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @reshape_of_reshape
// CHECK: %[[R:.*]] = graph.reshape %arg0 : tensor<4x6xf32> to tensor<2x12xf32>
// CHECK-NEXT: return %[[R]]
func.func @reshape_of_reshape(%x: tensor<4x6xf32>) -> tensor<2x12xf32> {
  %0 = graph.reshape %x : tensor<4x6xf32> to tensor<24xf32>
  %1 = graph.reshape %0 : tensor<24xf32> to tensor<2x12xf32>
  return %1 : tensor<2x12xf32>
}

// CHECK-LABEL: func.func @back_and_forth
// CHECK-NEXT: return %arg0
func.func @back_and_forth(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %0 = graph.transpose %x [1, 0] : tensor<4x6xf32>
  %1 = graph.transpose %0 [1, 0] : tensor<6x4xf32>
  %2 = graph.neg %1 : tensor<4x6xf32>
  %3 = graph.neg %2 : tensor<4x6xf32>
  %4 = graph.slice %3 axis 1 from 0 size 6 : tensor<4x6xf32>
  %5 = graph.cast %4 : tensor<4x6xf32> to tensor<4x6xf32>
  return %5 : tensor<4x6xf32>
}

// CHECK-LABEL: func.func @neutral_elements
// CHECK-NEXT: return %arg0
func.func @neutral_elements(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %zero = graph.constant dense<0.0> : tensor<6xf32>
  %one = graph.constant dense<1.0> : tensor<1xf32>
  %0 = graph.add %x, %zero : tensor<4x6xf32>, tensor<6xf32>
  %1 = graph.mul %0, %one : tensor<4x6xf32>, tensor<1xf32>
  return %1 : tensor<4x6xf32>
}

// The zero is larger than x: adding it stretches x, so it stays.
// CHECK-LABEL: func.func @zero_that_stretches
// CHECK: graph.add
func.func @zero_that_stretches(%x: tensor<6xf32>) -> tensor<4x6xf32> {
  %zero = graph.constant dense<0.0> : tensor<4x6xf32>
  %0 = graph.add %x, %zero : tensor<6xf32>, tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// A cast that narrows and widens rounds, so it stays.
// CHECK-LABEL: func.func @rounding_casts
// CHECK-COUNT-2: graph.cast
func.func @rounding_casts(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = graph.cast %x : tensor<4xf32> to tensor<4xbf16>
  %1 = graph.cast %0 : tensor<4xbf16> to tensor<4xf32>
  return %1 : tensor<4xf32>
}
