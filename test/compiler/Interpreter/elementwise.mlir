// RUN: ashlar-interpret %s --entry unary --input 'x=dense<[0.25, 1.0, 4.0]> : tensor<3xf64>' | FileCheck %s --check-prefix=UNARY
// RUN: ashlar-interpret %s --entry signed --input 'x=dense<[-1.5, 0.0, 2.0]> : tensor<3xf64>' | FileCheck %s --check-prefix=SIGNED
// RUN: ashlar-interpret %s --entry binary --input 'x=dense<[[6.0], [2.0]]> : tensor<2x1xf32>' --input 'y=dense<[3.0, -4.0]> : tensor<2xf32>' | FileCheck %s --check-prefix=BINARY
// RUN: ashlar-interpret %s --entry integers --input 'x=dense<[-7, 7]> : tensor<2xi64>' --input 'y=dense<[2, 3]> : tensor<2xi64>' | FileCheck %s --check-prefix=INTEGERS
// RUN: ashlar-interpret %s --entry casts --input 'x=dense<[-1.7, 0.0, 300.3]> : tensor<3xf32>' | FileCheck %s --check-prefix=CASTS
// Every elementwise op on values whose results are known.

// UNARY: exp: 3xf64 = 1.28403 2.71828 54.5982
// UNARY: log: 3xf64 = -1.38629 0 1.38629
// UNARY: sqrt: 3xf64 = 0.5 1 2
// UNARY: rsqrt: 3xf64 = 2 1 0.5
func.func @unary(%x: tensor<3xf64> {graph.name = "x"})
    -> (tensor<3xf64> {graph.name = "exp"}, tensor<3xf64> {graph.name = "log"}, tensor<3xf64> {graph.name = "sqrt"},
        tensor<3xf64> {graph.name = "rsqrt"}) attributes {graph.entry} {
  %0 = graph.exp %x : tensor<3xf64>
  %1 = graph.log %x : tensor<3xf64>
  %2 = graph.sqrt %x : tensor<3xf64>
  %3 = graph.rsqrt %x : tensor<3xf64>
  return %0, %1, %2, %3 : tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>
}

// SIGNED: result0: 3xf64 = 1.5 -0 -2
// SIGNED: result1: 3xf64 = 1.5 0 2
// SIGNED: result2: 3xf64 = -0.905148 0 0.964028
// SIGNED: result3: 3xf64 = -0.966105 0 0.995322
// SIGNED: result4: 3xf64 = 0.182426 0.5 0.880797
// SIGNED: result5: 3xf64 = -0.273638 0 1.76159
// SIGNED: result6: 3xf64 = 0 0 2
// SIGNED: result7: 3xf64 = -0.100211 0 1.9545
// SIGNED: result8: 3xf64 = -0.100428 0 1.9546
// SIGNED: result9: 3xf64 = -0.108338 0 1.93566
func.func @signed(%x: tensor<3xf64> {graph.name = "x"})
    -> (tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>,
        tensor<3xf64>, tensor<3xf64>, tensor<3xf64>) {
  %0 = graph.neg %x : tensor<3xf64>
  %1 = graph.abs %x : tensor<3xf64>
  %2 = graph.tanh %x : tensor<3xf64>
  %3 = graph.erf %x : tensor<3xf64>
  %4 = graph.sigmoid %x : tensor<3xf64>
  %5 = graph.silu %x : tensor<3xf64>
  %6 = graph.relu %x : tensor<3xf64>
  %7 = graph.gelu %x exact : tensor<3xf64>
  %8 = graph.gelu %x tanh : tensor<3xf64>
  %9 = graph.gelu %x sigmoid : tensor<3xf64>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9 : tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>, tensor<3xf64>
}

