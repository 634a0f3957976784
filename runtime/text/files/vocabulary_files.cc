// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/files/vocabulary_files.h"

#include <algorithm>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/text/parts/bpe.h"
#include "runtime/text/parts/wordpiece.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

constexpr uint64_t kMaxBytes = 64 << 20;

// Calls `take` with each line and its number; lines end as in Python's text files.
template <typename Take>
absl::Status ForEachLine(const std::string& path, Take take) {
  ASHLAR_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxBytes));
  int64_t number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    size_t end = text.find_first_of("\r\n", begin);
    if (end == std::string::npos) end = text.size();
    std::string line = text.substr(begin, end - begin);
    if (!IsUtf8(line))
      return DataLoss(path, ": line ", number, ": not UTF-8: '", Printable(line), "'");
    ASHLAR_RETURN_IF_ERROR(take(std::move(line), number));
    begin = end + (text.compare(end, 2, "\r\n") == 0 ? 2 : 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Require(const TokenizerParts& parts, const std::string& token,
                                const char* role) {
  const Vocabulary& vocabulary = parts.model->vocabulary();
  std::optional<int64_t> id = vocabulary.Find(token);
  for (const AddedToken& added : parts.added_tokens)
    if (!id && added.content == token) id = added.id;
  if (id) return *id;
  return DataLoss(parts.path, ": the vocabulary of ", vocabulary.size(), " tokens has no '",
                  Printable(token), "', which stands for ", role);
}

// Makes a token of the vocabulary a special one, unless it is one already.
void AddSpecial(const std::string& content, TokenizerParts* parts) {
  std::optional<int64_t> id = parts->model->vocabulary().Find(content);
  for (const AddedToken& added : parts->added_tokens)
    if (added.content == content) return;
  if (!id) return;
  AddedToken token;
  token.content = content;
  token.id = *id;
  token.special = true;
  parts->added_tokens.push_back(std::move(token));
}

absl::StatusOr<std::vector<Bpe::Merge>> ReadMerges(const std::string& path,
                                                   const Vocabulary& vocabulary) {
  std::vector<Bpe::Merge> merges;
  ASHLAR_RETURN_IF_ERROR(ForEachLine(path, [&](std::string line, int64_t number) -> absl::Status {
    if (line.empty() || line.rfind("#version", 0) == 0) return absl::OkStatus();
    const size_t blank = line.find(' ');
    if (blank == std::string::npos || line.find(' ', blank + 1) != std::string::npos)
      return DataLoss(path, ": line ", number,
                      ": expected two tokens with a blank between, found '", Printable(line), "'");
    auto merge = Bpe::FindMerge(vocabulary, line.substr(0, blank), line.substr(blank + 1), "",
                                static_cast<uint32_t>(merges.size()));
    if (!merge.ok()) return Annotate(merge.status(), StrCat(path, ": line ", number));
    merges.push_back(*merge);
    return absl::OkStatus();
  }));
  return merges;
}

enum class ByteLevelKind { kGpt2, kRoberta, kQwen2 };

absl::StatusOr<ByteLevelKind> KindOf(const std::string& path, const std::string& name) {
  if (name.empty() || name == "GPT2Tokenizer") return ByteLevelKind::kGpt2;
  if (name == "Qwen2Tokenizer") return ByteLevelKind::kQwen2;
  for (const char* like :
       {"RobertaTokenizer", "BartTokenizer", "LongformerTokenizer", "LEDTokenizer", "MvpTokenizer"})
    if (name == like) return ByteLevelKind::kRoberta;
  return Unimplemented(path, ": what a ", Printable(name),
                       " makes of this vocabulary is not known here; transformers' "
                       "save_pretrained writes a tokenizer.json, which says it");
}

// As Qwen2's tokenizer.json has it.
constexpr std::string_view kQwen2PreTokenizer = R"json({"type": "Sequence", "pretokenizers": [
  {"type": "Split", "behavior": "Isolated", "invert": false, "pattern": {"Regex":
   "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
  {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}]})json";

absl::Status FinishQwen2(TokenizerParts* parts) {
  ASHLAR_ASSIGN_OR_RETURN(JsonField form, JsonField::Parse("Qwen2", R"({"type": "NFC"})"));
  ASHLAR_ASSIGN_OR_RETURN(parts->normalizer, ReadNormalizer(form));
  ASHLAR_ASSIGN_OR_RETURN(JsonField words,
                          JsonField::Parse("Qwen2", std::string(kQwen2PreTokenizer)));
  ASHLAR_ASSIGN_OR_RETURN(parts->pre_tokenizer, ReadPreTokenizer(words));
  return absl::OkStatus();
}

