// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Import/Decoder.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar {

Value DecoderModel::attend(const Path &path, const DecoderStep &step, const AttentionShape &shape,
                           Value q, Value k, Value v) {
  Value attended;
  if (!step.lengths) {
    attended = b.attention(path, q, k, v, Value(), Value(), step.mask, shape.scale, /*causal=*/true,
                           shape.window);
  } else {
    Type type = CacheType::get(b.getContext(), {sequences, context, shape.kvHeads, shape.width},
                               cacheElement);
    auto append = [&](StringRef name, Value values) {
      std::string state = path.name + name.str();
      b.declareState(StateRole::Cache, state, type);
      Value cache = b.make<CacheAppendOp>(path, b.read(state, type), values, step.lengths);
      b.write(path, cache, state);
      return cache;
    };
    Value keys = append(".key_cache", k), values = append(".value_cache", v);
    attended = b.attention(path, q, keys, values, step.lengths, step.total, Value(), shape.scale,
                           /*causal=*/true, shape.window);
  }
  return b.mergeHeads(path, attended);
}

class DecoderEntries {
public:
  DecoderEntries(ModelBuilder &b, DecoderModel &model, const DecoderBounds &bounds)
      : b(b), model(model), bounds(bounds), batch(b.declareDim("batch", bounds.batch)),
        seq(b.declareDim("seq", bounds.seq)) {
    model.sequences = bounds.batch.maximum;
    model.context = bounds.context;
  }

  void buildForward(Head head);
  /// Decides what caches hold, once all parameters are declared.
  void chooseCacheElement();
  void buildPrefill();
  void buildDecode();

private:
  /// Sets positions, lengths and total, and writes the new lengths.
  void advance(DecoderStep &step, Dim tokens, Value by);

  ModelBuilder &b;
  DecoderModel &model;
  const DecoderBounds &bounds;
  Dim batch, seq;
  Path path = {"", "lengths"};
};

void DecoderEntries::buildForward(Head head) {
  b.beginEntry("forward");
  DecoderStep step;
  step.ids = b.input("input_ids", {batch, seq}, Attribute(), bounds.vocabulary);
  step.mask = b.input("attention_mask", {batch, seq}, b.intDefault(1), std::nullopt);
  step.positions = b.input("position_ids", {batch, seq}, b.iotaDefault(), bounds.positions);
  Value hidden = model.norm(model.layers(step));
  if (head == Head::Base)
    b.output("last_hidden_state", hidden);
  else
    b.output("logits", model.vocabulary(hidden));
  b.endEntry();
}

void DecoderEntries::chooseCacheElement() {
  Builder types(b.getContext());
  switch (bounds.cache) {
  case CacheElement::Auto:
    model.cacheElement =
        b.getWeights().hasBf16() ? Type(types.getBF16Type()) : Type(types.getF32Type());
    return;
  case CacheElement::F32:
    model.cacheElement = types.getF32Type();
    return;
  case CacheElement::BF16:
    model.cacheElement = types.getBF16Type();
    return;
  case CacheElement::F16:
    model.cacheElement = types.getF16Type();
    return;
  }
}

void DecoderEntries::advance(DecoderStep &step, Dim tokens, Value by) {
  b.declareState(StateRole::Counter, "lengths",
                 RankedTensorType::get({bounds.batch.maximum}, b.i64()));
  step.lengths = b.read("lengths", getTensor({batch}, b.i64()));
  step.total = b.make<AddOp>(path, step.lengths, by);
  b.write(path, step.total, "lengths");
  Value first = b.reshape(path, step.lengths, {batch, b.number(1)});
  step.positions =
      tokens.isOne()
          ? first
          : b.make<AddOp>(path, b.make<IotaOp>(path, getTensor({batch, tokens}, b.i64()), 1),
                          first);
}

void DecoderEntries::buildPrefill() {
  b.beginEntry("prefill");
  DecoderStep step;
  step.ids = b.input("input_ids", {batch, seq}, Attribute(), bounds.vocabulary);
  Value lengths = b.countInput("prompt_lengths", {batch}, seq, bounds.seq.maximum);
  advance(step, seq, lengths);
  Value hidden = model.layers(step);
  Path last = {"", "last_token"};
  Value index = b.make<SubOp>(last, lengths, b.constantInt(last, 1));
  b.output("logits", model.vocabulary(model.norm(b.make<GatherOp>(last, hidden, index))));
  b.endEntry();
}

void DecoderEntries::buildDecode() {
  b.beginEntry("decode");
  DecoderStep step;
  step.ids = b.input("input_ids", {batch, b.number(1)}, Attribute(), bounds.vocabulary);
  advance(step, b.number(1), b.constantInt(path, 1));
  Value hidden = model.layers(step);
  Path last = {"", "last_token"};
  Dims dims = b.dimsOf(hidden);
  hidden = b.reshape(last, hidden, {dims[0], dims[2]});
  b.output("logits", model.vocabulary(model.norm(hidden)));
  b.endEntry();
}

void buildDecoder(ModelBuilder &b, DecoderModel &model, const DecoderBounds &bounds, Head head) {
  DecoderEntries entries(b, model, bounds);
  entries.buildForward(head);
  if (head == Head::Base)
    return;
  entries.chooseCacheElement();
  entries.buildPrefill();
  entries.buildDecode();
}

} // namespace ashlar
