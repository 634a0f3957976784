// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/bpe.h"

#include <queue>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

bool IsBoundary(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

// An item of `merges`: "left right", or ["left", "right"].
absl::StatusOr<std::pair<std::string, std::string>> ReadPair(const JsonField& item) {
  if (item.value() && item.value()->is_array()) {
    if (item.size() != 2) return item.Expected("two tokens");
    ASHLAR_ASSIGN_OR_RETURN(std::string left, item.At(0).String());
    ASHLAR_ASSIGN_OR_RETURN(std::string right, item.At(1).String());
    return std::make_pair(std::move(left), std::move(right));
  }
  ASHLAR_ASSIGN_OR_RETURN(std::string both, item.String());
  const size_t space = both.find(' ');
  if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos)
    return item.Expected("two tokens separated by one blank");
  return std::make_pair(both.substr(0, space), both.substr(space + 1));
}

}  // namespace

Bpe::Bpe(Vocabulary vocabulary, const std::vector<Merge>& merges, Options options)
    : Model(std::move(vocabulary)),
      options_(std::move(options)),
      merges_(merges.size() + merges.size() / 7 + 1) {
  if (!options_.unknown.empty()) unknown_ = this->vocabulary().Find(options_.unknown);
  for (int byte = 0; options_.byte_fallback && byte < 256; ++byte)
    bytes_[byte] = this->vocabulary().Find(ByteToken(static_cast<uint8_t>(byte)));
  for (const Merge& merge : merges)
    merges_[Pair(merge.left, merge.right)] = {merge.rank, merge.merged};
}

absl::StatusOr<Bpe::Merge> Bpe::FindMerge(const Vocabulary& vocabulary, const std::string& left,
                                          const std::string& right,
                                          const std::string& continuing_prefix, uint32_t rank) {
  Merge merge;
  merge.rank = rank;
  const size_t prefix = right.compare(0, continuing_prefix.size(), continuing_prefix) == 0
                            ? continuing_prefix.size()
                            : 0;
  const std::string merged = left + right.substr(prefix);
  const std::pair<const std::string*, int64_t*> names[] = {
      {&left, &merge.left}, {&right, &merge.right}, {&merged, &merge.merged}};
  for (const auto& [name, id] : names) {
    std::optional<int64_t> found = vocabulary.Find(*name);
    if (!found) return DataLoss("'", Printable(*name), "' is not in the vocabulary");
    *id = *found;
  }
  return merge;
}

absl::StatusOr<std::unique_ptr<const Model>> Bpe::Read(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject(
      {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
       "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges", "cache_capacity"}));
  if (field["dropout"].present() && !field["dropout"].IsZero())
    return field["dropout"].Unsupported("merges dropped at random are not supported");
  Options options;
  ASHLAR_ASSIGN_OR_RETURN(options.unknown, field["unk_token"].StringOr(""));
  ASHLAR_ASSIGN_OR_RETURN(options.continuing_prefix,
                          field["continuing_subword_prefix"].StringOr(""));
  ASHLAR_ASSIGN_OR_RETURN(options.end_of_word, field["end_of_word_suffix"].StringOr(""));
  ASHLAR_ASSIGN_OR_RETURN(options.fuse_unknown, field["fuse_unk"].BoolOr(false));
  ASHLAR_ASSIGN_OR_RETURN(options.byte_fallback, field["byte_fallback"].BoolOr(false));
  ASHLAR_ASSIGN_OR_RETURN(options.ignore_merges, field["ignore_merges"].BoolOr(false));
  ASHLAR_ASSIGN_OR_RETURN(Vocabulary vocabulary, ReadVocabulary(field["vocab"]));
  JsonField list = field["merges"];
  ASHLAR_RETURN_IF_ERROR(list.CheckArray());
  std::vector<Merge> merges;
  for (size_t i = 0; i < list.size(); ++i) {
    auto pair = ReadPair(list.At(i));
    if (!pair.ok()) return pair.status();
    auto merge = FindMerge(vocabulary, pair->first, pair->second, options.continuing_prefix,
                           static_cast<uint32_t>(i));
    if (!merge.ok())
      return DataLoss(field.path(), ": ", list.At(i).name(), ": ", Message(merge.status()));
    merges.push_back(*merge);
  }
  return std::make_unique<Bpe>(std::move(vocabulary), merges, std::move(options));
}

