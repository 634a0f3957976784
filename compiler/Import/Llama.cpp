// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The LLaMA family (Touvron et al., 2023): llama, mistral, qwen2 and qwen3. RMSNorm before each
// sublayer, rotary positions, grouped-query attention, a gated MLP. They differ in biases, windows,
// and qwen3's norms of q and k.

#include "compiler/Import/Decoder.h"
#include "compiler/Import/Rope.h"

#include <cmath>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar {
namespace {

enum class Kind { Llama, Mistral, Qwen2, Qwen3 };

/// What transformers assumes of a field that a config leaves out.
struct Defaults {
  int64_t vocabulary, intermediate, kvHeads /* 0: as many as heads */, positions,
      width /* 0: hidden / heads */;
};
constexpr Defaults kDefaults[] = {{32000, 11008, 0, 2048, 0},
                                  {32000, 14336, 8, 131072, 0},
                                  {151936, 22016, 32, 32768, 0},
                                  {151936, 22016, 32, 32768, 128}};

struct Llama {
  Kind kind = Kind::Llama;
  int64_t vocabulary, hidden, intermediate, layers, heads, kvHeads, width, positions;
  double epsilon, stddev;
  Activation activation;
  bool qkvBias = false, outputBias = false, mlpBias = false, tied = false;
  std::vector<std::optional<int64_t>> windows; // per layer
  Rope rope;
};

void readSizes(Llama &m, Config &c) {
  const Defaults &defaults = kDefaults[static_cast<int>(m.kind)];
  m.vocabulary = c.getInt("vocab_size", defaults.vocabulary);
  m.hidden = c.getInt("hidden_size", 4096);
  m.intermediate = c.getInt("intermediate_size", defaults.intermediate);
  m.layers = c.getInt("num_hidden_layers", 32, 0, 10000);
  m.heads = c.getInt("num_attention_heads", 32);
  // null means as many as there are query heads; a field that is not there means the family's
  // default.
  bool same = c.mentions("num_key_value_heads") || defaults.kvHeads == 0;
  m.kvHeads = c.getInt("num_key_value_heads", same ? m.heads : defaults.kvHeads);
  same = c.mentions("head_dim") || defaults.width == 0;
  if (same && !c.has("head_dim") && m.hidden % m.heads != 0)
    c.error("hidden_size") << "= " << m.hidden
                           << " is not a multiple of num_attention_heads = " << m.heads;
  m.width = c.getInt("head_dim", same ? std::max<int64_t>(1, m.hidden / m.heads) : defaults.width);
  m.positions = c.getInt("max_position_embeddings", defaults.positions, 1, int64_t(1) << 31);
  if (m.heads * m.width > int64_t(1) << 24)
    c.error("head_dim") << "= " << m.width << " times num_attention_heads = " << m.heads
                        << " is too large";
  m.epsilon = c.getPositive("rms_norm_eps", 1e-6);
  m.stddev = c.getNumber("initializer_range", 0.02);
  m.tied = c.getBool("tie_word_embeddings", false);
  m.activation = readActivation(c, "hidden_act", "silu");
  if (m.heads % m.kvHeads != 0)
    c.error("num_attention_heads")
        << "= " << m.heads << " is not a multiple of num_key_value_heads = " << m.kvHeads;
}

void readBiases(Llama &m, Config &c) {
  switch (m.kind) {
  case Kind::Llama:
    m.qkvBias = m.outputBias = c.getBool("attention_bias", false);
    m.mlpBias = c.getBool("mlp_bias", false);
    return;
  case Kind::Mistral: // mistral's layers have none
    c.requireBool("attention_bias", false);
    c.requireBool("mlp_bias", false);
    return;
  case Kind::Qwen2:
    m.qkvBias = true;
    c.ignore({"attention_bias"}); // some configs say so; the layer does not ask
    return;
  case Kind::Qwen3:
    m.qkvBias = m.outputBias = c.getBool("attention_bias", false);
    return;
  }
}

/// Which layers see only a window: all of mistral's, those of qwen's that layer_types or
/// max_window_layers say.
void readWindows(Llama &m, Config &c) {
  m.windows.assign(m.layers, std::nullopt);
  if (m.kind == Kind::Llama)
    return;
  if (m.kind == Kind::Mistral) {
    if (!c.mentions("sliding_window") || c.has("sliding_window"))
      m.windows.assign(m.layers, c.getInt("sliding_window", 4096));
    c.ignore({"sliding_window"});
    return;
  }
  c.requireBool("use_mrope", false);
  bool uses = c.getBool("use_sliding_window", false);
  int64_t window = c.getInt("sliding_window", 4096), from = c.getInt("max_window_layers", 28, 0);
  uses &= !c.mentions("sliding_window") || c.has("sliding_window");
  std::vector<std::string> types = c.getStrings("layer_types");
  if (!types.empty() && static_cast<int64_t>(types.size()) != m.layers)
    c.error("layer_types") << "has " << types.size() << " entries for " << m.layers << " layers";
  for (int64_t i = 0; i < m.layers && c.isGood(); ++i) {
    bool slides = types.empty() ? uses && i >= from : types[i] == "sliding_attention";
    if (!types.empty() && !slides && types[i] != "full_attention")
      c.error("layer_types") << "has '" << types[i]
                             << "'; supported are full_attention and sliding_attention";
    if (slides && !uses)
      c.error("layer_types") << "has sliding_attention, but no sliding_window is in use";
    if (slides)
      m.windows[i] = window;
  }
}

class LlamaModel : public DecoderModel {
public:
  LlamaModel(ModelBuilder &b, const Llama &m, Head head)
      : DecoderModel(b), m(m), base{head == Head::Base ? "" : "model.", ""} {}

