// RUN: ashlar-opt %s --ashlar-plan-sharding=memory=100000 --split-input-file --verify-diagnostics | FileCheck %s

// Weights that do not fit whole: columns, then rows, and one reduction of the small result.
// expected-remark-re @below {{planned: {{[0-9.]+}} us, no plan takes less than {{[0-9.]+}} us; 65536 bytes of states per rank}}
module {
  dist.mesh @mesh [tp = 4] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e9
  // CHECK: @up {dist.sharding = #dist.sharding<@mesh, [{}, {tp}]>}
  graph.state parameter model @up : tensor<64x512xf32>
  // CHECK: @down {dist.sharding = #dist.sharding<@mesh, [{tp}, {}]>}
  graph.state parameter model @down : tensor<512x64xf32>
  // CHECK: @mlp
  func.func @mlp(%x: tensor<8x64xf32> {dist.sharding = #dist.sharding<@mesh, [{}, {}]>})
      -> (tensor<8x64xf32> {dist.sharding = #dist.sharding<@mesh, [{}, {}]>}) {
    %up = graph.read @up : tensor<64x512xf32>
    %down = graph.read @down : tensor<512x64xf32>
    %0 = graph.matmul %x, %up : tensor<8x64xf32>, tensor<64x512xf32>
    %1 = graph.gelu %0 exact : tensor<8x512xf32>
    %2 = graph.matmul %1, %down : tensor<8x512xf32>, tensor<512x64xf32>
    return %2 : tensor<8x64xf32>
  }
}

// -----

// A fast rank on a slow link computes all by itself.
// expected-remark @below {{planned:}}
module {
  dist.mesh @mesh [tp = 4] bandwidth [1.0e6] latency [1.0e-3] flops 1.0e15
  func.func @alone(%x: tensor<8x64xf32> {dist.sharding = #dist.sharding<@mesh, [{}, {}]>})
      -> (tensor<8x64xf32> {dist.sharding = #dist.sharding<@mesh, [{}, {}]>}) {
    // CHECK: graph.gelu {{.*}} [#dist.sharding<@mesh, [{}, {}]>]
    %0 = graph.gelu %x exact : tensor<8x64xf32>
    return %0 : tensor<8x64xf32>
  }
}

// -----

// expected-error @below {{no plan fits into 100000 bytes per rank}}
// expected-note @below {{the states alone take 1048576 bytes, 524288 on each of 2 ranks at best; more ranks, fewer pins or smaller bounds of dimensions help}}
module {
  dist.mesh @mesh [tp = 2] bandwidth [1.0e9] latency [1.0e-6] flops 1.0e9
  graph.state parameter model @w : tensor<512x512xf32>
}
