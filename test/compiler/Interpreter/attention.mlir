// RUN: ashlar-interpret %s --entry masks --input 'q=dense<[[[[1.0]], [[1.0]], [[1.0]]]]> : tensor<1x3x1x1xf64>' --input 'k=dense<[[[[0.0]], [[0.0]], [[0.0]]]]> : tensor<1x3x1x1xf64>' --input 'v=dense<[[[[1.0]], [[2.0]], [[6.0]]]]> : tensor<1x3x1x1xf64>' | FileCheck %s --check-prefix=MASKS
// RUN: ashlar-interpret %s --entry groups --input 'q=dense<[[[[1.0], [2.0], [3.0], [4.0]]]]> : tensor<1x1x4x1xf64>' --input 'k=dense<[[[[1.0], [0.0]], [[0.0], [1.0]]]]> : tensor<1x2x2x1xf64>' | FileCheck %s --check-prefix=GROUPS
// Equal scores make attention the mean of the visible values, so each mask can be read off.

!t = tensor<1x3x1x1xf64>
!row = tensor<1xi64>
// All; causal; window 2; the mask hides key 0; two keys are filled; offset 1 sees one more; nothing visible is zero.
// MASKS: result0: 1x3x1x1xf64 = 3 3 3
// MASKS: result1: 1x3x1x1xf64 = 1 1.5 3
// MASKS: result2: 1x3x1x1xf64 = 1 1.5 4
// MASKS: result3: 1x3x1x1xf64 = 0 2 4
// MASKS: result4: 1x3x1x1xf64 = 1.5 1.5 1.5
// MASKS: result5: 1x3x1x1xf64 = 1.5 3 3
// The log of the number of keys seen.
// MASKS: result6: 1x3x1xf32 = -inf 0 0.693147
// Two parts of two keys, and what they make together; nothing visible stays zero and minus infinity.
// MASKS: result7: 1x3x1x2x1xf64 = 0 0 2 0 2 6
// MASKS: result8: 1x3x1x2xf32 = -inf -inf 0 -inf 0 0
// MASKS: result9: 1x3x1x1xf64 = 0 2 4
// MASKS: result10: 1x3x1xf32 = -inf 0 0.693147
func.func @masks(%q: !t {graph.name = "q"}, %k: !t {graph.name = "k"}, %v: !t {graph.name = "v"})
    -> (!t, !t, !t, !t, !t, !t, tensor<1x3x1xf32>, tensor<1x3x1x2x1xf64>, tensor<1x3x1x2xf32>, !t,
        tensor<1x3x1xf32>) {
  %mask = graph.constant dense<[[0, 1, 1]]> : tensor<1x3xi64>
  %one = graph.constant dense<1> : !row
  %two = graph.constant dense<2> : !row
  %0, %l0 = graph.attention %q, %k, %v scale 1.0 : !t, !t, !t
  %1, %l1 = graph.attention %q, %k, %v scale 1.0 causal : !t, !t, !t
  %2, %l2 = graph.attention %q, %k, %v scale 1.0 causal window 2 : !t, !t, !t
  %3, %l3 = graph.attention %q, %k, %v mask %mask scale 1.0 causal : !t, !t, !t mask tensor<1x3xi64>
  %4, %l4 = graph.attention %q, %k, %v lengths %two scale 1.0 : !t, !t, !t lengths !row
  %5, %l5 = graph.attention %q, %k, %v offsets %one scale 1.0 causal : !t, !t, !t offsets !row
  %7, %l7 = graph.attention %q, %k, %v mask %mask scale 1.0 causal parts 2 of 2 : !t, !t, !t mask tensor<1x3xi64>
  %8, %l8 = graph.merge_attention %7, %l7 : tensor<1x3x1x2x1xf64>, tensor<1x3x1x2xf32>
  return %0, %1, %2, %3, %4, %5, %l3, %7, %l7, %8, %l8
      : !t, !t, !t, !t, !t, !t, tensor<1x3x1xf32>, tensor<1x3x1x2x1xf64>, tensor<1x3x1x2xf32>, !t, tensor<1x3x1xf32>
}

// Four query heads over two key-value heads: 0 and 1 read the first, 2 and 3 the second.
// e^(q/2) / (1 + e^(q/2)): keys 1 and 0 weigh sigmoid(q / 2).
// GROUPS: result0: 1x1x4x1xf64 = 0.622459 0.731059 0.817574 0.880797
func.func @groups(%q: tensor<1x1x4x1xf64> {graph.name = "q"}, %k: tensor<1x2x2x1xf64> {graph.name = "k"})
    -> tensor<1x1x4x1xf64> {
  %0, %l = graph.attention %q, %k, %k scale 0.5 : tensor<1x1x4x1xf64>, tensor<1x2x2x1xf64>, tensor<1x2x2x1xf64>
  return %0 : tensor<1x1x4x1xf64>
}
