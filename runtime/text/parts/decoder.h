// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens back to text, one after another: a chain of stages, each of which passes on what it has
// as soon as nothing that follows can change it. A whole text is decoded by the same stages as a
// text that is still being generated, so both give the same.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/json_field.h"

namespace ashlar {

// A token's text, or a part of it: its first, and (as far as is known) its last.
struct Chunk {
  std::string text;
  bool begins = true, ends = true;
};

// The state of one stage within one text.
class DecoderStage {
 public:
  virtual ~DecoderStage() = default;
  // Appends to `out` what can be said once this chunk is known.
  virtual absl::Status Push(Chunk chunk, std::vector<Chunk>* out) = 0;
  // Appends what was held back; no more chunks follow.
  virtual absl::Status Finish(std::vector<Chunk>* out) { return absl::OkStatus(); }
};

// How a text is decoded in stages.
class DecodeRun {
 public:
  explicit DecodeRun(std::vector<std::unique_ptr<DecoderStage>> stages)
      : stages_(std::move(stages)) {}
  absl::Status Push(std::string token, std::string* text) {
    return Pass({{std::move(token)}}, /*finish=*/false, text);
  }
  absl::Status Finish(std::string* text) { return Pass({}, /*finish=*/true, text); }

 private:
  absl::Status Pass(std::vector<Chunk> chunks, bool finish, std::string* text);

  std::vector<std::unique_ptr<DecoderStage>> stages_;
};

// Immutable, so usable from any thread.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Appends stages for a new text. `streaming` allows a stage to give complete characters before
  // it knows whether the bytes after them are valid (see ByteFallback).
  virtual void Start(bool streaming, std::vector<std::unique_ptr<DecoderStage>>* stages) const = 0;
  DecodeRun Start(bool streaming) const;
};

// Reads the `decoder` of a tokenizer.json: BPEDecoder, ByteFallback, ByteLevel, CTC, Fuse,
// Metaspace, Replace, Sequence, Strip, WordPiece. Without one, tokens are joined by blanks.
absl::StatusOr<std::unique_ptr<const Decoder>> ReadDecoder(const JsonField& field);

std::unique_ptr<const Decoder> MakeWordPieceDecoder(std::string prefix, bool cleanup);
std::unique_ptr<const Decoder> MakeByteLevelDecoder();
// SentencePiece's: "▁" to blanks, byte tokens to what they spell; of a blank at the beginning see
// VisibleBlankStage.
std::unique_ptr<const Decoder> MakeSentencePieceDecoder(bool drop_first_blank,
                                                        bool drop_all_blanks);

}  // namespace ashlar
