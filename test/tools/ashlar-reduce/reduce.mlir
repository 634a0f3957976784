// RUN: ashlar-reduce %s --reduction-tree='traversal-mode=0 test=%S/has-erf.sh' 2>/dev/null | FileCheck %s
// RUN: ashlar-reduce %s --opt-reduction-pass='opt-pass=canonicalize test=%S/has-erf.sh' 2>/dev/null | FileCheck %s --check-prefix=OPT
// RUN: not ashlar-reduce %s --no-such-option 2>&1 | FileCheck %s --check-prefix=USAGE
// USAGE: Unknown command line argument '--no-such-option'

// What the script does not miss goes: other functions, and with a pass what that pass removes.
// CHECK-NOT: func.func @other
// CHECK: func.func @fault
// CHECK: graph.erf
// CHECK-NOT: func.func @other
// OPT-NOT: graph.exp
// OPT: graph.erf
func.func @fault(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = graph.exp %x : tensor<4xf32>
  %1 = graph.erf %x : tensor<4xf32>
  return %1 : tensor<4xf32>
}
func.func @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = graph.neg %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
