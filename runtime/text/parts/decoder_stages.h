// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stages of decoders (see decoder.h).
#pragma once

#include <memory>
#include <string>

#include "runtime/base/status.h"
#include "runtime/text/parts/decoder.h"
#include "runtime/text/parts/metaspace.h"
#include "runtime/text/parts/replacement.h"
#include "runtime/text/parts/utf8_assembler.h"

namespace ashlar {

// Tokens with a blank between them.
class JoinWithBlanks : public DecoderStage {
 public:
  absl::Status Push(Chunk chunk, std::vector<Chunk>* out) override;

 private:
  bool first_ = true;
};

// Characters that stand for bytes to what the bytes spell; a token with any other character counts
// as its own UTF-8. All tokens become one.
class ByteLevelStage : public DecoderStage {
 public:
  absl::Status Push(Chunk chunk, std::vector<Chunk>* out) override;
  absl::Status Finish(std::vector<Chunk>* out) override;

 private:
  Utf8Assembler bytes_{Utf8Assembler::Errors::kPerPart};
};

// A run of tokens "<0x0A>" to what its bytes spell: one token, or U+FFFD for every byte of a run
// that is not UTF-8 as a whole. When streaming, complete characters do not wait for the end of the
// run, so that only what is no character becomes U+FFFD.
class ByteFallbackStage : public DecoderStage {
 public:
  explicit ByteFallbackStage(bool streaming) : streaming_(streaming) {}
  absl::Status Push(Chunk chunk, std::vector<Chunk>* out) override;
  absl::Status Finish(std::vector<Chunk>* out) override;

 private:
  bool streaming_;
  std::string run_;
  bool begun_ = false;  // a part of the run was given already
  Utf8Assembler bytes_{Utf8Assembler::Errors::kPerByte};
};

// All tokens become one.
class FuseStage : public DecoderStage {
 public:
  absl::Status Push(Chunk chunk, std::vector<Chunk>* out) override;

 private:
  bool first_ = true;
};

// Up to `start` times a character off a token's beginning, up to `stop` times off its end.
class StripStage : public DecoderStage {
 public:
  StripStage(char32_t content, size_t start, size_t stop)
      : content_(content), start_(start), stop_(stop) {}
  absl::Status Push(Chunk chunk, std::vector<Chunk>* out) override;
  absl::Status Finish(std::vector<Chunk>* out) override;

 private:
  char32_t content_;
  size_t start_, stop_;
  size_t to_cut_ = 0;    // of this token, still
  std::u32string held_;  // its last characters, which may be its end
};

// SentencePiece's "▁" to blanks, but for the one that it put before a text: of each token before
// the first that leaves any text (`all`), or of the first that has one.
class VisibleBlankStage : public DecoderStage {
 public:
  VisibleBlankStage(bool drop, bool all) : begun_(!drop), all_(all) {}
  absl::Status Push(Chunk chunk, std::vector<Chunk>* out) override;

 private:
  bool begun_, all_;
};

// For stages that need a token whole: gathers its parts.
class WholeTokenStage : public DecoderStage {
 public:
  absl::Status Push(Chunk chunk, std::vector<Chunk>* out) final;
  absl::Status Finish(std::vector<Chunk>* out) final;

 protected:
  virtual absl::Status Take(std::string token, size_t index, std::vector<Chunk>* out) = 0;
  virtual absl::Status End(std::vector<Chunk>* out) { return absl::OkStatus(); }

 private:
  absl::Status TakeGathered(std::vector<Chunk>* out);

  std::string token_;
  bool any_ = false;
  size_t index_ = 0;
};

// A function of each token.
template <typename Function>
class MapStage : public WholeTokenStage {
 public:
  explicit MapStage(Function function) : function_(std::move(function)) {}

 protected:
  absl::Status Take(std::string token, size_t index, std::vector<Chunk>* out) override {
    ASHLAR_ASSIGN_OR_RETURN(std::string text, function_(token, index));
    out->push_back({std::move(text)});
    return absl::OkStatus();
  }

 private:
  Function function_;
};

// BPEDecoder: a suffix that ends a word becomes a blank, that of the last word nothing.
class SuffixStage : public WholeTokenStage {
 public:
  explicit SuffixStage(std::string suffix) : suffix_(std::move(suffix)) {}

 protected:
  absl::Status Take(std::string token, size_t index, std::vector<Chunk>* out) override;
  absl::Status End(std::vector<Chunk>* out) override;

 private:
  std::string suffix_, last_;
  bool any_ = false;
};

// Connectionist temporal classification: equal neighbours once, padding dropped.
class CtcStage : public WholeTokenStage {
 public:
  CtcStage(std::string pad, std::string delimiter, bool cleanup)
      : pad_(std::move(pad)), delimiter_(std::move(delimiter)), cleanup_(cleanup) {}

 protected:
  absl::Status Take(std::string token, size_t index, std::vector<Chunk>* out) override;

 private:
  std::string pad_, delimiter_, last_;
  bool cleanup_;
};

// Every `from` in the text to `to`.
std::string ReplaceAll(std::string text, std::string_view from, std::string_view to);
// English contractions and punctuation without the blanks that WordPiece put before them.
std::string CleanUpBlanks(std::string text);

}  // namespace ashlar