  Value layers(const DecoderStep &step) override;
  Value norm(Value x) override { return b.rmsNorm(base / "norm", x, m.hidden, m.epsilon); }
  Value vocabulary(Value x) override;

private:
  Value attention(const Path &path, const DecoderStep &step, std::optional<int64_t> window,
                  Value x);
  Value mlp(const Path &path, Value x);
  Value project(const Path &path, StringRef norm, Value x, int64_t heads);

  const Llama &m;
  Path base;
  std::pair<Value, Value> table; // of this step's positions
};

Value LlamaModel::layers(const DecoderStep &step) {
  table = m.rope.build(b, base / "rotary_emb", step.positions);
  Value x = b.embedding(base / "embed_tokens", step.ids, m.vocabulary, m.hidden);
  for (int64_t i = 0; i < m.layers; ++i) {
    Path path = base / "layers" / Twine(i);
    Value normed = b.rmsNorm(path / "input_layernorm", x, m.hidden, m.epsilon);
    x = b.make<AddOp>(path / "self_attn", x,
                      attention(path / "self_attn", step, m.windows[i], normed));
    normed = b.rmsNorm(path / "post_attention_layernorm", x, m.hidden, m.epsilon);
    x = b.make<AddOp>(path / "mlp", x, mlp(path / "mlp", normed));
  }
  return x;
}

/// A projection to heads; with a name of a norm (qwen3), each head is normed.
Value LlamaModel::project(const Path &path, StringRef norm, Value x, int64_t heads) {
  Value y =
      b.splitHeads(path, b.linear(path, x, m.hidden, heads * m.width, m.qkvBias), heads, m.width);
  if (norm.empty() || m.kind != Kind::Qwen3)
    return y;
  Path normPath = {path.prefix, StringRef(path.name).rsplit('.').first.str() + "." + norm.str()};
  return b.rmsNorm(normPath, y, m.width, m.epsilon);
}

Value LlamaModel::attention(const Path &path, const DecoderStep &step,
                            std::optional<int64_t> window, Value x) {
  Value q = project(path / "q_proj", "q_norm", x, m.heads);
  Value k = project(path / "k_proj", "k_norm", x, m.kvHeads);
  Value v = project(path / "v_proj", "", x, m.kvHeads);
  q = b.make<RopeOp>(path / "q_proj", q, table.first, table.second, /*interleaved=*/false);
  k = b.make<RopeOp>(path / "k_proj", k, table.first, table.second, /*interleaved=*/false);
  AttentionShape shape{m.heads, m.kvHeads, m.width, 1.0 / std::sqrt(static_cast<double>(m.width)),
                       window};
  return b.linear(path / "o_proj", attend(path, step, shape, q, k, v), m.heads * m.width, m.hidden,
                  m.outputBias);
}

Value LlamaModel::mlp(const Path &path, Value x) {
  Path gatePath = path / "gate_proj";
  Value gate = b.activate(gatePath, m.activation,
                          b.linear(gatePath, x, m.hidden, m.intermediate, m.mlpBias));
  Value up = b.linear(path / "up_proj", x, m.hidden, m.intermediate, m.mlpBias);
  Value gated = b.make<MulOp>(path, gate, up);
  return b.linear(path / "down_proj", gated, m.intermediate, m.hidden, m.mlpBias);
}

Value LlamaModel::vocabulary(Value x) {
  Path path = {"", "lm_head"};
  if (m.tied)
    return b.tiedLinear(path, base / "embed_tokens", x, m.vocabulary, m.hidden);
  return b.linear(path, x, m.hidden, m.vocabulary, false);
}

LogicalResult importFamily(ImportContext &context, Kind kind) {
  Config &config = context.config;
  Llama m;
  m.kind = kind;
  readSizes(m, config);
  readBiases(m, config);
  readWindows(m, config);
  m.rope = Rope::read(config, m.width, m.positions);
  auto head = context.readHead({Head::CausalLM, Head::Base}, Head::CausalLM);
  if (failed(head) || failed(config.finish()))
    return failure();
  auto seq = context.readSeqBounds(std::nullopt, std::min<int64_t>(512, m.positions));
  if (failed(seq))
    return failure();
  auto room = context.readContext(*seq, std::nullopt);
  if (failed(room))
    return failure();
  ImportedWeights weights = context.makeWeights("model.", m.stddev);
  ModelBuilder b(context.module, weights, config.getLoc());
  LlamaModel model(b, m, *head);
  // Beyond 2^24 a position is no longer exact in the f32 that angles are computed in.
  buildDecoder(
      b, model,
      {context.options.batch, *seq, *room, context.options.cache, m.vocabulary, int64_t(1) << 24},
      *head);
  return success(weights.isGood());
}

} // namespace

LogicalResult importLlama(ImportContext &context) { return importFamily(context, Kind::Llama); }
LogicalResult importMistral(ImportContext &context) { return importFamily(context, Kind::Mistral); }
LogicalResult importQwen2(ImportContext &context) { return importFamily(context, Kind::Qwen2); }
LogicalResult importQwen3(ImportContext &context) { return importFamily(context, Kind::Qwen3); }

} // namespace ashlar
