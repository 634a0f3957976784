// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// BERT (Devlin et al., 2018), RoBERTa and DistilBERT: encoders with learned positions and a norm
// after each sublayer. They differ in names, in where positions come from, and in their heads.

#include "compiler/Import/Family.h"

#include <cmath>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar {
namespace {

/// What the checkpoint calls the parts of a layer.
struct Names {
  StringRef layers, query, key, value, attentionOutput, attentionNorm, intermediate, output,
      outputNorm;
};
constexpr Names kBertNames = {
    "encoder.layer",        "attention.self.query",   "attention.self.key",
    "attention.self.value", "attention.output.dense", "attention.output.LayerNorm",
    "intermediate.dense",   "output.dense",           "output.LayerNorm"};
constexpr Names kDistilBertNames = {"transformer.layer", "attention.q_lin",   "attention.k_lin",
                                    "attention.v_lin",   "attention.out_lin", "sa_layer_norm",
                                    "ffn.lin1",          "ffn.lin2",          "output_layer_norm"};

enum class Kind { Bert, Roberta, DistilBert };

struct Encoder {
  Kind kind = Kind::Bert;
  Names names = kBertNames;
  StringRef prefix; // of the base model in a checkpoint with a head
  int64_t vocabulary, hidden, layers, heads, intermediate, positions, types = 0, labels,
                                                                      padding = 0;
  double epsilon, stddev;
  Activation activation;
  bool tied;
  Head head = Head::Base;
  DimBounds seq;
};

void readSizes(Encoder &e, Config &c) {
  bool distil = e.kind == Kind::DistilBert;
  e.vocabulary = c.getInt("vocab_size", e.kind == Kind::Roberta ? 50265 : 30522);
  e.hidden = c.getInt(distil ? "dim" : "hidden_size", 768);
  e.layers = c.getInt(distil ? "n_layers" : "num_hidden_layers", distil ? 6 : 12, 0, 10000);
  e.heads = c.getInt(distil ? "n_heads" : "num_attention_heads", 12);
  e.intermediate = c.getInt(distil ? "hidden_dim" : "intermediate_size", 3072);
  e.positions = c.getInt("max_position_embeddings", 512);
  e.activation = readActivation(c, distil ? "activation" : "hidden_act", "gelu");
  e.epsilon = distil ? 1e-12 : c.getPositive("layer_norm_eps", 1e-12);
  e.types = distil ? 0 : c.getInt("type_vocab_size", 2);
  e.stddev = c.getNumber("initializer_range", 0.02);
  e.tied = c.getBool("tie_word_embeddings", true);
  if (e.kind == Kind::Roberta)
    e.padding = c.getInt("pad_token_id", 1, 0);
}

/// Fields that would make another model of it.
void rejectVariants(Encoder &e, Config &c) {
  c.requireBool("is_decoder", false);
  c.requireBool("add_cross_attention", false);
  if (c.getString("position_embedding_type", "absolute") != "absolute")
    c.unsupported("position_embedding_type")
        << "is not 'absolute', which is the only one supported";
  if (std::optional<int64_t> pruned = c.getCount("pruned_heads"); pruned && *pruned > 0)
    c.unsupported("pruned_heads") << "is not empty: pruned heads are not supported";
  if (e.kind ==
      Kind::DistilBert) // the table is in the checkpoint either way; the others are training's
    c.ignore({"tie_weights_", "sinusoidal_pos_embds"});
  // Written by older versions for BERT and RoBERTa, read by none of their layers.
  c.ignore({"pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
            "pooler_size_per_head", "pooler_type", "classifier_dropout"});
}

class EncoderBuilder {
public:
  EncoderBuilder(const Encoder &encoder, ModelBuilder &b) : e(encoder), b(b) {
    base = {e.head == Head::Base || e.head == Head::SentenceEmbedding ? "" : e.prefix.str(), ""};
  }

  void build(const DimBounds &batchBounds);

private:
  Value positionIds();
  Value embed();
  Value layer(const Path &path, Value x);
  Value pool();
  void buildHead();
  void buildMaskedLM();
  Value classifySequence();
  void answerQuestions();
  Value embedSentence();

