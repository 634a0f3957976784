// RUN: ashlar-opt %s --ashlar-verify-collectives --split-input-file --verify-diagnostics
// Every rank issues matching collectives in the same order, or an error names both places.

// One function for all ranks always matches itself; so do stages that talk in order.
dist.mesh @mesh [pp = 2, tp = 2] bandwidth [1.0, 1.0] latency [0.0, 0.0] flops 1.0
func.func @all(%x: tensor<8xf32>) {
  %0 = dist.all_reduce sum %x over @mesh [pp] : tensor<8xf32> to tensor<8xf32>
  %1 = dist.all_reduce sum %0 over @mesh [tp] : tensor<8xf32> to tensor<8xf32>
  return
}
func.func @stage0(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 0, 1>} {
  %0 = dist.all_reduce sum %x over @mesh [tp] : tensor<8xf32> to tensor<8xf32>
  dist.send %0 to 1 over @mesh [pp] : tensor<8xf32>
  return
}
func.func @stage1() attributes {dist.ranks = array<i64: 2, 3>} {
  %0 = dist.recv from 0 over @mesh [pp] : tensor<8xf32>
  %1 = dist.all_reduce max %0 over @mesh [tp] : tensor<8xf32> to tensor<8xf32>
  return
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @rank0(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 0>} {
  // expected-note @+1 {{rank 0 issues 'dist.all_reduce' here}}
  %0 = dist.all_reduce sum %x over @mesh [tp] : tensor<8xf32> to tensor<8xf32>
  return
}
func.func @rank1(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 1>} {
  // expected-error @+2 {{rank 1 issues 'dist.all_reduce' here, where rank 0 of its group issues another collective}}
  // expected-note @+1 {{ranks of a group issue the same collectives in the same order}}
  %0 = dist.all_reduce max %x over @mesh [tp] : tensor<8xf32> to tensor<8xf32>
  return
}

// -----

// Two groups in different orders wait for each other.
dist.mesh @mesh [dp = 2, tp = 2] bandwidth [1.0, 1.0] latency [0.0, 0.0] flops 1.0
func.func @first(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 0, 3>} {
  // expected-error @+1 {{rank 0 waits for rank 2 to issue this 'dist.all_reduce'}}
  %0 = dist.all_reduce sum %x over @mesh [dp] : tensor<8xf32> to tensor<8xf32>
  %1 = dist.all_reduce sum %x over @mesh [tp] : tensor<8xf32> to tensor<8xf32>
  return
}
func.func @second(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 1, 2>} {
  // expected-note @+1 {{rank 2 waits here meanwhile}}
  %0 = dist.all_reduce sum %x over @mesh [tp] : tensor<8xf32> to tensor<8xf32>
  %1 = dist.all_reduce sum %x over @mesh [dp] : tensor<8xf32> to tensor<8xf32>
  return
}

// -----

// Started, the same orders meet: nobody waits before both are issued.
dist.mesh @mesh [dp = 2, tp = 2] bandwidth [1.0, 1.0] latency [0.0, 0.0] flops 1.0
func.func @first(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 0, 3>} {
  %0 = dist.all_reduce sum %x over @mesh [dp] : tensor<8xf32> to !dist.pending<tensor<8xf32>>
  %1 = dist.all_reduce sum %x over @mesh [tp] : tensor<8xf32> to !dist.pending<tensor<8xf32>>
  %2 = dist.wait %0 : !dist.pending<tensor<8xf32>> to tensor<8xf32>
  %3 = dist.wait %1 : !dist.pending<tensor<8xf32>> to tensor<8xf32>
  return
}
func.func @second(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 1, 2>} {
  %0 = dist.all_reduce sum %x over @mesh [tp] : tensor<8xf32> to !dist.pending<tensor<8xf32>>
  %1 = dist.all_reduce sum %x over @mesh [dp] : tensor<8xf32> to !dist.pending<tensor<8xf32>>
  %2 = dist.wait %0 : !dist.pending<tensor<8xf32>> to tensor<8xf32>
  %3 = dist.wait %1 : !dist.pending<tensor<8xf32>> to tensor<8xf32>
  return
}

// -----

dist.mesh @mesh [pp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @stage0(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 0>} {
  // expected-error @+1 {{rank 0 waits for rank 1 to issue this 'dist.send'}}
  dist.send %x to 1 over @mesh [pp] : tensor<8xf32>
  return
}
func.func @stage1() attributes {dist.ranks = array<i64: 1>} {
  return // expected-note {{rank 1 ends here without it}}
}

// -----

dist.mesh @mesh [tp = 2] bandwidth [1.0] latency [0.0] flops 1.0
// expected-error @+1 {{leaves rank 1 without a function}}
func.func @only(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 0>} {
  return
}

// -----

// Parts of one tensor agree in every dimension that is not joined.
dist.mesh @mesh [pp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @rank0(%x: tensor<8x3xf32>) attributes {dist.ranks = array<i64: 0>} {
  %0 = dist.all_gather %x over @mesh [pp] axis 1 : tensor<8x3xf32> to tensor<8x6xf32>
  // expected-error @+2 {{rank 0 issues 'dist.all_reduce' here, where rank 1 of its group issues it for another shape or element type}}
  // expected-note @+1 {{ranks of a group issue the same collectives in the same order}}
  %1 = dist.all_reduce sum %x over @mesh [pp] : tensor<8x3xf32> to tensor<8x3xf32>
  return
}
func.func @rank1(%x: tensor<8x5xf32>) attributes {dist.ranks = array<i64: 1>} {
  %0 = dist.all_gather %x over @mesh [pp] axis 1 : tensor<8x5xf32> to tensor<8x10xf32>
  // expected-note @+1 {{rank 1 issues 'dist.all_reduce' here}}
  %1 = dist.all_reduce sum %x over @mesh [pp] : tensor<8x5xf32> to tensor<8x5xf32>
  return
}

// -----

// A message has one shape at both ends.
dist.mesh @mesh [pp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @stage0(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 0>} {
  dist.send %x to 1 over @mesh [pp] : tensor<8xf32> // expected-note {{rank 0 issues 'dist.send' here}}
  return
}
func.func @stage1() attributes {dist.ranks = array<i64: 1>} {
  // expected-error @+2 {{rank 1 issues 'dist.recv' here}}
  // expected-note @+1 {{ranks of a group issue the same collectives in the same order}}
  %0 = dist.recv from 0 over @mesh [pp] : tensor<6xf32>
  return
}

// -----

// Nobody waits for this start, and one rank never issues it.
dist.mesh @mesh [pp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @rank0(%x: tensor<8xf32>) attributes {dist.ranks = array<i64: 0>} {
  // expected-error @+1 {{rank 0 issues 'dist.all_reduce' here, and rank 1 of its group never does}}
  %0 = dist.all_reduce sum %x over @mesh [pp] : tensor<8xf32> to !dist.pending<tensor<8xf32>>
  return
}
func.func @rank1() attributes {dist.ranks = array<i64: 1>} {
  return // expected-note {{rank 1 ends here without it}}
}

// -----

dist.mesh @mesh [dp = 2] bandwidth [1.0] latency [0.0] flops 1.0
func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{is started, and never waited for}}
  %0 = dist.all_reduce sum %x over @mesh [dp] : tensor<8xf32> to !dist.pending<tensor<8xf32>>
  return %x : tensor<8xf32>
}
