// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A decoder's session as sequences of tokens: prompts of any lengths in, logits out. Rests on the
// entries `prefill` and `decode` and their counter of tokens (compiler/Import/Decoder.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/api/session.h"

namespace ashlar {

// One thread. Nobody else runs steps of the session meanwhile.
class DecoderSession {
 public:
  // FailedPrecondition for a program that is no decoder; says what is missing.
  static absl::StatusOr<DecoderSession> Create(std::unique_ptr<Session> session);

  Session& session() { return *session_; }
  const Session& session() const { return *session_; }
  int64_t vocabulary() const { return vocabulary_; }
  int64_t context() const { return context_; }               // tokens of a sequence
  int64_t max_sequences() const { return sequences_.most; }  // of a batch

  // Whether a prompt, which is the caller's `index`th, has 1 to context() tokens: InvalidArgument
  // or OutOfRange where not.
  absl::Status CheckPrompt(size_t index, const std::vector<int64_t>& prompt) const;

  // Starts sequences with the prompts, the longest first, at most max_sequences() of them; an
  // error where they are not such. Prompts longer than a step takes go in several. Of a single
  // prompt, the tokens that sequence 0 has in the cache anyway are not computed again. Sets
  // logits[i] to the logits after prompt i, which stay until the next call.
  absl::Status Prefill(const std::vector<std::vector<int64_t>>& prompts, const RunOptions& run,
                       std::vector<const float*>* logits);

  // Appends tokens[i] to sequence i, for those that there are, and sets logits[i]. A negative token
  // is for a sequence that is done: it takes no room, and has no logits (null). InvalidArgument for
  // more tokens than sequences.
  absl::Status Decode(const std::vector<int64_t>& tokens, const RunOptions& run,
                      std::vector<const float*>* logits);

  // Makes sequence `to` what `from` is.
  absl::Status Copy(int64_t from, int64_t to);

  // The tokens in each sequence's cache.
  const std::vector<std::vector<int64_t>>& tokens() const { return tokens_; }
  // Forgets all sequences.
  void Clear() { tokens_.clear(); }

  // The session's state and its tokens; errors of Session::SaveState and LoadState, and
  // Unimplemented where ranks share the sequences.
  absl::Status Save(const std::string& path) const;
  absl::Status Load(const std::string& path);

 private:
  struct Bounds {
    int64_t least = 1, most = 1;
  };

  DecoderSession() = default;
  absl::Status CheckSequencesAreHere(const char* what) const;
  absl::Status FindPrefill();
  absl::Status FindDecode();
  absl::StatusOr<Bounds> BoundsOf(const fb::ExtentT& extent) const;
  absl::Status FindLogits(const fb::EntryT& entry);
  size_t ReusedTokens(const std::vector<int64_t>& prompt) const;
  size_t BatchOf(size_t rows) const;
  absl::Status SetLengths(size_t rows);
  absl::Status PrefillChunk(const std::vector<std::vector<int64_t>>& prompts, size_t rows,
                            const RunOptions& run);
  absl::StatusOr<const float*> Logits() const;

  std::unique_ptr<Session> session_;
  std::string counter_;
  Bounds sequences_, chunk_;
  int64_t vocabulary_ = 0, context_ = 0;
  bool ragged_ = false;  // prefill takes prompt_lengths
  size_t decode_rank_ = 2;

  std::vector<std::vector<int64_t>> tokens_;
  std::vector<Tensor> outputs_;
  std::vector<std::vector<float>> prompt_logits_;
  std::vector<int64_t> ids_, lengths_;
};

}  // namespace ashlar
