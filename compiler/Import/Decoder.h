// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What decoders share: three entry points over one set of parameters and one cache. A family gives
// the layers; which positions its tokens have and what they attend to is here.
//
//   forward(input_ids, attention_mask, position_ids) -> logits [batch, seq, vocabulary]    no cache
//   prefill(input_ids [batch, seq], prompt_lengths [batch]) -> logits [batch, vocabulary]  of each
//   row's last token decode(input_ids [batch, 1]) -> logits [batch, vocabulary]
//
// The session's counter @lengths holds how many positions of each sequence are filled. prefill
// appends `seq` keys and values per row, but counts only prompt_lengths of them: what lies beyond
// is never attended to and is overwritten.

#ifndef ASHLAR_COMPILER_IMPORT_DECODER_H
#define ASHLAR_COMPILER_IMPORT_DECODER_H

#include "compiler/Import/Family.h"

namespace ashlar {

/// One entry point under construction, as the layers see it.
struct DecoderStep {
  mlir::Value ids;       // [batch, seq] or [batch, 1]
  mlir::Value positions; // of the same dimensions
  mlir::Value mask;      // forward only: keys that take part
  mlir::Value lengths;   // prefill and decode: positions filled before this step, [batch]
  mlir::Value total;     // and after it
};

/// How a layer attends.
struct AttentionShape {
  int64_t heads = 1, kvHeads = 1, width = 1;
  double scale = 1.0;
  std::optional<int64_t> window;
};

class DecoderModel {
public:
  virtual ~DecoderModel() = default;
  /// The hidden states after the last layer, before what output() does: [batch, seq, hidden].
  virtual mlir::Value layers(const DecoderStep &step) = 0;
  /// The last norm; x is [.., hidden].
  virtual mlir::Value norm(mlir::Value x) = 0;
  /// Logits over the vocabulary from normed states.
  virtual mlir::Value vocabulary(mlir::Value x) = 0;

protected:
  DecoderModel(ModelBuilder &b) : b(b) {}
  /// Attention of a layer at `path` over this step's keys and values, and over the cache's where
  /// there is one. q, k, v: [batch, seq, heads, width]; returns [batch, seq, heads * width].
  mlir::Value attend(const Path &path, const DecoderStep &step, const AttentionShape &shape,
                     mlir::Value q, mlir::Value k, mlir::Value v);

  ModelBuilder &b;

private:
  friend class DecoderEntries;
  int64_t sequences = 1, context = 1; // the cache's room
  mlir::Type cacheElement;
};

struct DecoderBounds {
  DimBounds batch, seq;
  int64_t context;    // positions of the cache
  CacheElement cache; // what it holds
  int64_t vocabulary; // ids lie below it
  int64_t positions;  // and positions below this
};

/// Builds the entry points; a head of Head::Base has `forward` alone, which gives
/// last_hidden_state.
void buildDecoder(ModelBuilder &b, DecoderModel &model, const DecoderBounds &bounds, Head head);

} // namespace ashlar

#endif
