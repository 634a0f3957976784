// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/files/tokenizer_files.h"

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/text/files/sentencepiece.h"
#include "runtime/text/files/tokenizer_config.h"
#include "runtime/text/files/tokenizer_json.h"
#include "runtime/text/files/vocabulary_files.h"

namespace ashlar {
namespace {

constexpr std::string_view kVocabJson = "vocab.json";

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

absl::StatusOr<TokenizerParts> ReadVocabularyFile(const std::string& path,
                                                  const TokenizerConfig& config) {
  if (EndsWith(path, kVocabJson)) {
    std::string merges = path.substr(0, path.size() - kVocabJson.size()) + "merges.txt";
    return ReadByteLevelVocabulary(path, merges, config);
  }
  if (EndsWith(path, ".json")) return ReadTokenizerJson(path, config);
  if (EndsWith(path, ".model")) return ReadSentencePieceModel(path, config);
  return ReadBertVocabulary(path, config);
}

}  // namespace

absl::StatusOr<TokenizerParts> ReadTokenizerFiles(const std::string& path) {
  if (!IsDirectory(path)) return ReadVocabularyFile(path, {});
  for (const char* name : {"tokenizer.json", "vocab.json", "tokenizer.model", "spiece.model",
                           "sentencepiece.bpe.model", "spm.model", "vocab.txt"}) {
    const std::string file = StrCat(path, "/", name);
    if (!IsRegularFile(file)) continue;
    ASHLAR_ASSIGN_OR_RETURN(TokenizerConfig config, TokenizerConfig::Read(path));
    return ReadVocabularyFile(file, config);
  }
  return NotFound(path,
                  ": expected a tokenizer.json or vocab.txt, a vocab.json with merges.txt, or a "
                  "tokenizer.model in this directory");
}

}  // namespace ashlar
