// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The layers of transformers. Ops whose result depends on where a token stands take positions, offsets or lengths as
// operands: under sequence parallelism, packing and caches the row number is not the position.

#ifndef ASHLAR_DIALECTS_GRAPH_GRAPHNNOPS_TD
#define ASHLAR_DIALECTS_GRAPH_GRAPHNNOPS_TD

include "dialects/Graph/GraphBase.td"
include "dialects/Graph/GraphInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Graph_NnOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat([Pure, InferTypeOpAdaptor,
                                      DeclareOpInterfaceMethods<CostOpInterface>,
                                      DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["getShardingRule"]>],
                                     traits)>;

def Graph_MatmulOp : Graph_NnOp<"matmul"> {
  let summary = "c = a b, or a b^T";
  let description = [{
    a is [..., m, k]; b is [k, n] (a weight) or [..., k, n] with the same leading dimensions; with `transpose_b` its last
    two dimensions are [n, k]. The result is [..., m, n] in a's element type, accumulated in f32 (f64 for f64).
  }];
  let arguments = (ins Graph_FloatTensor:$a, Graph_FloatTensor:$b, UnitAttr:$transpose_b);
  let results = (outs Graph_FloatTensor:$c);
  let assemblyFormat = "$a `,` $b (`transpose_b` $transpose_b^)? attr-dict `:` type($a) `,` type($b)";
  let extraClassDeclaration = [{
    ::ashlar::graph::Polynomial getProductFlops();
  }];
}

def Graph_EmbeddingOp : Graph_Op<"embedding", [Pure, InferTypeOpAdaptor,
    DeclareOpInterfaceMethods<CostOpInterface, ["getBytesRead"]>,
    DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["getShardingRule"]>,
    DeclareOpInterfaceMethods<PartitionOpInterface>]> {
  let summary = "rows of a table";
  let description = [{
    `y[..., :] = table[ids[...], :]`, table [rows, width]. An id outside [0, rows) gives a row of zeros. `element_type`
    widens the row (bf16 tables under f32 activations).
  }];
  let arguments = (ins Graph_FloatTensor:$table, Graph_IntTensor:$ids, OptionalAttr<TypeAttr>:$element_type);
  let results = (outs Graph_FloatTensor:$y);
  let assemblyFormat = "$table `,` $ids (`as` $element_type^)? attr-dict `:` type($table) `,` type($ids)";
}