// BINARY: result0: 2x2xf32 = 9 2 5 -2
// BINARY: result1: 2x2xf32 = 3 10 -1 6
// BINARY: result2: 2x2xf32 = 18 -24 6 -8
// BINARY: result3: 2x2xf32 = 2 -1.5 0.666667 -0.5
// BINARY: result4: 2x2xf32 = 6 6 3 2
// BINARY: result5: 2x2xf32 = 3 -4 2 -4
// BINARY: result6: 2x2xf32 = 216 0.000771605 8 0.0625
// BINARY: result7: 2x2xi1 = 0 0 1 0
// BINARY: result8: 2x2xf32 = 3 -4 2 -4
!x = tensor<2x1xf32>
!y = tensor<2xf32>
!z = tensor<2x2xf32>
func.func @binary(%x: !x {graph.name = "x"}, %y: !y {graph.name = "y"})
    -> (!z, !z, !z, !z, !z, !z, !z, tensor<2x2xi1>, !z) {
  %0 = graph.add %x, %y : !x, !y
  %1 = graph.sub %x, %y : !x, !y
  %2 = graph.mul %x, %y : !x, !y
  %3 = graph.div %x, %y : !x, !y
  %4 = graph.max %x, %y : !x, !y
  %5 = graph.min %x, %y : !x, !y
  %6 = graph.pow %x, %y : !x, !y
  %7 = graph.compare lt %x, %y : !x, !y
  %8 = graph.select %7, %x, %y : tensor<2x2xi1>, !x, !y
  return %0, %1, %2, %3, %4, %5, %6, %7, %8 : !z, !z, !z, !z, !z, !z, !z, tensor<2x2xi1>, !z
}

// INTEGERS: result0: 2xi64 = -5 10
// INTEGERS: result1: 2xi64 = -3 2
// INTEGERS: result2: 2xi64 = -14 21
// INTEGERS: result3: 2xi1 = 1 1
// INTEGERS: result4: 2xi1 = 0 1
// INTEGERS: result5: 2xi1 = 0 0
// INTEGERS: result6: 2xi1 = 1 0
// INTEGERS: result7: 2xi1 = 0 1
func.func @integers(%x: tensor<2xi64> {graph.name = "x"}, %y: tensor<2xi64> {graph.name = "y"})
    -> (tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi1>, tensor<2xi1>, tensor<2xi1>, tensor<2xi1>,
        tensor<2xi1>) {
  %0 = graph.add %x, %y : tensor<2xi64>, tensor<2xi64>
  %1 = graph.div %x, %y : tensor<2xi64>, tensor<2xi64>
  %2 = graph.mul %x, %y : tensor<2xi64>, tensor<2xi64>
  %3 = graph.compare ne %x, %y : tensor<2xi64>, tensor<2xi64>
  %4 = graph.compare ge %x, %y : tensor<2xi64>, tensor<2xi64>
  %5 = graph.compare eq %x, %y : tensor<2xi64>, tensor<2xi64>
  %6 = graph.compare le %x, %y : tensor<2xi64>, tensor<2xi64>
  %7 = graph.compare gt %x, %y : tensor<2xi64>, tensor<2xi64>
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi1>, tensor<2xi1>, tensor<2xi1>, tensor<2xi1>, tensor<2xi1>
}

// A bf16 keeps eight bits, an i8 wraps.
// CASTS: result0: 3xbf16 = -1.70312 0 300
// CASTS: result1: 3xi64 = -1 0 300
// CASTS: result2: 3xi8 = -1 0 44
// CASTS: result3: 3xi1 = 1 0 1
// CASTS: result4: 3xf16 = -1.7002 0 300.25
func.func @casts(%x: tensor<3xf32> {graph.name = "x"}) -> (tensor<3xbf16>, tensor<3xi64>, tensor<3xi8>, tensor<3xi1>, tensor<3xf16>) {
  %0 = graph.cast %x : tensor<3xf32> to tensor<3xbf16>
  %1 = graph.cast %x : tensor<3xf32> to tensor<3xi64>
  %2 = graph.cast %1 : tensor<3xi64> to tensor<3xi8>
  %3 = graph.cast %x : tensor<3xf32> to tensor<3xi1>
  %4 = graph.cast %x : tensor<3xf32> to tensor<3xf16>
  return %0, %1, %2, %3, %4 : tensor<3xbf16>, tensor<3xi64>, tensor<3xi8>, tensor<3xi1>, tensor<3xf16>
}
