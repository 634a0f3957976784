// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/generate/decoder_session.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

constexpr char kHowToCompile[] =
    "; generating wants a decoder such as llama or gpt2, compiled with its vocabulary head";

}  // namespace

absl::StatusOr<DecoderSession> DecoderSession::Create(std::unique_ptr<Session> session) {
  DecoderSession decoder;
  decoder.session_ = std::move(session);
  absl::Status status = decoder.FindPrefill();
  if (status.ok()) status = decoder.FindDecode();
  if (!status.ok())
    return WithCode(ErrorCode::kNoDecoder,
                    FailedPrecondition(decoder.session_->program().path(), ": ", Message(status),
                                       kHowToCompile));
  return decoder;
}

absl::StatusOr<DecoderSession::Bounds> DecoderSession::BoundsOf(const fb::ExtentT& extent) const {
  if (extent.dims.empty()) return Bounds{extent.scale, extent.scale};
  if (!IsPlainDim(extent)) return InvalidArgument("input_ids has an extent that is no dimension");
  const fb::DimT& dim = *session_->program().metadata().dims[extent.dims[0]];
  return Bounds{dim.minimum, dim.maximum};
}

absl::Status DecoderSession::FindLogits(const fb::EntryT& entry) {
  if (entry.outputs.size() != 1 || entry.outputs[0]->name != "logits" ||
      entry.outputs[0]->dtype != fb::DType::F32 || entry.outputs[0]->shape.size() != 2 ||
      !entry.outputs[0]->shape[1]->dims.empty())
    return InvalidArgument("entry '", entry.name, "' does not give logits F32 [batch, vocabulary]");
  vocabulary_ = entry.outputs[0]->shape[1]->scale;
  return absl::OkStatus();
}

absl::Status DecoderSession::FindPrefill() {
  const Program& program = session_->program();
  ASHLAR_ASSIGN_OR_RETURN(int index, program.FindEntry("prefill"));
  const fb::EntryT& entry = *program.metadata().entries[index];
  const fb::ValueT* ids = nullptr;
  for (const auto& input : entry.inputs) {
    if (input->name == "input_ids") ids = input.get();
    ragged_ |= input->name == "prompt_lengths";
  }
  if (!ids || ids->shape.size() != 2)
    return InvalidArgument("entry 'prefill' does not take input_ids [batch, seq]");
  ASHLAR_ASSIGN_OR_RETURN(sequences_, BoundsOf(*ids->shape[0]));
  ASHLAR_ASSIGN_OR_RETURN(chunk_, BoundsOf(*ids->shape[1]));
  // Without lengths all prompts of a batch would have to be equally long.
  if (!ragged_) sequences_.most = std::min<int64_t>(sequences_.most, 1);
  return FindLogits(entry);
}

absl::Status DecoderSession::FindDecode() {
  const Program& program = session_->program();
  ASHLAR_ASSIGN_OR_RETURN(int index, program.FindEntry("decode"));
  const fb::EntryT& entry = *program.metadata().entries[index];
  for (const auto& input : entry.inputs)
    if (input->name == "input_ids") decode_rank_ = input->shape.size();
  context_ = std::numeric_limits<int64_t>::max();
  for (const auto& limit : entry.limits) {
    counter_ = program.metadata().states[limit->state]->name;
    context_ = std::min(context_, limit->limit);
  }
  if (counter_.empty()) return InvalidArgument("entry 'decode' counts no tokens");
  return FindLogits(entry);
}

// Tokens at the prompt's beginning that sequence 0 has in the cache; one is left to be computed.
size_t DecoderSession::ReusedTokens(const std::vector<int64_t>& prompt) const {
  auto counters = session_->Counters(counter_);
  if (tokens_.empty() || !counters.ok() ||
      (*counters)[0] != static_cast<int64_t>(tokens_[0].size()))
    return 0;
  auto differs =
      std::mismatch(prompt.begin(), prompt.end() - 1, tokens_[0].begin(), tokens_[0].end());
  return static_cast<size_t>(differs.first - prompt.begin());
}

// Steps are as small as they can be, but where ranks share the sequences: there each must stay with
// the rank that has its cache.
size_t DecoderSession::BatchOf(size_t rows) const {
  if (session_->shares_sequences()) rows = tokens_.size();
  return std::max(rows, static_cast<size_t>(sequences_.least));
}