bool Bpe::AppendBytes(std::string_view character, std::vector<Symbol>* symbols) const {
  if (!options_.byte_fallback) return false;
  for (char byte : character)
    if (!bytes_[static_cast<uint8_t>(byte)]) return false;
  for (char byte : character) symbols->push_back({*bytes_[static_cast<uint8_t>(byte)], 1, 0, 0});
  return true;
}

absl::Status Bpe::AppendCharacters(std::string_view word, std::vector<Symbol>* symbols) const {
  const bool decorated = !options_.continuing_prefix.empty() || !options_.end_of_word.empty();
  std::string text;
  // An unknown symbol is held back while what follows may still be fused to it; what falls back to
  // bytes meanwhile goes before it, as in the published library.
  uint32_t unknown_bytes = 0;
  auto finish_unknown = [&] {
    if (unknown_bytes > 0) symbols->push_back({*unknown_, unknown_bytes, 0, 0});
    unknown_bytes = 0;
  };
  for (size_t begin = 0; begin < word.size();) {
    size_t end = begin + 1;
    while (end < word.size() && !IsBoundary(word[end])) ++end;
    std::string_view character = word.substr(begin, end - begin);
    const uint32_t bytes = static_cast<uint32_t>(character.size());
    if (decorated) {
      text = begin > 0 ? options_.continuing_prefix : std::string();
      text += character;
      if (end == word.size()) text += options_.end_of_word;
      character = text;
    }
    begin = end;
    if (std::optional<int64_t> id = vocabulary().Find(character)) {
      finish_unknown();
      symbols->push_back({*id, bytes, 0, 0});
      continue;
    }
    if (AppendBytes(character, symbols) || options_.unknown.empty()) continue;
    if (!unknown_)
      return FailedPrecondition("the vocabulary has neither '", Printable(character),
                                "' nor the unknown token '", Printable(options_.unknown), "'");
    if (!options_.fuse_unknown) finish_unknown();
    unknown_bytes += bytes;
  }
  finish_unknown();
  return absl::OkStatus();
}

const Bpe::Target* Bpe::FindTarget(const std::vector<Symbol>& symbols, int32_t left) const {
  if (left < 0 || symbols[left].next < 0) return nullptr;
  auto it = merges_.find(Pair(symbols[left].id, symbols[symbols[left].next].id));
  return it == merges_.end() ? nullptr : &it->second;
}

void Bpe::MergeAll(std::vector<Symbol>* symbols) const {
  std::vector<Symbol>& all = *symbols;
  using Candidate = std::pair<uint32_t, int32_t>;  // rank, place of the left symbol
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<Candidate>> queue;
  auto consider = [&](int32_t left) {
    if (const Target* target = FindTarget(all, left)) queue.push({target->rank, left});
  };
  const int32_t count = static_cast<int32_t>(all.size());
  for (int32_t i = 0; i < count; ++i) {
    all[i].prev = i - 1;
    all[i].next = i + 1 < count ? i + 1 : -1;
  }
  for (int32_t i = 0; i + 1 < count; ++i) consider(i);
  while (!queue.empty()) {
    const auto [rank, left] = queue.top();
    queue.pop();
    if (all[left].bytes == 0) continue;
    const Target* target = FindTarget(all, left);
    if (!target || target->rank != rank) continue;  // a neighbour has merged since
    const int32_t right = all[left].next;
    all[left].id = target->id;
    all[left].bytes += all[right].bytes;
    all[right].bytes = 0;
    all[left].next = all[right].next;
    if (all[left].next >= 0) all[all[left].next].prev = left;
    consider(all[left].prev);
    consider(left);
  }
}

absl::Status Bpe::Tokenize(std::string_view word, std::vector<ModelToken>* tokens) const {
  if (options_.ignore_merges) {
    if (std::optional<int64_t> id = vocabulary().Find(word)) {
      tokens->push_back({*id, 0, static_cast<uint32_t>(word.size())});
      return absl::OkStatus();
    }
  }
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  ASHLAR_RETURN_IF_ERROR(AppendCharacters(word, &symbols));
  MergeAll(&symbols);
  uint32_t begin = 0;
  for (const Symbol& symbol : symbols) {
    if (symbol.bytes == 0) continue;
    tokens->push_back({symbol.id, begin, begin + symbol.bytes});
    begin += symbol.bytes;
  }
  return absl::OkStatus();
}

}  // namespace ashlar
