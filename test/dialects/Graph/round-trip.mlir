// RUN: ashlar-opt %s --verify-roundtrip | FileCheck %s
// Every op, printed as it is written.

!x = tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>>
!ids = tensor<?x?xi64, #graph.dims<[batch, seq]>>
!row = tensor<?xi64, #graph.dims<[batch]>>

// CHECK: graph.dim @batch from 1 to 8
graph.dim @batch from 1 to 8
graph.dim @seq from 1 to 512
graph.dim @past from 0 to 512
// CHECK: graph.dim @total from 1 to 512 sum [@past, @seq]
graph.dim @total from 1 to 512 sum [@past, @seq]

// CHECK: graph.state parameter model @dense.weight tensor "model.dense.weight" init normal stddev 2.000000e-02 : tensor<768x768xf32>
graph.state parameter model @dense.weight tensor "model.dense.weight" init normal stddev 0.02 : tensor<768x768xf32>
// CHECK: graph.state parameter model @key.weight tensor "qkv.weight" at [0, 768] of [768, 2304] : tensor<768x768xf32>
graph.state parameter model @key.weight tensor "qkv.weight" at [0, 768] of [768, 2304] : tensor<768x768xf32>
// CHECK: graph.state cache session @keys : !graph.cache<8x512x4x64xf32>
graph.state cache session @keys : !graph.cache<8x512x4x64xf32>
graph.state counter session @lengths : tensor<8xi64>

// CHECK-LABEL: func.func @forward
// CHECK-SAME: graph.default = "iota", graph.name = "position_ids"
func.func @forward(%x: !x {graph.name = "x"}, %ids: !ids {graph.name = "input_ids", graph.range = array<i64: 0, 100>},
                   %positions: !ids {graph.name = "position_ids", graph.default = "iota"},
                   %mask: !ids {graph.name = "attention_mask", graph.default = 1 : i64},
                   %lengths: !row {graph.name = "lengths", graph.default = @seq})
    -> (!x {graph.name = "y"}) attributes {graph.entry} {
  // CHECK: graph.read @dense.weight : tensor<768x768xf32>
  %w = graph.read @dense.weight : tensor<768x768xf32>
  // CHECK: graph.matmul %{{.*}}, %{{.*}} transpose_b : tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>>, tensor<768x768xf32>
  %0 = graph.matmul %x, %w transpose_b : !x, tensor<768x768xf32>
  // CHECK: graph.constant dense<1.000000e+00> : tensor<768xf32>
  %scale = graph.constant dense<1.0> : tensor<768xf32>
  // CHECK: graph.add {{.*}} : tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>>, tensor<768xf32>
  %1 = graph.add %0, %scale : !x, tensor<768xf32>
  // CHECK: graph.gelu %{{.*}} tanh :
  %2 = graph.gelu %1 tanh : !x
  // CHECK: graph.layer_norm %{{.*}}, %{{.*}}, %{{.*}} epsilon 1.000000e-05 :
  %3 = graph.layer_norm %2, %scale, %scale epsilon 1.0e-5 : !x, tensor<768xf32>, tensor<768xf32>
  // CHECK: graph.rms_norm %{{.*}}, %{{.*}} epsilon 5.000000e-01 :
  %4 = graph.rms_norm %3, %scale epsilon 0.5 : !x, tensor<768xf32>
  %h = graph.reshape %4 : !x to tensor<?x?x12x64xf32, #graph.dims<[batch, seq, _, _]>>
  %f = graph.constant dense<0.5> : tensor<32xf32>
  // CHECK: graph.rope_table %{{.*}}, %{{.*}} scale 1.000000e+00 :
  %c, %s = graph.rope_table %positions, %f scale 1.0 : !ids, tensor<32xf32>
  // CHECK: graph.rope %{{.*}}, %{{.*}}, %{{.*}} interleaved :
  %q = graph.rope %h, %c, %s interleaved : tensor<?x?x12x64xf32, #graph.dims<[batch, seq, _, _]>>, tensor<?x?x32xf32, #graph.dims<[batch, seq, _]>>, tensor<?x?x32xf32, #graph.dims<[batch, seq, _]>>
  // CHECK: graph.attention %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} scale 1.250000e-01 causal window 128 :
  %a, %lse = graph.attention %q, %q, %h mask %mask scale 0.125 causal window 128 : tensor<?x?x12x64xf32, #graph.dims<[batch, seq, _, _]>>, tensor<?x?x12x64xf32, #graph.dims<[batch, seq, _, _]>>, tensor<?x?x12x64xf32, #graph.dims<[batch, seq, _, _]>> mask !ids
  // CHECK: graph.attention %{{.*}}, %{{.*}}, %{{.*}} scale 1.250000e-01 causal parts 4 of 128 :
  %ap, %lp = graph.attention %q, %q, %h scale 0.125 causal parts 4 of 128 : tensor<?x?x12x64xf32, #graph.dims<[batch, seq, _, _]>>, tensor<?x?x12x64xf32, #graph.dims<[batch, seq, _, _]>>, tensor<?x?x12x64xf32, #graph.dims<[batch, seq, _, _]>>
  // CHECK: graph.merge_attention %{{.*}}, %{{.*}} : tensor<?x?x12x4x64xf32, {{.*}}, tensor<?x?x12x4xf32
  %am, %lm = graph.merge_attention %ap, %lp : tensor<?x?x12x4x64xf32, #graph.dims<[batch, seq, _, _, _]>>, tensor<?x?x12x4xf32, #graph.dims<[batch, seq, _, _]>>
  %y = graph.reshape %a : tensor<?x?x12x64xf32, #graph.dims<[batch, seq, _, _]>> to !x
  // CHECK: graph.slice %{{.*}} axis 2 from 64 size 128 :
  %sl = graph.slice %y axis 2 from 64 size 128 : !x
  // CHECK: graph.gather %{{.*}}, %{{.*}} :
  %g = graph.gather %y, %lengths : !x, !row
  // CHECK: graph.reduce mean %{{.*}} axis 1 keep_dims :
  %r = graph.reduce mean %y axis 1 keep_dims : !x
  // CHECK: graph.fused "double" (%[[A:.*]] = %{{.*}} : tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>>) -> tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>> {
  // CHECK-NEXT: graph.add %[[A]], %[[A]]
  // CHECK-NEXT: graph.yield
  %z = graph.fused "double" (%in = %y : !x) -> !x {
    %d = graph.add %in, %in : !x, !x
    graph.yield %d : !x
  }
  return %z : !x
}

