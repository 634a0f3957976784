// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/tokenizer.h"

#include <algorithm>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/text/files/tokenizer_files.h"
#include "runtime/text/parts/truncate.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

constexpr char32_t kByteLevelBlank = 0x120;

bool IsBlank(char32_t c) { return c == kByteLevelBlank || IsWhitespace(c); }

void CountBlanks(std::u32string_view text, TextToken* token) {
  for (size_t i = 0; i < text.size() && IsBlank(text[i]); ++i) ++token->leading;
  for (size_t i = text.size(); i > 0 && IsBlank(text[i - 1]); --i) ++token->trailing;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(const std::string& path) {
  auto parts = ReadTokenizerFiles(path);
  if (!parts.ok()) return WithCode(ErrorCode::kBadTokenizer, parts.status());
  auto tokenizer = Create(*std::move(parts));
  if (!tokenizer.ok()) return WithCode(ErrorCode::kBadTokenizer, tokenizer.status());
  return tokenizer;
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Create(TokenizerParts parts) {
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer(std::move(parts)));
  ASHLAR_RETURN_IF_ERROR(tokenizer->AddTokens());
  ASHLAR_RETURN_IF_ERROR(tokenizer->FindPadding());
  return std::unique_ptr<const Tokenizer>(std::move(tokenizer));
}

// Of tokens of one content the special one counts, as in the published library.
absl::Status Tokenizer::AddTokens() {
  std::vector<AddedToken>& tokens = parts_.added_tokens;
  std::vector<AddedToken> ordered;
  for (bool special : {true, false})
    for (const AddedToken& token : tokens)
      if (token.special == special) ordered.push_back(token);
  tokens = std::move(ordered);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const AddedToken& token = tokens[i];
    std::optional<int64_t> id = FindToken(token.content);
    if (id && *id != token.id)
      return DataLoss(parts_.path, ": added token '", Printable(token.content), "' has the id ",
                      token.id, ", in the vocabulary it has ", *id);
    added_.try_emplace(token.id, i);
    added_ids_.try_emplace(token.content, token.id);
    if (!token.searched) continue;
    AlignedText text = AlignedText::Identity(DecodeUtf8(token.content));
    if (token.normalized && parts_.normalizer)
      ASHLAR_RETURN_IF_ERROR(parts_.normalizer->Apply(&text));
    added_texts_.try_emplace(token.id, EncodeUtf8(text.chars));
    (token.normalized ? normalized_tokens_ : raw_tokens_).Add(text.chars, token);
  }
  return absl::OkStatus();
}

absl::Status Tokenizer::FindPadding() {
  if (parts_.padding) padding_ = *parts_.padding;
  if (parts_.pad_token.empty()) return absl::OkStatus();
  std::optional<int64_t> id = FindToken(parts_.pad_token);
  if (!id)
    return DataLoss(parts_.path, ": the vocabulary of ", parts_.model->vocabulary().size(),
                    " tokens has no '", Printable(parts_.pad_token), "', which stands for padding");
  padding_.token = parts_.pad_token;
  padding_.id = *id;
  return absl::OkStatus();
}

std::optional<int64_t> Tokenizer::FindToken(std::string_view token) const {
  auto it = added_ids_.find(token);
  if (it != added_ids_.end()) return it->second;
  return parts_.model->vocabulary().Find(token);
}

absl::Status Tokenizer::Normalize(const std::u32string& text, Pieces* pieces) const {
  const AlignedText original = AlignedText::Identity(text);
  for (const AddedTokens::Part& part : raw_tokens_.Split(text)) {
    AlignedText slice = original.Slice(part.begin, part.end);
    std::vector<AddedTokens::Part> parts;
    if (part.id >= 0) {
      parts.push_back({0, slice.size(), part.id});
    } else {
      if (parts_.normalizer) ASHLAR_RETURN_IF_ERROR(parts_.normalizer->Apply(&slice));
      parts = normalized_tokens_.Split(slice.chars);
    }
    const size_t shift = pieces->text.size();
    pieces->text.Append(slice, 0, slice.size());
    for (const AddedTokens::Part& piece : parts)
      pieces->pieces.push_back(
          {shift + piece.begin, shift + piece.end, piece.id, slice.spans[piece.begin].begin});
  }
  return absl::OkStatus();
}

