// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// GPT-2 (Radford et al., 2019): learned positions, a norm before each sublayer, one tensor for the
// projections of queries, keys and values, and weights stored [in, out].

#include "compiler/Import/Decoder.h"

#include <cmath>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar {
namespace {

struct Gpt2 {
  int64_t vocabulary, hidden, intermediate, layers, heads, positions;
  double epsilon, stddev;
  Activation activation;
  bool tied, scales, scalesByLayer;
};

void readSizes(Gpt2 &m, Config &c) {
  m.vocabulary = c.getInt("vocab_size", 50257);
  m.hidden = c.getInt("n_embd", 768);
  m.intermediate = c.getInt("n_inner", 4 * m.hidden);
  m.layers = c.getInt("n_layer", 12, 0, 10000);
  m.heads = c.getInt("n_head", 12);
  m.positions = c.getInt("n_positions", 1024);
  m.epsilon = c.getPositive("layer_norm_epsilon", 1e-5);
  m.stddev = c.getNumber("initializer_range", 0.02);
  m.activation = readActivation(c, "activation_function", "gelu_new");
  m.tied = c.getBool("tie_word_embeddings", true);
  m.scales = c.getBool("scale_attn_weights", true);
  m.scalesByLayer = c.getBool("scale_attn_by_inverse_layer_idx", false);
  c.requireBool("add_cross_attention", false);
  // n_ctx is n_positions' older name beside it; the order of a product and the summary's head
  // change nothing here.
  c.ignore({"n_ctx", "reorder_and_upcast_attn", "summary_type", "summary_use_proj",
            "summary_activation", "summary_proj_to_labels", "summary_first_dropout"});
}

class Gpt2Model : public DecoderModel {
public:
  Gpt2Model(ModelBuilder &b, const Gpt2 &m, Head head)
      : DecoderModel(b), m(m), base{head == Head::Base ? "" : "transformer.", ""} {}

  Value layers(const DecoderStep &step) override;
  Value norm(Value x) override { return b.layerNorm(base / "ln_f", x, m.hidden, m.epsilon); }
  Value vocabulary(Value x) override;

private:
  Value attention(const Path &path, const DecoderStep &step, int64_t layer, Value x);
  Value mlp(const Path &path, Value x);

  const Gpt2 &m;
  Path base;
};

Value Gpt2Model::layers(const DecoderStep &step) {
  Value tokens = b.embedding(base / "wte", step.ids, m.vocabulary, m.hidden);
  Value positions = b.embedding(base / "wpe", step.positions, m.positions, m.hidden);
  Value x = b.make<AddOp>(base / "wpe", tokens, positions);
  for (int64_t i = 0; i < m.layers; ++i) {
    Path path = base / "h" / Twine(i);
    Value normed = b.layerNorm(path / "ln_1", x, m.hidden, m.epsilon);
    x = b.make<AddOp>(path / "attn", attention(path / "attn", step, i, normed), x);
    normed = b.layerNorm(path / "ln_2", x, m.hidden, m.epsilon);
    x = b.make<AddOp>(path / "mlp", x, mlp(path / "mlp", normed));
  }
  return x;
}

Value Gpt2Model::attention(const Path &path, const DecoderStep &step, int64_t layer, Value x) {
  int64_t width = m.hidden / m.heads;
  auto part = [&](StringRef name, int64_t i) {
    return b.splitHeads(path / "c_attn" / name,
                        b.mergedLinearTransposed(path / "c_attn", name, x, m.hidden,
                                                 {i * m.hidden, m.hidden, 3 * m.hidden}),
                        m.heads, width);
  };
  Value q = part("query", 0), k = part("key", 1), v = part("value", 2);
  AttentionShape shape{m.heads, m.heads, width,
                       m.scales ? 1.0 / std::sqrt(static_cast<double>(width)) : 1.0, std::nullopt};
  if (m.scalesByLayer)
    shape.scale /= static_cast<double>(layer + 1);
  return b.linearTransposed(path / "c_proj", attend(path, step, shape, q, k, v), m.hidden,
                            m.hidden);
}

Value Gpt2Model::mlp(const Path &path, Value x) {
  Value y = b.linearTransposed(path / "c_fc", x, m.hidden, m.intermediate);
  y = b.activate(path / "c_fc", m.activation, y);
  return b.linearTransposed(path / "c_proj", y, m.intermediate, m.hidden);
}

Value Gpt2Model::vocabulary(Value x) {
  Path path = {"", "lm_head"};
  if (m.tied)
    return b.tiedLinear(path, base / "wte", x, m.vocabulary, m.hidden);
  return b.linear(path, x, m.hidden, m.vocabulary, false);
}

} // namespace

LogicalResult importGpt2(ImportContext &context) {
  Config &config = context.config;
  Gpt2 m;
  readSizes(m, config);
  context.requireMultiple("n_embd", m.hidden, "n_head", m.heads);
  auto head = context.readHead({Head::CausalLM, Head::Base}, Head::CausalLM);
  if (failed(head) || failed(config.finish()))
    return failure();
  auto seq = context.readSeqBounds(m.positions, 512);
  if (failed(seq))
    return failure();
  auto room = context.readContext(*seq, m.positions);
  if (failed(room))
    return failure();
  ImportedWeights weights = context.makeWeights("transformer.", m.stddev);
  ModelBuilder b(context.module, weights, config.getLoc());
  Gpt2Model model(b, m, *head);
  buildDecoder(
      b, model,
      {context.options.batch, *seq, *room, context.options.cache, m.vocabulary, m.positions},
      *head);
  return success(weights.isGood());
}

} // namespace ashlar