// The counter of the first `rows` sequences; those that there are not have nothing.
absl::Status DecoderSession::SetLengths(size_t rows) {
  lengths_.assign(rows, 0);
  for (size_t i = 0; i < std::min(rows, tokens_.size()); ++i)
    lengths_[i] = static_cast<int64_t>(tokens_[i].size());
  return session_->SetCounters(counter_, lengths_);
}

absl::StatusOr<const float*> DecoderSession::Logits() const {
  if (outputs_.size() != 1) return InvalidArgument("expected one output, found ", outputs_.size());
  return outputs_[0].as<float>();
}

// The next tokens of the first `rows` prompts, which have some left.
absl::Status DecoderSession::PrefillChunk(const std::vector<std::vector<int64_t>>& prompts,
                                          size_t rows, const RunOptions& run) {
  const size_t batch = BatchOf(rows);
  size_t width = static_cast<size_t>(chunk_.least);
  for (size_t i = 0; i < rows; ++i)
    width = std::max(
        width, std::min(static_cast<size_t>(chunk_.most), prompts[i].size() - tokens_[i].size()));
  ASHLAR_RETURN_IF_ERROR(SetLengths(batch));
  ids_.assign(batch * width, 0);
  lengths_.assign(batch, 1);
  for (size_t i = 0; i < rows; ++i) {
    const size_t done = tokens_[i].size(), count = std::min(width, prompts[i].size() - done);
    std::copy_n(prompts[i].begin() + static_cast<std::ptrdiff_t>(done), count,
                ids_.begin() + static_cast<std::ptrdiff_t>(i * width));
    lengths_[i] = static_cast<int64_t>(count);
  }
  const int64_t extent = static_cast<int64_t>(batch);
  std::vector<Tensor> inputs = {
      {"input_ids", DType::kI64, {extent, static_cast<int64_t>(width)}, ids_.data()}};
  if (ragged_) inputs.push_back({"prompt_lengths", DType::kI64, {extent}, lengths_.data()});
  ASHLAR_RETURN_IF_ERROR(session_->Run("prefill", inputs, &outputs_, run));
  ASHLAR_ASSIGN_OR_RETURN(const float* logits, Logits());
  for (size_t i = 0; i < rows; ++i) {
    const auto begin = prompts[i].begin() + static_cast<std::ptrdiff_t>(tokens_[i].size());
    tokens_[i].insert(tokens_[i].end(), begin, begin + lengths_[i]);
    if (tokens_[i].size() == prompts[i].size())
      prompt_logits_[i].assign(logits + static_cast<int64_t>(i) * vocabulary_,
                               logits + static_cast<int64_t>(i + 1) * vocabulary_);
  }
  return absl::OkStatus();
}

absl::Status DecoderSession::CheckPrompt(size_t index, const std::vector<int64_t>& prompt) const {
  const int64_t length = static_cast<int64_t>(prompt.size());
  if (length == 0)
    return InvalidArgument("prompt ", index, " has no tokens; begin with one, such as the model's ",
                           "beginning-of-text token");
  if (length <= context_) return absl::OkStatus();
  return WithCode(
      ErrorCode::kContextFull,
      OutOfRange("prompt ", index, " has ", length, " tokens, the context is ", context_,
                 ": shorten the prompt, or compile with --context ", length, " or more"));
}

absl::Status DecoderSession::Prefill(const std::vector<std::vector<int64_t>>& prompts,
                                     const RunOptions& run, std::vector<const float*>* logits) {
  if (static_cast<int64_t>(prompts.size()) > max_sequences())
    return InvalidArgument(prompts.size(), " prompts, and the program takes ", max_sequences(),
                           " at once");
  for (size_t i = 0; i < prompts.size(); ++i) {
    ASHLAR_RETURN_IF_ERROR(CheckPrompt(i, prompts[i]));
    if (i > 0 && prompts[i].size() > prompts[i - 1].size())
      return InvalidArgument("prompt ", i, " is longer than the one before it");
  }
  const size_t reused = prompts.size() == 1 ? ReusedTokens(prompts[0]) : 0;
  tokens_.resize(prompts.size());
  for (auto& tokens : tokens_) tokens.resize(reused);
  prompt_logits_.resize(prompts.size());
  for (size_t rows = prompts.size(); rows > 0;) {
    if (absl::Status status = PrefillChunk(prompts, rows, run); !status.ok()) {
      Clear();
      return status;
    }
    while (rows > 0 && tokens_[rows - 1].size() == prompts[rows - 1].size()) --rows;
  }
  logits->clear();
  for (const auto& row : prompt_logits_) logits->push_back(row.data());
  return absl::OkStatus();
}