absl::Status Tokenizer::AppendTokens(const Pieces& pieces, std::vector<TextToken>* tokens) const {
  const bool trims = parts_.post_processor.trims();
  std::string word;
  std::vector<uint32_t> characters;  // of each byte of the word
  std::vector<ModelToken> cut;
  for (const Piece& piece : pieces.pieces) {
    const std::vector<Span>& spans = pieces.text.spans;
    if (piece.token >= 0) {
      TextToken token{piece.token, {spans[piece.begin].begin, spans[piece.end - 1].end}};
      if (trims)
        CountBlanks(
            std::u32string_view(pieces.text.chars).substr(piece.begin, piece.end - piece.begin),
            &token);
      tokens->push_back(token);
      continue;
    }
    word.clear();
    characters.clear();
    for (size_t i = piece.begin; i < piece.end; ++i) {
      AppendUtf8(pieces.text.chars[i], &word);
      characters.resize(word.size(), static_cast<uint32_t>(i - piece.begin));
    }
    cut.clear();
    ASHLAR_RETURN_IF_ERROR(parts_.model->Tokenize(word, &cut));
    for (const ModelToken& part : cut) {
      TextToken token{part.id,
                      {spans[piece.begin + characters[part.begin]].begin,
                       spans[piece.begin + characters[part.end - 1]].end}};
      const std::string* text = trims ? parts_.model->vocabulary().Token(part.id) : nullptr;
      if (text) CountBlanks(DecodeUtf8(*text), &token);
      tokens->push_back(token);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PostProcessor::Part> Tokenizer::Cut(std::string_view text) const {
  if (text.size() > kMaxTextBytes)
    return InvalidArgument("a text of ", text.size(), " bytes; at most ", kMaxTextBytes,
                           " are taken, cut it into pieces");
  PostProcessor::Part part;
  const std::u32string decoded = DecodeUtf8(text, &part.places);
  Pieces pieces;
  ASHLAR_RETURN_IF_ERROR(Normalize(decoded, &pieces));
  if (parts_.pre_tokenizer) ASHLAR_RETURN_IF_ERROR(parts_.pre_tokenizer->Apply(&pieces));
  ASHLAR_RETURN_IF_ERROR(AppendTokens(pieces, &part.tokens));
  return part;
}

absl::StatusOr<std::vector<int64_t>> Tokenizer::Tokenize(std::string_view text) const {
  ASHLAR_ASSIGN_OR_RETURN(PostProcessor::Part part, Cut(text));
  std::vector<int64_t> ids;
  for (const TextToken& token : part.tokens) ids.push_back(token.id);
  return ids;
}

absl::StatusOr<Encoding> Tokenizer::Encode(std::string_view text,
                                           std::optional<std::string_view> pair,
                                           const Truncation& truncation,
                                           bool add_special_tokens) const {
  const int64_t special =
      add_special_tokens ? parts_.post_processor.SpecialTokens(pair.has_value()) : 0;
  if (truncation.max_length < special)
    return InvalidArgument("a length of ", truncation.max_length, " has no room for the ", special,
                           " special tokens");
  std::vector<PostProcessor::Part> parts(1);
  ASHLAR_ASSIGN_OR_RETURN(parts[0], Cut(text));
  if (pair) {
    ASHLAR_ASSIGN_OR_RETURN(PostProcessor::Part second, Cut(*pair));
    parts.push_back(std::move(second));
  }
  int64_t full_length = special;
  for (const auto& part : parts) full_length += static_cast<int64_t>(part.tokens.size());
  ASHLAR_RETURN_IF_ERROR(Truncate(truncation, special, &parts));
  Encoding encoding = parts_.post_processor.Assemble(std::move(parts), add_special_tokens);
  encoding.full_length = full_length;
  return encoding;
}

void Tokenizer::Pad(const Padding& padding, int64_t longest, Encoding* encoding) {
  const int64_t size = static_cast<int64_t>(encoding->ids.size());
  int64_t length = padding.fixed_length.value_or(std::max(longest, size));
  if (padding.multiple_of > 1)
    length = (length + padding.multiple_of - 1) / padding.multiple_of * padding.multiple_of;
  if (length <= size) return;
  const size_t count = static_cast<size_t>(length - size);
  auto pad = [&](auto* list, auto value) {
    list->insert(padding.side == Side::kLeft ? list->begin() : list->end(), count, value);
  };
  pad(&encoding->ids, padding.id);
  pad(&encoding->type_ids, padding.type_id);
  pad(&encoding->attention_mask, int64_t{0});
  pad(&encoding->special_tokens_mask, int64_t{1});
  pad(&encoding->offsets, Encoding::Offsets());
  pad(&encoding->sequences, int64_t{-1});
}

absl::StatusOr<EncodedBatch> Tokenizer::EncodeBatch(const std::vector<std::string>& texts,
                                                    const std::vector<std::string>& pairs,
                                                    int64_t max_length, int64_t min_length,
                                                    bool add_special_tokens) const {
  if (!pairs.empty() && pairs.size() != texts.size())
    return InvalidArgument(texts.size(), " texts, but ", pairs.size(), " texts to pair them with");
  Truncation truncation;
  truncation.max_length = max_length;
  std::vector<Encoding> encodings;
  EncodedBatch batch;
  batch.length = min_length;
  for (size_t i = 0; i < texts.size(); ++i) {
    std::optional<std::string_view> pair;
    if (!pairs.empty()) pair = pairs[i];
    ASHLAR_ASSIGN_OR_RETURN(Encoding encoding,
                            Encode(texts[i], pair, truncation, add_special_tokens));
    batch.length = std::max<int64_t>(batch.length, static_cast<int64_t>(encoding.ids.size()));
    batch.full_lengths.push_back(encoding.full_length);
    encodings.push_back(std::move(encoding));
  }
  batch.size = static_cast<int64_t>(texts.size());
  Padding padding = padding_;
  padding.fixed_length.reset();
  padding.multiple_of = 1;
  for (Encoding& encoding : encodings) {
    Pad(padding, batch.length, &encoding);
    batch.ids.insert(batch.ids.end(), encoding.ids.begin(), encoding.ids.end());
    batch.attention_mask.insert(batch.attention_mask.end(), encoding.attention_mask.begin(),
                                encoding.attention_mask.end());
    batch.type_ids.insert(batch.type_ids.end(), encoding.type_ids.begin(), encoding.type_ids.end());
    batch.offsets.insert(batch.offsets.end(), encoding.offsets.begin(), encoding.offsets.end());
    batch.sequences.insert(batch.sequences.end(), encoding.sequences.begin(),
                           encoding.sequences.end());
  }
  return batch;
}

const std::string* Tokenizer::TokenText(int64_t id, bool skip_special_tokens) const {
  auto it = added_.find(id);
  if (it == added_.end()) return parts_.model->vocabulary().Token(id);
  const AddedToken& token = parts_.added_tokens[it->second];
  auto normalized = added_texts_.find(id);
  const std::string& text = normalized == added_texts_.end() ? token.content : normalized->second;
  // As in the published library, a special token that normalization changes is not passed over.
  return token.special && skip_special_tokens && text == token.content ? nullptr : &text;
}

absl::StatusOr<std::string> Tokenizer::Decode(const std::vector<int64_t>& ids,
                                              bool skip_special_tokens) const {
  DecodeRun run = parts_.decoder->Start(/*streaming=*/false);
  std::string text;
  for (int64_t id : ids)
    if (const std::string* token = TokenText(id, skip_special_tokens))
      ASHLAR_RETURN_IF_ERROR(run.Push(*token, &text));
  ASHLAR_RETURN_IF_ERROR(run.Finish(&text));
  return text;
}

}  // namespace ashlar
