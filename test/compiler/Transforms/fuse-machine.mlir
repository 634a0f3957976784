// RUN: ashlar-opt %s --ashlar-fuse | FileCheck %s --check-prefix=ORDINARY
// RUN: ashlar-opt %s --pass-pipeline='builtin.module(func.func(ashlar-fuse{machine=%S/Inputs/slow-launches.json}))' | FileCheck %s --check-prefix=SLOW
// RUN: not ashlar-opt %s --pass-pipeline='builtin.module(func.func(ashlar-fuse{machine=%s}))' 2>&1 | FileCheck %s --check-prefix=ERROR

graph.dim @rows from 1 to 64

// On an ordinary machine the gelu of each row is stored, because it would be repeated 4096 times; where a launch
// takes a millisecond it is not.
// ORDINARY-COUNT-2: graph.fused
// SLOW-COUNT-1: graph.fused
// SLOW-NOT: graph.fused
// ERROR: fuse-machine.mlir: expected a JSON object of machine constants
func.func @f(%x: tensor<?x1xf32, #graph.dims<[rows, _]>> {graph.name = "x"}, %y: tensor<?x4096xf32, #graph.dims<[rows, _]>> {graph.name = "y"})
    -> (tensor<?x4096xf32, #graph.dims<[rows, _]>> {graph.name = "z"}) attributes {graph.entry} {
  %n = graph.neg %y : tensor<?x4096xf32, #graph.dims<[rows, _]>>
  %e = graph.gelu %x exact : tensor<?x1xf32, #graph.dims<[rows, _]>>
  %z = graph.add %e, %n : tensor<?x1xf32, #graph.dims<[rows, _]>>, tensor<?x4096xf32, #graph.dims<[rows, _]>>
  return %z : tensor<?x4096xf32, #graph.dims<[rows, _]>>
}