  const Encoder &e;
  ModelBuilder &b;
  Path base, top = {"", ""};
  Dim batch, seq;
  Value ids, mask, hidden;
};

void EncoderBuilder::build(const DimBounds &batchBounds) {
  batch = b.declareDim("batch", batchBounds);
  seq = b.declareDim("seq", e.seq);
  b.beginEntry("forward");
  ids = b.input("input_ids", {batch, seq}, Attribute(), e.vocabulary);
  mask = b.input("attention_mask", {batch, seq}, b.intDefault(1), std::nullopt);
  hidden = embed();
  for (int64_t i = 0; i < e.layers; ++i)
    hidden = layer(base / e.names.layers / Twine(i), hidden);
  buildHead();
  b.endEntry();
}

Value EncoderBuilder::positionIds() {
  Path path = base / "embeddings.position_embeddings";
  if (e.kind != Kind::Roberta)
    return b.input("position_ids", {batch, seq}, b.iotaDefault(), e.positions);
  // Tokens count from padding + 1; padding stays at the padding's own position.
  Value isToken =
      b.make<CompareOp>(path, ComparePredicate::Ne, ids, b.constantInt(path, e.padding));
  Value counted = b.cast(path, isToken, b.i64());
  Value positions =
      b.make<MulOp>(path, b.make<CumsumOp>(path, counted.getType(), counted, 1), counted);
  return b.make<AddOp>(path, positions, b.constantInt(path, e.padding));
}

Value EncoderBuilder::embed() {
  Path path = base / "embeddings";
  Value typeIds;
  if (e.types)
    typeIds = b.input("token_type_ids", {batch, seq}, b.intDefault(0), e.types);
  Value positions = positionIds();
  Value x = b.embedding(path / "word_embeddings", ids, e.vocabulary, e.hidden);
  if (typeIds)
    x = b.make<AddOp>(path, x,
                      b.embedding(path / "token_type_embeddings", typeIds, e.types, e.hidden));
  x = b.make<AddOp>(path, x,
                    b.embedding(path / "position_embeddings", positions, e.positions, e.hidden));
  return b.layerNorm(path / "LayerNorm", x, e.hidden, e.epsilon);
}

Value EncoderBuilder::layer(const Path &path, Value x) {
  int64_t width = e.hidden / e.heads;
  auto project = [&](StringRef name) {
    return b.splitHeads(path / name, b.linear(path / name, x, e.hidden, e.hidden, true), e.heads,
                        width);
  };
  Value q = project(e.names.query), k = project(e.names.key), v = project(e.names.value);
  Value attended = b.attention(path / "attention", q, k, v, Value(), Value(), mask,
                               1.0 / std::sqrt(double(width)),
                               /*causal=*/false, std::nullopt);
  attended = b.mergeHeads(path / "attention", attended);
  attended = b.linear(path / e.names.attentionOutput, attended, e.hidden, e.hidden, true);
  attended = b.make<AddOp>(path / e.names.attentionNorm, attended, x);
  attended = b.layerNorm(path / e.names.attentionNorm, attended, e.hidden, e.epsilon);

  Value y = b.linear(path / e.names.intermediate, attended, e.hidden, e.intermediate, true);
  y = b.activate(path / e.names.intermediate, e.activation, y);
  y = b.linear(path / e.names.output, y, e.intermediate, e.hidden, true);
  y = b.make<AddOp>(path / e.names.outputNorm, y, attended);
  return b.layerNorm(path / e.names.outputNorm, y, e.hidden, e.epsilon);
}

/// BERT's pooler: tanh of a linear layer over the first token.
Value EncoderBuilder::pool() {
  Path path = base / "pooler.dense";
  return b.make<TanhOp>(path, b.linear(path, b.firstToken(path, hidden), e.hidden, e.hidden, true));
}

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

void EncoderBuilder::buildHead() {
  switch (e.head) {
  case Head::Base: {
    b.output("last_hidden_state", hidden);
    Path pooler = base / "pooler.dense";
    if (e.kind == Kind::DistilBert)
      return;
    if (b.getWeights().has(pooler, "weight") || b.getWeights().has(pooler, "bias"))
      return b.output("pooler_output", pool());
    emitWarning(b.getLoc(pooler))
        << "the checkpoint was saved without its pooler, so there is no pooler_output";
    return;
  }
  case Head::MaskedLM:
    return buildMaskedLM();
  case Head::SequenceClassification:
    return b.output("logits", classifySequence());
  case Head::TokenClassification:
    return b.output("logits", b.linear(top / "classifier", hidden, e.hidden, e.labels, true));
  case Head::QuestionAnswering:
    return answerQuestions();
  case Head::SentenceEmbedding:
    return b.output("sentence_embedding", embedSentence());
  case Head::CausalLM:
    break;
  }
  llvm_unreachable("no head of an encoder");
}

/// A linear layer, the activation and a norm, then the vocabulary: the embedding's own table where
/// tied.
void EncoderBuilder::buildMaskedLM() {
  StringRef dense = "cls.predictions.transform.dense", norm = "cls.predictions.transform.LayerNorm";
  StringRef decoder = "cls.predictions.decoder", bias = "cls.predictions";
  Activation activation = e.activation;
  if (e.kind == Kind::Roberta) {
    dense = "lm_head.dense", norm = "lm_head.layer_norm", decoder = "lm_head.decoder",
    bias = "lm_head";
    activation = {Activation::Kind::Gelu};
  } else if (e.kind == Kind::DistilBert) {
    dense = "vocab_transform", norm = "vocab_layer_norm", decoder = bias = "vocab_projector";
  }
  Value x =
      b.activate(top / dense, activation, b.linear(top / dense, hidden, e.hidden, e.hidden, true));
  x = b.layerNorm(top / norm, x, e.hidden, e.epsilon);
  // Untied, the decoder has a bias of its own; a checkpoint may hold a tied one under either name.
  bool own = b.getWeights().has(top / decoder, "bias") &&
             (!e.tied || !b.getWeights().has(top / bias, "bias"));
  if (e.tied)
    x = b.tiedLinear(top / decoder, base / "embeddings.word_embeddings", x, e.vocabulary, e.hidden);
  else
    x = b.linear(top / decoder, x, e.hidden, e.vocabulary, false);
  b.output("logits", b.addBias(top / (own ? decoder : bias), "bias", x, e.vocabulary));
}

Value EncoderBuilder::classifySequence() {
  if (e.kind == Kind::Bert)
    return b.linear(top / "classifier", pool(), e.hidden, e.labels, true);
  bool distil = e.kind == Kind::DistilBert;
  Path dense = top / (distil ? "pre_classifier" : "classifier.dense");
  Value x = b.linear(dense, b.firstToken(dense, hidden), e.hidden, e.hidden, true);
  x = distil ? b.make<ReluOp>(dense, x) : b.make<TanhOp>(dense, x);
  return b.linear(top / (distil ? "classifier" : "classifier.out_proj"), x, e.hidden, e.labels,
                  true);
}

void EncoderBuilder::answerQuestions() {
  Path path = top / "qa_outputs";
  Value logits = b.linear(path, hidden, e.hidden, 2, true);
  auto part = [&](int64_t index) {
    return b.reshape(path, b.slice(path, logits, 2, index, 1), {batch, seq});
  };
  b.output("start_logits", part(0));
  b.output("end_logits", part(1));
}

/// The mean of the tokens that the mask keeps, made a unit vector.
Value EncoderBuilder::embedSentence() {
  Path path = top / "pooling";
  Value weights = b.reshape(path, b.cast(path, mask, b.f32()), {batch, seq, b.number(1)});
  Value sum = b.reduce(path, ReduceKind::Sum, b.make<MulOp>(path, hidden, weights), 1, false);
  Value count = b.reduce(path, ReduceKind::Sum, weights, 1, false);
  Value mean = b.make<DivOp>(path, sum, b.make<MaxOp>(path, count, b.constant(path, 1e-9)));
  path = top / "normalize";
  Value square = b.reduce(path, ReduceKind::Sum, b.make<MulOp>(path, mean, mean), 1, true);
  Value norm = b.make<MaxOp>(path, b.make<SqrtOp>(path, square), b.constant(path, 1e-12));
  return b.make<DivOp>(path, mean, norm);
}

LogicalResult importEncoder(ImportContext &context, Encoder e) {
  Config &config = context.config;
  readSizes(e, config);
  rejectVariants(e, config);
  auto head = context.readHead({Head::Base, Head::MaskedLM, Head::SequenceClassification,
                                Head::TokenClassification, Head::QuestionAnswering,
                                Head::SentenceEmbedding},
                               Head::Base);
  e.labels = context.readNumLabels();
  bool distil = e.kind == Kind::DistilBert;
  context.requireMultiple(distil ? "dim" : "hidden_size", e.hidden,
                          distil ? "n_heads" : "num_attention_heads", e.heads);
  if (failed(head) || failed(config.finish()))
    return failure();
  e.head = *head;
  if (e.head == Head::QuestionAnswering && e.labels != 2) {
    config.error("id2label") << "gives " << e.labels
                             << " labels; question answering has 2, start and end";
    return failure();
  }
  // RoBERTa's positions begin behind the padding's.
  int64_t positions = e.kind == Kind::Roberta ? e.positions - e.padding - 1 : e.positions;
  auto seq = context.readSeqBounds(positions, 512);
  if (failed(seq))
    return failure();
  e.seq = *seq;
  ImportedWeights weights = context.makeWeights(e.prefix, e.stddev);
  ModelBuilder b(context.module, weights, config.getLoc());
  EncoderBuilder(e, b).build(context.options.batch);
  return success(weights.isGood());
}

} // namespace

LogicalResult importBert(ImportContext &context) {
  Encoder e;
  e.prefix = "bert.";
  return importEncoder(context, e);
}

LogicalResult importRoberta(ImportContext &context) {
  Encoder e;
  e.kind = Kind::Roberta;
  e.prefix = "roberta.";
  return importEncoder(context, e);
}

LogicalResult importDistilBert(ImportContext &context) {
  Encoder e;
  e.kind = Kind::DistilBert;
  e.names = kDistilBertNames;
  e.prefix = "distilbert.";
  return importEncoder(context, e);
}

} // namespace ashlar