absl::Status DecoderSession::Decode(const std::vector<int64_t>& tokens, const RunOptions& run,
                                    std::vector<const float*>* logits) {
  if (tokens.size() > tokens_.size())
    return InvalidArgument(tokens.size(), " tokens for ", tokens_.size(), " sequences");
  size_t rows = tokens.size();
  while (rows > 0 && tokens[rows - 1] < 0) --rows;
  const size_t batch = BatchOf(rows);
  for (size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] < 0) tokens_[i].clear();
  ASHLAR_RETURN_IF_ERROR(SetLengths(batch));
  ids_.assign(batch, 0);
  for (size_t i = 0; i < rows; ++i) ids_[i] = std::max<int64_t>(tokens[i], 0);
  std::vector<int64_t> shape(decode_rank_, 1);
  shape[0] = static_cast<int64_t>(batch);
  absl::Status status = session_->Run(
      "decode", {{"input_ids", DType::kI64, std::move(shape), ids_.data()}}, &outputs_, run);
  if (!status.ok()) {
    Clear();
    return status;
  }
  ASHLAR_ASSIGN_OR_RETURN(const float* first, Logits());
  logits->assign(tokens.size(), nullptr);
  for (size_t i = 0; i < rows; ++i) {
    if (tokens[i] < 0) continue;
    tokens_[i].push_back(tokens[i]);
    (*logits)[i] = first + static_cast<int64_t>(i) * vocabulary_;
  }
  return absl::OkStatus();
}

absl::Status DecoderSession::Copy(int64_t from, int64_t to) {
  if (from < 0 || from >= static_cast<int64_t>(tokens_.size()))
    return OutOfRange("sequence ", from, " cannot be copied: there are ", tokens_.size());
  ASHLAR_RETURN_IF_ERROR(session_->CopySequence(from, to));
  if (static_cast<int64_t>(tokens_.size()) <= to) tokens_.resize(to + 1);
  tokens_[to] = tokens_[from];
  return absl::OkStatus();
}

// The note of the session's file: for each sequence the number of its tokens, and these.
absl::Status DecoderSession::Save(const std::string& path) const {
  ASHLAR_RETURN_IF_ERROR(CheckSequencesAreHere("saving"));
  std::string note;
  auto add = [&](int64_t number) {
    note.append(reinterpret_cast<const char*>(&number), sizeof(number));
  };
  for (const auto& tokens : tokens_) {
    add(static_cast<int64_t>(tokens.size()));
    for (int64_t token : tokens) add(token);
  }
  return session_->SaveState(path, note);
}

// Which rank has a sequence depends on how many there were.
absl::Status DecoderSession::CheckSequencesAreHere(const char* what) const {
  if (!session_->shares_sequences()) return absl::OkStatus();
  return Unimplemented(what,
                       " sequences that the ranks share among them is not supported; compile with "
                       "a --mesh without dp");
}

absl::Status DecoderSession::Load(const std::string& path) {
  ASHLAR_RETURN_IF_ERROR(CheckSequencesAreHere("restoring"));
  // Should LoadState throw halfway, nothing is known of the cache.
  std::vector<std::vector<int64_t>> before = std::exchange(tokens_, {});
  absl::StatusOr<std::string> loaded = session_->LoadState(path);
  if (!loaded.ok()) {
    tokens_ = std::move(before);
    return loaded.status();
  }
  const std::string& note = *loaded;
  std::vector<int64_t> numbers(note.size() / sizeof(int64_t));
  std::memcpy(numbers.data(), note.data(), numbers.size() * sizeof(int64_t));
  ASHLAR_ASSIGN_OR_RETURN(std::vector<int64_t> counters, session_->Counters(counter_));
  Clear();
  for (size_t at = 0; at < numbers.size();) {
    const int64_t count = numbers[at++];
    const size_t row = tokens_.size();
    if (count < 0 || count > static_cast<int64_t>(numbers.size() - at) || row >= counters.size() ||
        (count > 0 && counters[row] != count)) {
      Clear();
      return WithCode(ErrorCode::kBadStateFile,
                      DataLoss(path, ": the tokens and the cache's lengths do not agree"));
    }
    const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(at);
    tokens_.emplace_back(begin, begin + count);
    at += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

}  // namespace ashlar
