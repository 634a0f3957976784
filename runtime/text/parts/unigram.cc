// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/unigram.h"

#include <algorithm>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr double kUnknownPenalty = 10;

Vocabulary NamesOf(const std::vector<Unigram::Piece>& pieces) {
  Vocabulary vocabulary;
  for (size_t i = 0; i < pieces.size(); ++i)
    vocabulary.Add(pieces[i].text, static_cast<int64_t>(i));
  return vocabulary;
}

uint32_t CharacterBytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

}  // namespace

Unigram::Unigram(const std::vector<Piece>& pieces, Options options)
    : Model(NamesOf(pieces)), options_(options), ends_(1, -1) {
  double least = pieces.empty() ? 0 : pieces[0].score;
  for (size_t i = 0; i < pieces.size(); ++i) {
    scores_.push_back(pieces[i].score);
    least = std::min(least, pieces[i].score);
    if (pieces[i].searched && !pieces[i].text.empty())
      AddToTrie(pieces[i].text, static_cast<int64_t>(i));
  }
  unknown_score_ = options_.least_score.value_or(least) - kUnknownPenalty;
}

void Unigram::AddToTrie(const std::string& text, int64_t id) {
  uint32_t node = 0;
  for (char c : text) {
    const uint64_t key = uint64_t{node} * 256 + static_cast<unsigned char>(c);
    auto [it, is_new] = children_.try_emplace(key, static_cast<uint32_t>(ends_.size()));
    node = it->second;
    if (is_new) ends_.push_back(-1);
  }
  ends_[node] = id;
}

absl::StatusOr<std::unique_ptr<const Model>> Unigram::Read(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "unk_id", "vocab", "byte_fallback"}));
  JsonField list = field["vocab"];
  ASHLAR_RETURN_IF_ERROR(list.CheckArray());
  if (list.size() == 0) return DataLoss(field.path(), ": the vocabulary is empty");
  std::vector<Piece> pieces(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    JsonField item = list.At(i);
    if (item.size() != 2) return item.Expected("a piece and its score");
    ASHLAR_ASSIGN_OR_RETURN(pieces[i].text, item.At(0).String());
    ASHLAR_ASSIGN_OR_RETURN(pieces[i].score, item.At(1).Number());
  }
  Options options;
  ASHLAR_ASSIGN_OR_RETURN(options.byte_fallback, field["byte_fallback"].BoolOr(false));
  if (field["unk_id"].present()) {
    ASHLAR_ASSIGN_OR_RETURN(options.unknown, field["unk_id"].Index());
    if (*options.unknown >= static_cast<int64_t>(pieces.size()))
      return field["unk_id"].Expected(StrCat("the id of one of ", pieces.size(), " pieces"));
  }
  return std::make_unique<Unigram>(pieces, options);
}

absl::Status Unigram::FindBest(std::string_view word, std::vector<Best>* best) const {
  std::vector<Best>& ways = *best;
  auto offer = [&](uint32_t begin, uint32_t end, int64_t id, double score) {
    double sum = ways[begin].score + score;
    if (options_.single_precision) sum = static_cast<float>(sum);
    if (ways[end].id >= 0 && sum <= ways[end].score) return;
    ways[end] = {sum, static_cast<int32_t>(id), begin};
  };
  const uint32_t size = static_cast<uint32_t>(word.size());
  for (uint32_t begin = 0; begin < size;) {
    const uint32_t next = std::min(begin + CharacterBytes(word[begin]), size);
    bool single = false;
    uint32_t node = 0;
    for (uint32_t end = begin; end < size;) {
      auto it = children_.find(uint64_t{node} * 256 + static_cast<unsigned char>(word[end]));
      if (it == children_.end()) break;
      node = it->second;
      ++end;
      if (ends_[node] < 0) continue;
      offer(begin, end, ends_[node], scores_[static_cast<size_t>(ends_[node])]);
      single |= end == next;
    }
    if (!single) {
      if (!options_.unknown)
        return FailedPrecondition("the vocabulary has neither '",
                                  Printable(word.substr(begin, next - begin)),
                                  "' nor a token for the unknown");
      offer(begin, next, *options_.unknown, unknown_score_);
    }
    begin = next;
  }
  return absl::OkStatus();
}

void Unigram::AppendUnknown(std::string_view word, uint32_t begin, uint32_t end,
                            std::vector<ModelToken>* tokens) const {
  std::string_view text = word.substr(begin, end - begin);
  std::optional<int64_t> named;
  if (options_.unknown_by_name && (named = vocabulary().Find(text))) {
    tokens->push_back({*named, begin, end});
    return;
  }
  const size_t before = tokens->size();
  bool bytes = options_.byte_fallback;
  for (uint32_t i = begin; bytes && i < end; ++i) {
    std::optional<int64_t> id = vocabulary().Find(ByteToken(static_cast<uint8_t>(word[i])));
    bytes = id.has_value();
    if (bytes) tokens->push_back({*id, begin, end});
  }
  if (bytes) return;
  tokens->resize(before);
  tokens->push_back({*options_.unknown, begin, end});
}

absl::Status Unigram::Tokenize(std::string_view word, std::vector<ModelToken>* tokens) const {
  std::vector<Best> best(word.size() + 1);
  ASHLAR_RETURN_IF_ERROR(FindBest(word, &best));
  // Backwards from the end; neighbouring unknown characters become one.
  std::vector<ModelToken> reversed;
  for (uint32_t end = static_cast<uint32_t>(word.size()); end > 0; end = best[end].begin) {
    const Best& piece = best[end];
    const bool unknown = options_.unknown && piece.id == *options_.unknown;
    if (unknown && !reversed.empty() && reversed.back().id == piece.id &&
        reversed.back().begin == end)
      reversed.back().begin = piece.begin;
    else
      reversed.push_back({piece.id, piece.begin, end});
  }
  for (auto it = reversed.rbegin(); it != reversed.rend(); ++it) {
    if (options_.unknown && it->id == *options_.unknown)
      AppendUnknown(word, it->begin, it->end, tokens);
    else
      tokens->push_back(*it);
  }
  return absl::OkStatus();
}

}  // namespace ashlar
