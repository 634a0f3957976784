// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/files/sentencepiece.h"

#include <algorithm>
#include <map>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/text/files/sentencepiece_proto.h"
#include "runtime/text/parts/bpe.h"
#include "runtime/text/parts/sentencepiece_normalizer.h"
#include "runtime/text/parts/unigram.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using Proto = SentencePieceProto;
constexpr uint64_t kMaxBytes = 64 << 20;

// Cuts user-defined symbols out, which are tokens as they are.
class SymbolSplitter : public PreTokenizer {
 public:
  explicit SymbolSplitter(std::shared_ptr<const AddedTokens> symbols)
      : symbols_(std::move(symbols)) {}
  absl::Status Apply(Pieces* pieces) const override {
    std::vector<Piece> result;
    for (const Piece& piece : pieces->pieces) {
      if (piece.token >= 0) {
        result.push_back(piece);
        continue;
      }
      const auto text =
          std::u32string_view(pieces->text.chars).substr(piece.begin, piece.end - piece.begin);
      for (const AddedTokens::Part& part : symbols_->Split(text))
        result.push_back({piece.begin + part.begin, piece.begin + part.end, part.id, piece.origin});
    }
    pieces->pieces = std::move(result);
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<const AddedTokens> symbols_;
};

// All ways in which two pieces make a third, those of the highest score first.
std::vector<Bpe::Merge> AllMerges(const Proto& proto) {
  Vocabulary normal;
  std::map<float, uint32_t, std::greater<float>> ranks;
  for (size_t id = 0; id < proto.pieces.size(); ++id) {
    if (proto.pieces[id].type != Proto::Type::kNormal) continue;
    normal.Add(proto.pieces[id].text, static_cast<int64_t>(id));
    ranks[proto.pieces[id].score] = 0;
  }
  uint32_t rank = 0;
  for (auto& [score, place] : ranks) place = rank++;
  std::vector<Bpe::Merge> merges;
  for (const Proto::Piece& piece : proto.pieces) {
    if (piece.type != Proto::Type::kNormal) continue;
    const std::string_view text = piece.text;
    for (size_t cut = 1; cut < text.size(); ++cut) {
      std::optional<int64_t> left = normal.Find(text.substr(0, cut)), right;
      if (!left || !(right = normal.Find(text.substr(cut)))) continue;
      merges.push_back({*left, *right, *normal.Find(text), ranks[piece.score]});
    }
  }
  return merges;
}

std::unique_ptr<const Model> MakeBpe(const Proto& proto, const std::string& unknown) {
  Bpe::Options options;
  options.unknown = unknown;
  options.fuse_unknown = true;
  options.byte_fallback = proto.byte_fallback;
  Vocabulary vocabulary;
  for (size_t id = 0; id < proto.pieces.size(); ++id)
    vocabulary.Add(proto.pieces[id].text, static_cast<int64_t>(id));
  return std::make_unique<Bpe>(std::move(vocabulary), AllMerges(proto), options);
}

std::unique_ptr<const Model> MakeUnigram(const Proto& proto, int64_t unknown) {
  float least = 0;
  bool any = false;
  for (const Proto::Piece& piece : proto.pieces) {
    if (piece.type != Proto::Type::kNormal) continue;
    least = any ? std::min(least, piece.score) : piece.score;
    any = true;
  }
  std::vector<Unigram::Piece> pieces;
  for (const Proto::Piece& piece : proto.pieces) {
    pieces.push_back({piece.text, piece.score, piece.type == Proto::Type::kNormal});
  }
  Unigram::Options options;
  options.unknown = unknown;
  options.byte_fallback = proto.byte_fallback;
  options.unknown_by_name = false;
  options.single_precision = true;
  options.least_score = least;
  return std::make_unique<Unigram>(pieces, options);
}

absl::StatusOr<int64_t> CheckPieces(const std::string& path, const Proto& proto) {
  int64_t unknown = -1;
  for (size_t id = 0; id < proto.pieces.size(); ++id) {
    if (proto.pieces[id].type == Proto::Type::kUnused)
      return Unimplemented(path, ": piece ", id, ", '", Printable(proto.pieces[id].text),
                           "', is marked unused, which is not supported");
    if (proto.pieces[id].type != Proto::Type::kUnknown) continue;
    if (unknown >= 0) return DataLoss(path, ": pieces ", unknown, " and ", id, " are both unknown");
    unknown = static_cast<int64_t>(id);
  }
  if (unknown < 0) return DataLoss(path, ": no piece stands for the unknown");
  if (proto.algorithm != Proto::Algorithm::kUnigram && proto.algorithm != Proto::Algorithm::kBpe)
    return Unimplemented(path,
                         ": a model of words or characters is not supported; unigram and "
                         "BPE are");
  return unknown;
}

// What the class puts around a text.
absl::Status AddTemplate(const TokenizerConfig& config, TokenizerParts* parts) {
  const std::string& name = config.tokenizer_class;
  const Vocabulary& vocabulary = parts->model->vocabulary();
  std::vector<PostProcessor::Item> begin, end;
  int64_t second_type = 0;
  auto append = [&](const char* role, const char* otherwise,
                    std::vector<PostProcessor::Item>* items) -> absl::Status {
    const std::string token = config.Role(role, otherwise);
    std::optional<int64_t> id = vocabulary.Find(token);
    if (!id)
      return DataLoss(parts->path, ": the vocabulary has no '", Printable(token), "', the ", role,
                      " of a ", name);
    items->push_back({{*id}, 0, 0});
    return absl::OkStatus();
  };
  const bool llama =
      name == "LlamaTokenizer" || name == "CodeLlamaTokenizer" || name == "GemmaTokenizer";
  if (config.add_bos_token.value_or(llama))
    ASHLAR_RETURN_IF_ERROR(append("bos_token", "<s>", &begin));
  if (config.add_eos_token.value_or(false))
    ASHLAR_RETURN_IF_ERROR(append("eos_token", "</s>", &end));
  if (name == "T5Tokenizer") {
    ASHLAR_RETURN_IF_ERROR(append("eos_token", "</s>", &end));
  } else if (name == "AlbertTokenizer") {
    ASHLAR_RETURN_IF_ERROR(append("cls_token", "[CLS]", &begin));
    ASHLAR_RETURN_IF_ERROR(append("sep_token", "[SEP]", &end));
    second_type = 1;
  } else if (!name.empty() && !llama) {
    return Unimplemented(parts->path, ": what a ", Printable(name),
                         " makes of this model is not known here; transformers' save_pretrained "
                         "writes a tokenizer.json, which says it");
  }
  PostProcessor::Template items;
  auto add = [&](std::vector<PostProcessor::Item>* to, int sequence, int64_t type,
                 const std::vector<PostProcessor::Item>& before) {
    to->insert(to->end(), before.begin(), before.end());
    to->push_back({{}, sequence, type});
    for (PostProcessor::Item item : end) {
      item.type_id = type;
      to->push_back(item);
    }
  };
  add(&items.single, 0, 0, begin);
  add(&items.pair, 0, 0, begin);
  add(&items.pair, 1, second_type, llama ? begin : std::vector<PostProcessor::Item>());
  parts->post_processor = PostProcessor(std::move(items));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerParts> ReadSentencePieceModel(const std::string& path,
                                                      const TokenizerConfig& config) {
  ASHLAR_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, kMaxBytes));
  ASHLAR_ASSIGN_OR_RETURN(Proto proto, Proto::Parse(path, bytes));
  ASHLAR_ASSIGN_OR_RETURN(int64_t unknown, CheckPieces(path, proto));
  TokenizerParts parts;
  parts.path = path;
  const bool bpe = proto.algorithm == Proto::Algorithm::kBpe;
  const size_t unknown_place = static_cast<size_t>(unknown);
  parts.model =
      bpe ? MakeBpe(proto, proto.pieces[unknown_place].text) : MakeUnigram(proto, unknown);
  auto symbols = std::make_shared<AddedTokens>();
  for (size_t id = 0; id < proto.pieces.size(); ++id) {
    AddedToken token;
    token.content = proto.pieces[id].text;
    token.id = static_cast<int64_t>(id);
    token.searched = false;
    token.special = true;
    const Proto::Type type = proto.pieces[id].type;
    if (type == Proto::Type::kUserDefined) symbols->Add(DecodeUtf8(token.content), token);
    if (type == Proto::Type::kControl || type == Proto::Type::kUnknown)
      parts.added_tokens.push_back(std::move(token));
  }
  auto map = Charsmap::FromBytes(proto.charsmap);
  if (!map.ok()) return Annotate(map.status(), path);
  SentencePieceNormalizer::Options options;
  options.add_dummy_prefix = proto.add_dummy_prefix;
  options.remove_extra_blanks = proto.remove_extra_blanks;
  options.escape_blanks = proto.escape_blanks;
  options.blank_as_suffix = proto.blank_as_suffix;
  parts.normalizer = std::make_unique<SentencePieceNormalizer>(*std::move(map), symbols, options);
  parts.pre_tokenizer = std::make_unique<SymbolSplitter>(symbols);
  parts.decoder = MakeSentencePieceDecoder(proto.add_dummy_prefix || proto.remove_extra_blanks,
                                           proto.remove_extra_blanks);
  if (config.tokenizer_class == "T5Tokenizer" && config.added.empty()) {
    const int64_t size = static_cast<int64_t>(proto.pieces.size());
    for (int64_t i = 0; i < std::min<int64_t>(config.extra_ids, 10000); ++i) {
      AddedToken token;
      token.content = StrCat("<extra_id_", i, ">");
      token.id = size + config.extra_ids - 1 - i;
      token.special = true;
      parts.added_tokens.push_back(std::move(token));
    }
  }
  config.AppendTo(parts.model->vocabulary(), &parts.added_tokens);
  parts.pad_token = config.Role("pad_token", "");
  if (parts.pad_token.empty() && parts.model->vocabulary().Find("<pad>")) parts.pad_token = "<pad>";
  ASHLAR_RETURN_IF_ERROR(AddTemplate(config, &parts));
  return parts;
}

}  // namespace ashlar
