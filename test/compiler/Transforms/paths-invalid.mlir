// RUN: ashlar-opt %s --pass-pipeline='builtin.module(func.func(ashlar-verify-paths))' --split-input-file --verify-diagnostics

// expected-error @+1 {{argument #0 has no path; give it a location loc("...") or run ashlar-name-values}}
func.func @f(%x: tensor<4xf32> {graph.name = "x"}) -> (tensor<4xf32> {graph.name = "y"}) attributes {graph.entry} {
  return %x : tensor<4xf32>
}

// -----

func.func @f(%x: tensor<4xf32> {graph.name = "x"} loc("x")) -> (tensor<4xf32> {graph.name = "y"}) attributes {graph.entry} {
  // expected-error @+1 {{'graph.neg' has no path}}
  %0 = graph.neg %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

#place = loc("place.mlir":1:1)
// expected-error @unknown {{'graph.abs' has path 'h', which an earlier value has}}
// expected-note @unknown {{that value is here}}
func.func @f(%x: tensor<4xf32> {graph.name = "x"} loc("x")) -> (tensor<4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %0 = graph.neg %x : tensor<4xf32> loc("h")
  %1 = graph.abs %0 : tensor<4xf32> loc("h")
  return %1 : tensor<4xf32>
}

// -----

// A function that is no entry point may do as it likes.
func.func @helper(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = graph.neg %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