// CHECK-LABEL: func.func @decode
func.func @decode(%new: tensor<?x1x4x64xf32, #graph.dims<[batch, _, _, _]>> {graph.name = "new"})
    -> (tensor<?x1x8x64xf32, #graph.dims<[batch, _, _, _]>> {graph.name = "out"}) attributes {graph.entry} {
  %cache = graph.read @keys : !graph.cache<8x512x4x64xf32>
  %counts = graph.constant dense<3> : tensor<1xi64>
  %lengths = graph.broadcast %counts : tensor<1xi64> to !row
  // CHECK: graph.cache_append %{{.*}}, %{{.*}}, %{{.*}} : <8x512x4x64xf32>,
  %next = graph.cache_append %cache, %new, %lengths : !graph.cache<8x512x4x64xf32>, tensor<?x1x4x64xf32, #graph.dims<[batch, _, _, _]>>, !row
  %q = graph.concat %new, %new axis 2 : tensor<?x1x4x64xf32, #graph.dims<[batch, _, _, _]>>, tensor<?x1x4x64xf32, #graph.dims<[batch, _, _, _]>>
  // CHECK: graph.attention %{{.*}}, %{{.*}}, %{{.*}} offsets %{{.*}} lengths %{{.*}} scale
  %o, %lse = graph.attention %q, %next, %next offsets %lengths lengths %lengths scale 0.125 causal : tensor<?x1x8x64xf32, #graph.dims<[batch, _, _, _]>>, !graph.cache<8x512x4x64xf32>, !graph.cache<8x512x4x64xf32> offsets !row lengths !row
  // CHECK: graph.write %{{.*}}, @keys : !graph.cache<8x512x4x64xf32>
  graph.write %next, @keys : !graph.cache<8x512x4x64xf32>
  return %o : tensor<?x1x8x64xf32, #graph.dims<[batch, _, _, _]>>
}

// CHECK-LABEL: func.func @elementwise
func.func @elementwise(%x: tensor<4x8xf32>, %ids: tensor<4xi64>, %table: tensor<16x8xbf16>) {
  // CHECK-COUNT-10: graph.{{neg|abs|exp|log|sqrt|rsqrt|tanh|erf|sigmoid|silu}} %{{.*}} : tensor<4x8xf32>
  %0 = graph.neg %x : tensor<4x8xf32>
  %1 = graph.abs %0 : tensor<4x8xf32>
  %2 = graph.exp %1 : tensor<4x8xf32>
  %3 = graph.log %2 : tensor<4x8xf32>
  %4 = graph.sqrt %3 : tensor<4x8xf32>
  %5 = graph.rsqrt %4 : tensor<4x8xf32>
  %6 = graph.tanh %5 : tensor<4x8xf32>
  %7 = graph.erf %6 : tensor<4x8xf32>
  %8 = graph.sigmoid %7 : tensor<4x8xf32>
  %9 = graph.silu %8 : tensor<4x8xf32>
  %10 = graph.relu %9 : tensor<4x8xf32>
  // CHECK: graph.cast %{{.*}} : tensor<4x8xf32> to tensor<4x8xbf16>
  %11 = graph.cast %10 : tensor<4x8xf32> to tensor<4x8xbf16>
  %12 = graph.sub %10, %x : tensor<4x8xf32>, tensor<4x8xf32>
  %13 = graph.div %12, %x : tensor<4x8xf32>, tensor<4x8xf32>
  %14 = graph.max %13, %x : tensor<4x8xf32>, tensor<4x8xf32>
  %15 = graph.min %14, %x : tensor<4x8xf32>, tensor<4x8xf32>
  %16 = graph.pow %15, %x : tensor<4x8xf32>, tensor<4x8xf32>
  // CHECK: graph.compare lt %{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<4x8xf32>
  %17 = graph.compare lt %16, %x : tensor<4x8xf32>, tensor<4x8xf32>
  // CHECK: graph.select %{{.*}} : tensor<4x8xi1>, tensor<4x8xf32>, tensor<4x8xf32>
  %18 = graph.select %17, %x, %16 : tensor<4x8xi1>, tensor<4x8xf32>, tensor<4x8xf32>
  // CHECK: graph.transpose %{{.*}} [1, 0] : tensor<4x8xf32>
  %19 = graph.transpose %18 [1, 0] : tensor<4x8xf32>
  // CHECK: graph.softmax %{{.*}} : tensor<8x4xf32>
  %20 = graph.softmax %19 : tensor<8x4xf32>
  // CHECK: graph.embedding %{{.*}}, %{{.*}} as f32 : tensor<16x8xbf16>, tensor<4xi64>
  %21 = graph.embedding %table, %ids as f32 : tensor<16x8xbf16>, tensor<4xi64>
  // CHECK: graph.iota axis 0 : tensor<4xi64>
  %22 = graph.iota axis 0 : tensor<4xi64>
  // CHECK: graph.cumsum %{{.*}} axis 0 : tensor<4xi64>
  %23 = graph.cumsum %22 axis 0 : tensor<4xi64>
  return
}

// The first rows of a state.
// CHECK-LABEL: func.func @advance
func.func @advance(%by: !row {graph.name = "by"}) attributes {graph.entry} {
  // CHECK: graph.read @lengths : tensor<?xi64, #graph.dims<[batch]>>
  %lengths = graph.read @lengths : !row
  %next = graph.add %lengths, %by : !row, !row
  // CHECK: graph.write %{{.*}}, @lengths : tensor<?xi64, #graph.dims<[batch]>>
  graph.write %next, @lengths : !row
  return
}
