// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/bert_tokenizer.h"

#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

// Cuts the texts to `room` ids together: the longer one down to the shorter, then both to halves,
// an odd id going to the one that was not shorter.
void TruncateLongestFirst(int64_t room, std::vector<int64_t>* first, std::vector<int64_t>* second) {
  int64_t shorter = static_cast<int64_t>(first->size());
  int64_t longer = static_cast<int64_t>(second->size());
  if (shorter + longer <= room) return;
  const bool swapped = shorter > longer;
  if (swapped) std::swap(shorter, longer);
  longer = shorter > room ? shorter : std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = shorter + room % 2;
  }
  if (swapped) std::swap(shorter, longer);
  first->resize(std::min<size_t>(first->size(), shorter));
  second->resize(std::min<size_t>(second->size(), longer));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const BertTokenizer>> BertTokenizer::Load(const std::string& path) {
  ASHLAR_ASSIGN_OR_RETURN(BertTokenizerFiles files, ReadBertTokenizerFiles(path));
  return Create(files);
}

absl::StatusOr<std::unique_ptr<const BertTokenizer>> BertTokenizer::Create(
    const BertTokenizerFiles& files) {
  std::unique_ptr<BertTokenizer> tokenizer(new BertTokenizer());
  ASHLAR_RETURN_IF_ERROR(tokenizer->Prepare(files));
  return std::unique_ptr<const BertTokenizer>(std::move(tokenizer));
}

absl::Status BertTokenizer::Prepare(const BertTokenizerFiles& files) {
  normalization_ = files.normalization;
  pieces_.SetPrefix(files.prefix);
  pieces_.SetMaxCharacters(static_cast<size_t>(files.max_characters));
  for (const auto& [token, id] : files.vocabulary) pieces_.Add(token, id);
  if (pieces_.empty()) return DataLoss(files.path, ": the vocabulary is empty");
  ASHLAR_RETURN_IF_ERROR(AddTokens(files));
  struct {
    const char* role;
    const std::string& token;
    int64_t* id;
  } roles[] = {{"unknown words", files.unknown, &unknown_},
               {"the beginning of a text", files.classify, &classify_},
               {"the end of a text", files.separate, &separate_},
               {"padding", files.pad, &pad_}};
  for (const auto& [role, token, id] : roles) {
    std::optional<int64_t> found = pieces_.Find(token);
    for (const auto& added : files.added_tokens)
      if (!found && added.content == token) found = added.id;
    if (!found)
      return DataLoss(files.path, ": the vocabulary of ", pieces_.size(), " tokens has no '",
                      Printable(token), "', which stands for ", role);
    *id = *found;
  }
  return absl::OkStatus();
}

// Special tokens are found in the text as it is, whether a file lists them as added or not.
absl::Status BertTokenizer::AddTokens(const BertTokenizerFiles& files) {
  for (const std::string* token :
       {&files.unknown, &files.classify, &files.separate, &files.pad, &files.mask})
    if (std::optional<int64_t> id = pieces_.Find(*token)) raw_tokens_.Add(DecodeUtf8(*token), *id);
  for (const auto& token : files.added_tokens) {
    std::optional<int64_t> id = pieces_.Find(token.content);
    if (id && *id != token.id)
      return DataLoss(files.path, ": added token '", Printable(token.content), "' has the id ",
                      token.id, ", in the vocabulary it has ", *id);
    std::u32string text = DecodeUtf8(token.content);
    if (!token.normalized) {
      raw_tokens_.Add(text, token.id);
      continue;
    }
    ASHLAR_ASSIGN_OR_RETURN(text, NormalizeForBert(text, normalization_));
    normalized_tokens_.Add(text, token.id);
  }
  return absl::OkStatus();
}

void BertTokenizer::AppendWords(std::u32string_view normalized, std::vector<int64_t>* ids) const {
  for (const AddedTokens::Part& part : normalized_tokens_.Split(normalized)) {
    if (part.id >= 0) {
      ids->push_back(part.id);
      continue;
    }
    ForEachBertWord(part.text, [&](std::string_view word) { pieces_.Split(word, unknown_, ids); });
  }
}

absl::StatusOr<std::vector<int64_t>> BertTokenizer::Tokenize(std::string_view text) const {
  if (text.size() > kMaxTextBytes)
    return InvalidArgument("a text of ", text.size(), " bytes; at most ", kMaxTextBytes,
                           " are taken, cut it into pieces");
  std::vector<int64_t> ids;
  const std::u32string decoded = DecodeUtf8(text);
  for (const AddedTokens::Part& part : raw_tokens_.Split(decoded)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    ASHLAR_ASSIGN_OR_RETURN(std::u32string normalized, NormalizeForBert(part.text, normalization_));
    AppendWords(normalized, &ids);
  }
  return ids;
}

absl::StatusOr<Encoding> BertTokenizer::Encode(std::string_view text,
                                               std::optional<std::string_view> pair,
                                               int64_t max_length) const {
  const int64_t special = pair ? 3 : 2;
  if (max_length < special)
    return InvalidArgument("a length of ", max_length, " has no room for the ", special,
                           " special tokens");
  ASHLAR_ASSIGN_OR_RETURN(std::vector<int64_t> first, Tokenize(text));
  std::vector<int64_t> second;
  if (pair) {
    ASHLAR_ASSIGN_OR_RETURN(second, Tokenize(*pair));
  }
  Encoding encoding;
  encoding.full_length = static_cast<int64_t>(first.size() + second.size()) + special;
  TruncateLongestFirst(max_length - special, &first, &second);
  std::vector<int64_t>& ids = encoding.ids;
  ids.push_back(classify_);
  ids.insert(ids.end(), first.begin(), first.end());
  ids.push_back(separate_);
  encoding.type_ids.assign(ids.size(), 0);
  if (!pair) return encoding;
  ids.insert(ids.end(), second.begin(), second.end());
  ids.push_back(separate_);
  encoding.type_ids.resize(ids.size(), 1);
  return encoding;
}

absl::StatusOr<EncodedBatch> BertTokenizer::EncodeBatch(const std::vector<std::string>& texts,
                                                        const std::vector<std::string>& pairs,
                                                        int64_t max_length,
                                                        int64_t min_length) const {
  if (!pairs.empty() && pairs.size() != texts.size())
    return InvalidArgument(texts.size(), " texts, but ", pairs.size(), " texts to pair them with");
  std::vector<Encoding> encodings;
  EncodedBatch batch;
  batch.length = min_length;
  for (size_t i = 0; i < texts.size(); ++i) {
    std::optional<std::string_view> pair;
    if (!pairs.empty()) pair = pairs[i];
    ASHLAR_ASSIGN_OR_RETURN(Encoding encoding, Encode(texts[i], pair, max_length));
    batch.length = std::max<int64_t>(batch.length, static_cast<int64_t>(encoding.ids.size()));
    batch.full_lengths.push_back(encoding.full_length);
    encodings.push_back(std::move(encoding));
  }
  batch.size = static_cast<int64_t>(texts.size());
  for (const Encoding& encoding : encodings) {
    const size_t end = batch.ids.size() + static_cast<size_t>(batch.length);
    batch.ids.insert(batch.ids.end(), encoding.ids.begin(), encoding.ids.end());
    batch.attention_mask.resize(batch.ids.size(), 1);
    batch.type_ids.insert(batch.type_ids.end(), encoding.type_ids.begin(), encoding.type_ids.end());
    batch.ids.resize(end, pad_);
    batch.attention_mask.resize(end, 0);
    batch.type_ids.resize(end, 0);
  }
  return batch;
}

}  // namespace ashlar
