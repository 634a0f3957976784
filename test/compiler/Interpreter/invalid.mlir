// RUN: not ashlar-interpret %s --entry unknown --input 'x=dense<1.0> : tensor<2xf32>' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not ashlar-interpret %s --entry weights 2>&1 | FileCheck %s --check-prefix=WEIGHTS
// RUN: not ashlar-interpret %s --entry unbound 2>&1 | FileCheck %s --check-prefix=UNBOUND
// RUN: not ashlar-interpret %s --entry nothing 2>&1 | FileCheck %s --check-prefix=NOTHING
// Errors are diagnostics at the op.

graph.dim @n from 0 to 8
// WEIGHTS: invalid.mlir:[[@LINE+1]]:1: error: parameter @w has no value: no weights were given
graph.state parameter model @w : tensor<2xf32>

func.func @unknown(%x: tensor<2xf32> {graph.name = "x"}) -> tensor<2xf32> {
  // UNKNOWN: invalid.mlir:[[@LINE+1]]:8: error: the interpreter has no evaluation of 'math.exp'
  %0 = math.exp %x : tensor<2xf32>
  return %0 : tensor<2xf32>
}

func.func @weights() -> tensor<2xf32> {
  %0 = graph.read @w : tensor<2xf32>
  return %0 : tensor<2xf32>
}

func.func @unbound() -> tensor<?xi64, #graph.dims<[n]>> {
  // UNBOUND: error: 'graph.iota' op needs the extent of dimension 'n', which no input gives
  %0 = graph.iota axis 0 : tensor<?xi64, #graph.dims<[n]>>
  return %0 : tensor<?xi64, #graph.dims<[n]>>
}

// NOTHING: name one of the functions with --entry: unknown weights unbound