def Graph_SoftmaxOp : Graph_NnOp<"softmax", [DeclareOpInterfaceMethods<PartitionOpInterface>]> {
  let summary = "e^(x - max x) / sum e^(x - max x), along the last dimension";
  let arguments = (ins Graph_FloatTensor:$x);
  let results = (outs Graph_FloatTensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let extraClassDeclaration = [{
    ::ashlar::graph::Polynomial getTranscendentals();
  }];
}

def Graph_LayerNormOp : Graph_NnOp<"layer_norm", [DeclareOpInterfaceMethods<PartitionOpInterface>]> {
  let summary = "(x - mean x) / sqrt(var x + epsilon) scale + bias, along the last dimension";
  let description = "The variance is the biased one (Ba, Kiros and Hinton, 2016). scale and bias are [width].";
  let arguments = (ins Graph_FloatTensor:$x, Graph_FloatTensor:$scale, Optional<Graph_FloatTensor>:$bias,
                       F64Attr:$epsilon);
  let results = (outs Graph_FloatTensor:$y);
  let assemblyFormat = [{
    $x `,` $scale (`,` $bias^)? `epsilon` $epsilon attr-dict `:` type($x) `,` type($scale) (`,` type($bias)^)?
  }];
}

def Graph_RmsNormOp : Graph_NnOp<"rms_norm", [DeclareOpInterfaceMethods<PartitionOpInterface>]> {
  let summary = "x / sqrt(mean x^2 + epsilon) scale, along the last dimension";
  let description = "Zhang and Sennrich, 2019. scale is [width].";
  let arguments = (ins Graph_FloatTensor:$x, Graph_FloatTensor:$scale, F64Attr:$epsilon);
  let results = (outs Graph_FloatTensor:$y);
  let assemblyFormat = "$x `,` $scale `epsilon` $epsilon attr-dict `:` type($x) `,` type($scale)";
}

def Graph_RopeTableOp : Graph_NnOp<"rope_table"> {
  let summary = "cosines and sines of rotary position embeddings";
  let description = [{
    `cos[b, s, i] = scale cos(positions[b, s] frequencies[i])`, and sin likewise (Su et al., 2021). positions is
    [batch, seq] of integers, frequencies [pairs] of f32; the product is rounded to f32 before the cosine is taken, as
    the common frameworks do. Scaling variants (linear, dynamic, yarn, llama3) are other frequencies and another scale.
  }];
  let arguments = (ins Graph_IntTensor:$positions, Graph_FloatTensor:$frequencies, DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs Graph_FloatTensor:$cosines, Graph_FloatTensor:$sines);
  let assemblyFormat = "$positions `,` $frequencies `scale` $scale attr-dict `:` type($positions) `,` type($frequencies)";
  let extraClassDeclaration = [{
    ::ashlar::graph::Polynomial getTranscendentals();
  }];
}

def Graph_RopeOp : Graph_NnOp<"rope"> {
  let summary = "rotates pairs of a head's elements by their position's angles";
  let description = [{
    x is [batch, seq, heads, width], cosines and sines [batch, seq, pairs], 2 pairs <= width. Pair i is (x[i], x[i + pairs]),
    or with `interleaved` (x[2i], x[2i + 1]); it becomes (x0 cos - x1 sin, x1 cos + x0 sin). What lies behind the first
    2 pairs elements passes unchanged.
  }];
  let arguments = (ins Graph_FloatTensor:$x, Graph_FloatTensor:$cosines, Graph_FloatTensor:$sines, UnitAttr:$interleaved);
  let results = (outs Graph_FloatTensor:$y);
  let assemblyFormat = [{
    $x `,` $cosines `,` $sines (`interleaved` $interleaved^)? attr-dict `:` type($x) `,` type($cosines) `,` type($sines)
  }];
}

def Graph_CacheAppendOp : Graph_Op<"cache_append",
    [Pure, InferTypeOpAdaptor, DeclareOpInterfaceMethods<CostOpInterface, ["getBytesRead"]>,
     DeclareOpInterfaceMethods<ShardingRuleOpInterface, ["getShardingRule"]>]> {
  let summary = "puts new keys or values behind those that a cache holds";
  let description = [{
    Row b of `values` [batch, seq, heads, width] goes to positions lengths[b] ... lengths[b] + seq - 1 of sequence b.
    Elements are rounded to the cache's type, to nearest even. The result is the cache after that; it takes the
    operand's memory (the operand has no other use after it). It is an error of the caller, which the runtime reports
    before the step, to go beyond the cache's positions.
  }];
  let arguments = (ins Graph_CacheType:$cache, Graph_FloatTensor:$values, Graph_IntTensor:$lengths);
  let results = (outs Graph_CacheType:$result);
  let assemblyFormat = "$cache `,` $values `,` $lengths attr-dict `:` type($cache) `,` type($values) `,` type($lengths)";
}

def Graph_AttentionOp : Graph_NnOp<"attention",
    [AttrSizedOperandSegments, DeclareOpInterfaceMethods<PartitionOpInterface>]> {
  let summary = "softmax(scale q k^T + mask) v, per head";
  let description = [{
    queries [batch, m, heads, width]; keys [batch, n, kv_heads, width] and values [batch, n, kv_heads, value_width], or
    caches of them; heads is a multiple of kv_heads, and head h reads key-value head h / (heads / kv_heads). The output is
    [batch, m, heads, value_width]; the log of the sum of exponentials is [batch, m, heads] in f32 (split keys, ring attention and the
    backward pass need it).

    Query i of sequence b stands at position p = query_offsets[b] + i (0 without the operand), key j at j. Key j takes part
    when all of these hold: j < key_lengths[b] (all of them without the operand); `causal`: j <= p; `window` w:
    p - j < w; key_mask[b, j] != 0. A query with no key left gives zeros and a logsumexp of minus infinity. The softmax is
    online (Milakov and Gimelshein, 2018; Dao et al., 2022): memory does not grow with n.

    `parts P of K` attends to keys [p K, (p + 1) K) apart for each p < P, which cover all of them: the results are
    [batch, m, heads, P, value_width] and [batch, m, heads, P], and merge_attention makes the whole of them. So a few
    queries with many keys keep a device busy (flash decoding: Dao et al., 2023).
  }];
  let arguments = (ins Graph_FloatTensor:$queries, Graph_FloatTensorOrCache:$keys, Graph_FloatTensorOrCache:$values,
                       Optional<Graph_IntTensor>:$query_offsets, Optional<Graph_IntTensor>:$key_lengths,
                       Optional<Graph_IntTensor>:$key_mask,
                       F64Attr:$scale, UnitAttr:$causal, OptionalAttr<I64Attr>:$window,
                       OptionalAttr<I64Attr>:$parts, OptionalAttr<I64Attr>:$part_keys);
  let results = (outs Graph_FloatTensor:$output, Graph_FloatTensor:$logsumexp);
  let assemblyFormat = [{
    $queries `,` $keys `,` $values (`offsets` $query_offsets^)? (`lengths` $key_lengths^)? (`mask` $key_mask^)?
    `scale` $scale (`causal` $causal^)? (`window` $window^)? (`parts` $parts^ `of` $part_keys)? attr-dict `:`
    type($queries) `,` type($keys) `,` type($values) (`offsets` type($query_offsets)^)?
    (`lengths` type($key_lengths)^)? (`mask` type($key_mask)^)?
  }];
  let extraClassDeclaration = [{
    ::ashlar::graph::Polynomial getProductFlops();
    ::ashlar::graph::Polynomial getTranscendentals();
  }];
}

def Graph_MergeAttentionOp : Graph_NnOp<"merge_attention"> {
  let summary = "attention to all keys, from attention to parts of them";
  let description = [{
    outputs [batch, m, heads, parts, width] and logsumexps [batch, m, heads, parts], as attention gives them for disjoint
    keys, become the output [batch, m, heads, width] and logsumexp [batch, m, heads] of attention to all of them:
    `l = log sum_p e^(l_p)` and `y = sum_p e^(l_p - l) y_p`, in the order of the parts. Of a part that saw no key (l_p is
    minus infinity) the output is not looked at; where none saw any, the results are zeros and minus infinity.
  }];
  let arguments = (ins Graph_FloatTensor:$outputs, Graph_FloatTensor:$logsumexps);
  let results = (outs Graph_FloatTensor:$output, Graph_FloatTensor:$logsumexp);
  let assemblyFormat = "$outputs `,` $logsumexps attr-dict `:` type($outputs) `,` type($logsumexps)";
  let extraClassDeclaration = [{
    ::ashlar::graph::Polynomial getTranscendentals();
  }];
}

#endif
