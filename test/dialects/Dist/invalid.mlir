// RUN: ashlar-opt %s --split-input-file --verify-diagnostics
// What has no meaning is an error that says what would have one.

// expected-error @+1 {{axis "tp" of size 0: sizes and bandwidths are positive, latencies not negative}}
dist.mesh @mesh [tp = 0] bandwidth [1.0] latency [0.0] flops 1.0

// -----

// expected-error @+1 {{has two axes named "tp"}}
dist.mesh @mesh [tp = 2, tp = 2] bandwidth [1.0, 1.0] latency [0.0, 0.0] flops 1.0

// -----

// expected-error @+1 {{has 2 axes, 1 bandwidths and 2 latencies; one of each per axis, and at least one axis}}
dist.mesh @mesh [dp = 2, tp = 2] bandwidth [1.0] latency [0.0, 0.0] flops 1.0

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0 // expected-note {{the other one}}
// expected-error @+1 {{is a second mesh; a module has one}}
dist.mesh @other [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
// expected-error @+1 {{argument #0 has the sharding #dist.sharding<@mesh, [{ep}]>: axis 'ep' is not in the mesh [tp = 2]}}
func.func @f(%x: tensor<8xf32> {dist.sharding = #dist.sharding<@mesh, [{ep}]>}) {
  return
}

// -----

dist.mesh @mesh [tp = 4] bandwidth [1.0] latency [0.0] flops 1.0
// expected-error @+1 {{axis 'tp:(1)2' is used twice}}
func.func @f(%x: tensor<8x8xf32> {dist.sharding = #dist.sharding<@mesh, [{tp}, {tp:(1)2}]>}) {
  return
}

// -----

dist.mesh @mesh [tp = 4] bandwidth [1.0] latency [0.0] flops 1.0
// expected-error @+1 {{'tp:(1)2, tp:(2)2' is 'tp'; write it so}}
func.func @f(%x: tensor<8xf32> {dist.sharding = #dist.sharding<@mesh, [{tp:(1)2, tp:(2)2}]>}) {
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{a result of 1 dimensions has a sharding of 2}}
  %0 = graph.neg %x {dist.shardings = [#dist.sharding<@mesh, [{tp}, {}]>]} : tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{names @mesh, which is no dist.mesh of this module}}
  %0 = dist.all_reduce sum %x over @mesh [tp] : tensor<8xf32> to tensor<8xf32>
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{takes 'tensor<8xf32>' and gives 'tensor<12xf32>' with 2 parts: a part of a dimension is a number that divides it, or a name}}
  %0 = dist.all_gather %x over @mesh [tp] axis 0 : tensor<8xf32> to tensor<12xf32>
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @f(%x: tensor<8x4xf32>) {
  // expected-error @+1 {{a dimension that is neither cut nor joined changes}}
  %0 = dist.reduce_scatter sum %x over @mesh [tp] axis 0 : tensor<8x4xf32> to tensor<4x2xf32>
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @f(%x: tensor<8x4xf32>) {
  // expected-error @+1 {{cuts and joins one dimension, 0}}
  %0 = dist.all_to_all %x over @mesh [tp] split 0 join 0 : tensor<8x4xf32> to tensor<8x4xf32>
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{sends from 1 to 0 of 2 ranks; nobody sends or gets twice}}
  %0 = dist.permute %x over @mesh [tp] pairs [0, 0, 1, 0] : tensor<8xf32> to tensor<8xf32>
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @f(%x: tensor<8xf32>) {
  // expected-error @+1 {{takes the tensor of 2 of a group of 2}}
  %0 = dist.broadcast %x over @mesh [tp] root 2 : tensor<8xf32> to tensor<8xf32>
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @f(%x: !dist.pending<tensor<8xf32>>) {
  // expected-error @+1 {{waits for '!dist.pending<tensor<8xf32>>', which gives no 'tensor<4xf32>'}}
  %0 = dist.wait %x : !dist.pending<tensor<8xf32>> to tensor<4xf32>
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @f() {
  // expected-error @+1 {{is of @rows, which is neither a number nor a graph.dim of this module}}
  %0 = dist.shard_origin @rows over @mesh [tp] : tensor<i64>
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
// expected-error @+1 {{runs on rank 2, outside the mesh of 2}}
func.func @f() attributes {dist.ranks = array<i64: 0, 2>} {
  return
}

// -----

// expected-error @+1 {{attribute 'dist.colour' is unknown to the dist dialect}}
func.func @f() attributes {dist.colour = 1 : i64} {
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @f(%x: !dist.pending<tensor<8xf32>>) {
  // expected-error @+1 {{waits for what no collective of this function has started}}
  %0 = dist.wait %x : !dist.pending<tensor<8xf32>> to tensor<8xf32>
  return
}

// -----

// expected-error @+1 {{has more ranks than 64 bits count}}
dist.mesh @mesh [a = 4294967296, b = 4294967296] bandwidth [1.0, 1.0] latency [0.0, 0.0] flops 1.0

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
// expected-error @+1 {{'dist.pinned' is a priority, a number, found "first"}}
graph.state parameter model @w {dist.pinned = "first", dist.sharding = #dist.sharding<@mesh, [{tp}]>} : tensor<8xf32>

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
// expected-error @+1 {{is 'tensor<30xf32>', but of 'tensor<61xf32>' a rank keeps 'tensor<31xf32>'}}
graph.state parameter model @w {dist.global_type = tensor<61xf32>, dist.sharding = #dist.sharding<@mesh, [{tp}]>} : tensor<30xf32>

// -----

dist.mesh @mesh [dp = 2, tp = 2] bandwidth [1.0, 1.0] latency [0.0, 0.0] flops 1.0
graph.dim @batch from 1 to 8
graph.dim @"seq" from 1 to 8
graph.dim @"seq/tp" from 0 to 4 {dist.local = #dist.local_dim<@mesh, @seq, <[tp]>>}
func.func @f(%x: tensor<?xf32, #graph.dims<["seq/tp"]>>) {
  %0 = dist.all_gather %x over @mesh [tp] axis 0 : tensor<?xf32, #graph.dims<["seq/tp"]>> to tensor<?xf32, #graph.dims<[seq]>>
  // expected-error @+1 {{the part's name is not declared as a part of the other dimension by these axes}}
  %1 = dist.all_gather %x over @mesh [dp] axis 0 : tensor<?xf32, #graph.dims<["seq/tp"]>> to tensor<?xf32, #graph.dims<[batch]>>
  return
}

// -----

// expected-error @+1 {{'dist.microbatches' is an I64 from 1 to 65536, of a mesh or beside 'dist.batch'}}
dist.mesh @mesh [pp = 2] bandwidth [1.0] latency [0.0] flops 1.0 {dist.microbatches = 0 : i64}

// -----

// expected-error @+1 {{'dist.microbatches' is an I64 from 1 to 65536, of a mesh or beside 'dist.batch'}}
func.func private @f() attributes {dist.microbatches = 2 : i64}

// -----

// expected-error @+1 {{'dist.batch' is no graph.dim of this module}}
func.func private @f() attributes {dist.batch = @batch}

// -----

// expected-error @+1 {{reads its memory at 0.000000e+00 bytes per second; expected more than 0, or nothing}}
dist.mesh @mesh [pp = 2] bandwidth [1.0] latency [0.0] flops 1.0 memory 0.0

// -----

// expected-error @+1 {{'dist.chunks' is an I64 from 1 to 8, of a mesh}}
dist.mesh @mesh [pp = 2] bandwidth [1.0] latency [0.0] flops 1.0 {dist.chunks = 9 : i64}

// -----

dist.mesh @mesh [dp = 2] bandwidth [1.0] latency [0.0] flops 1.0
graph.dim @batch from 1 to 8
// expected-error @+1 {{is cut wrongly: axis 'zz' is not in the mesh [dp = 2]}}
graph.dim @local from 1 to 4 {dist.local = #dist.local_dim<@mesh, @batch, <[zz]>>}
