// RUN: ashlar-interpret %s --entry f --input 'ids=dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>' | FileCheck %s
// RUN: rm -rf %t && ashlar-interpret %s --entry f --input 'ids=dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>' --output-dir %t
// RUN: ashlar-interpret %s --entry f --input ids=%t/sum.npy --input mask=%t/sum.npy | FileCheck %s --check-prefix=AGAIN
// RUN: ashlar-interpret %s --entry f --input 'ids=dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>' --expect length=%t/length.npy | FileCheck %s --check-prefix=SAME
// RUN: not ashlar-interpret %s --entry f --input ids=%t/sum.npy --expect sum=%t/sum.npy | FileCheck %s --check-prefix=OTHER
// RUN: not ashlar-interpret %s --entry f 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not ashlar-interpret %s --entry f --input 'ids=dense<[[1, 99]]> : tensor<1x2xi64>' 2>&1 | FileCheck %s --check-prefix=RANGE
// RUN: not ashlar-interpret %s --entry f --input 'ids=dense<1> : tensor<9x2xi64>' 2>&1 | FileCheck %s --check-prefix=BOUND
// RUN: not ashlar-interpret %s --entry f --input 'ids=dense<1> : tensor<1x2xi64>' --input 'mask=dense<1> : tensor<1x3xi64>' 2>&1 | FileCheck %s --check-prefix=CONFLICT
// RUN: not ashlar-interpret %s --entry f --input 'id=dense<1> : tensor<1x2xi64>' 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not ashlar-interpret %s --entry f --input 'ids=dense<1> : tensor<1x2xi64>' --input 'lengths=dense<3> : tensor<1xi64>' 2>&1 | FileCheck %s --check-prefix=LIMIT
// RUN: not ashlar-interpret %s --entry f --input ids=%s 2>&1 | FileCheck %s --check-prefix=NPY
// Inputs by name, their defaults, .npy files, and what goes wrong.

graph.dim @batch from 1 to 8
graph.dim @seq from 1 to 512
!ids = tensor<?x?xi64, #graph.dims<[batch, seq]>>
!row = tensor<?xi64, #graph.dims<[batch]>>

// CHECK: sum: 2x3xi64 = 2 4 6 5 7 9
// CHECK: length: 2xi64 = 3 3
// AGAIN: sum: 2x3xi64 = 4 9 14 10 15 20
// SAME: length: as expected
// OTHER: sum: element 2 is 9, expected 6: off by 3, the largest expected value is 9
// MISSING: error: input 'ids' is missing and has no default
// RANGE: error: input 'ids' holds 99, outside [0, 50)
// LIMIT: error: input 'lengths' holds 3, outside [1, 3)
// BOUND: error: dimension 'batch' is 9, outside its bounds 1 to 8
// CONFLICT: error: input 'mask' has extent 3 in dimension 1, expected seq = 2
// NAME: error: has no input named 'id'; its inputs are ids, mask, position, lengths
// NPY: inputs.mlir: not a .npy file
func.func @f(%ids: !ids {graph.name = "ids", graph.range = array<i64: 0, 50>},
             %mask: !ids {graph.name = "mask", graph.default = 1 : i64},
             %position: !ids {graph.name = "position", graph.default = "iota"},
             %lengths: !row {graph.name = "lengths", graph.default = @seq, graph.range = array<i64: 1, 513>,
                             graph.limit = @seq})
    -> (!ids {graph.name = "sum"}, !row {graph.name = "length"}) attributes {graph.entry} {
  %0 = graph.add %ids, %mask : !ids, !ids
  %1 = graph.add %0, %position : !ids, !ids
  return %1, %lengths : !ids, !row
}
