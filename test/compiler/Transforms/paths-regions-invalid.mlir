// RUN: ashlar-opt %s --pass-pipeline='builtin.module(func.func(ashlar-verify-paths))' --verify-diagnostics

// Two regions hold different values under one path.
// expected-error @unknown {{'graph.abs' has path 'h', which an earlier value has}}
// expected-note @unknown {{that value is here}}
func.func @f(%x: tensor<4xf32> {graph.name = "x"} loc("x")) -> (tensor<4xf32> {graph.name = "y"}) attributes {graph.entry} {
  %0 = graph.fused "neg" (%a = %x : tensor<4xf32>) -> tensor<4xf32> {
    %n = graph.neg %a : tensor<4xf32> loc("h")
    graph.yield %n : tensor<4xf32>
  }
  %1 = graph.fused "abs" (%a = %0 : tensor<4xf32>) -> tensor<4xf32> {
    %n = graph.abs %a : tensor<4xf32> loc("h")
    graph.yield %n : tensor<4xf32>
  }
  return %1 : tensor<4xf32>
}