// "<s> A </s>" and "<s> A </s></s> B </s>", offsets without the blank before a word.
absl::Status FinishRoberta(const TokenizerConfig& config, bool prefix, TokenizerParts* parts) {
  const std::string begin = config.Role("cls_token", "<s>"), end = config.Role("sep_token", "</s>");
  for (const char* token : {"<s>", "<pad>", "</s>", "<unk>"}) AddSpecial(token, parts);
  ASHLAR_ASSIGN_OR_RETURN(int64_t classify, Require(*parts, begin, "the beginning of a text"));
  ASHLAR_ASSIGN_OR_RETURN(int64_t separate, Require(*parts, end, "the end of a text"));
  AddedToken mask;
  mask.content = config.Role("mask_token", "<mask>");
  mask.special = mask.lstrip = true;
  std::optional<int64_t> id = parts->model->vocabulary().Find(mask.content);
  const bool listed = std::any_of(parts->added_tokens.begin(), parts->added_tokens.end(),
                                  [&](AddedToken& token) { return token.content == mask.content; });
  if (id && !listed) {
    mask.id = *id;
    parts->added_tokens.push_back(mask);
  }
  const nlohmann::json processor = {{"type", "RobertaProcessing"},
                                    {"cls", {begin, classify}},
                                    {"sep", {end, separate}},
                                    {"trim_offsets", true},
                                    {"add_prefix_space", prefix}};
  ASHLAR_ASSIGN_OR_RETURN(JsonField field, JsonField::Parse("RoBERTa", processor.dump()));
  ASHLAR_ASSIGN_OR_RETURN(parts->post_processor,
                          PostProcessor::Read(field, parts->model->vocabulary()));
  parts->pad_token = config.Role("pad_token", "<pad>");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerParts> ReadBertVocabulary(const std::string& path,
                                                  const TokenizerConfig& config) {
  TokenizerParts parts;
  parts.path = path;
  Vocabulary vocabulary;
  ASHLAR_RETURN_IF_ERROR(ForEachLine(path, [&](std::string token, int64_t number) {
    vocabulary.Add(std::move(token), number - 1);
    return absl::OkStatus();
  }));
  if (vocabulary.empty()) return DataLoss(path, ": the vocabulary is empty");
  WordPiece::Options options;
  options.unknown = config.Role("unk_token", "[UNK]");
  parts.model = std::make_unique<WordPiece>(std::move(vocabulary), options);
  BertNormalization how;
  config.Overrule(&how);
  parts.normalizer = std::make_unique<BertNormalizer>(how);
  parts.pre_tokenizer = MakeBertPreTokenizer();
  parts.decoder = MakeWordPieceDecoder("##", /*cleanup=*/true);
  config.AppendTo(parts.model->vocabulary(), &parts.added_tokens);
  const std::string classify = config.Role("cls_token", "[CLS]");
  const std::string separate = config.Role("sep_token", "[SEP]");
  parts.pad_token = config.Role("pad_token", "[PAD]");
  ASHLAR_RETURN_IF_ERROR(Require(parts, options.unknown, "unknown words").status());
  ASHLAR_ASSIGN_OR_RETURN(int64_t begin, Require(parts, classify, "the beginning of a text"));
  ASHLAR_ASSIGN_OR_RETURN(int64_t end, Require(parts, separate, "the end of a text"));
  parts.post_processor = PostProcessor::Bert(begin, end);
  for (const std::string& token :
       {options.unknown, classify, separate, parts.pad_token, config.Role("mask_token", "[MASK]")})
    AddSpecial(token, &parts);
  return parts;
}

absl::StatusOr<TokenizerParts> ReadByteLevelVocabulary(const std::string& vocabulary_path,
                                                       const std::string& merges_path,
                                                       const TokenizerConfig& config) {
  TokenizerParts parts;
  parts.path = vocabulary_path;
  ASHLAR_ASSIGN_OR_RETURN(ByteLevelKind kind, KindOf(vocabulary_path, config.tokenizer_class));
  ASHLAR_ASSIGN_OR_RETURN(JsonField root, JsonField::ReadFile(vocabulary_path));
  ASHLAR_ASSIGN_OR_RETURN(Vocabulary vocabulary, ReadVocabulary(root));
  ASHLAR_ASSIGN_OR_RETURN(std::vector<Bpe::Merge> merges, ReadMerges(merges_path, vocabulary));
  parts.model = std::make_unique<Bpe>(std::move(vocabulary), merges, Bpe::Options());
  const bool prefix = config.add_prefix_space.value_or(false);
  ASHLAR_ASSIGN_OR_RETURN(parts.pre_tokenizer, MakeByteLevelPreTokenizer(prefix));
  parts.decoder = MakeByteLevelDecoder();
  config.AppendTo(parts.model->vocabulary(), &parts.added_tokens);
  parts.pad_token = config.Role("pad_token", "");
  if (kind == ByteLevelKind::kQwen2) ASHLAR_RETURN_IF_ERROR(FinishQwen2(&parts));
  if (kind == ByteLevelKind::kRoberta)
    ASHLAR_RETURN_IF_ERROR(FinishRoberta(config, prefix, &parts));
  else
    AddSpecial("<|endoftext|>", &parts);
  return parts;
}

}  // namespace ashlar
