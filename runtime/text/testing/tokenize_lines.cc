// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tokenizer makes of many texts, for comparison with other implementations
// (testdata/compare.py):
//
//   tokenize_lines PATH < requests > answers
//
// A request is a line of JSON, {"text": ..., "pair": ..., "special": bool} or {"decode": [ids],
// "skip": bool}; so is an answer: the lists of an Encoding, offsets in characters; or "text", and
// "pieces" as they come token by token.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "runtime/base/status.h"
#include "runtime/text/incremental_decoder.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using nlohmann::json;

json Characters(const Encoding& encoding, const std::string& text, const std::string& pair) {
  std::vector<int64_t> places[2];
  DecodeUtf8(text, &places[0]);
  DecodeUtf8(pair, &places[1]);
  json all = json::array();
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    // A place is looked up in the text whose it can be; `sequences` says which.
    const auto& offsets = encoding.offsets[i];
    const auto& of = places[encoding.sequences[i] == 1 ? 1 : 0];
    auto index = [&](int64_t byte) {
      return std::lower_bound(of.begin(), of.end(), byte) - of.begin();
    };
    all.push_back({index(offsets.begin), index(offsets.end)});
  }
  return all;
}

absl::StatusOr<json> Encode(const Tokenizer& tokenizer, const json& request) {
  const std::string text = request["text"].get<std::string>(), pair = request.value("pair", "");
  std::optional<std::string_view> second;
  if (request.contains("pair")) second = pair;
  ASHLAR_ASSIGN_OR_RETURN(Encoding encoding,
                          tokenizer.Encode(text, second, {}, request.value("special", true)));
  return json{{"ids", encoding.ids},
              {"type_ids", encoding.type_ids},
              {"special_tokens_mask", encoding.special_tokens_mask},
              {"offsets", Characters(encoding, text, pair)}};
}

absl::StatusOr<json> Decode(const Tokenizer& tokenizer, const json& request) {
  const auto ids = request["decode"].get<std::vector<int64_t>>();
  const bool skip = request.value("skip", true);
  json answer;
  ASHLAR_ASSIGN_OR_RETURN(answer["text"], tokenizer.Decode(ids, skip));
  IncrementalDecoder decoder(tokenizer, skip);
  answer["pieces"] = json::array();
  for (int64_t id : ids) {
    ASHLAR_ASSIGN_OR_RETURN(std::string piece, decoder.Push(id));
    answer["pieces"].push_back(piece);
  }
  ASHLAR_ASSIGN_OR_RETURN(std::string rest, decoder.Finish());
  answer["pieces"].push_back(rest);
  return answer;
}

int Main(const std::string& path) {
  auto tokenizer = Tokenizer::Load(path);
  if (!tokenizer.ok()) {
    std::cerr << Message(tokenizer.status()) << "\n";
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line, nullptr, false);
    if (!request.is_object()) {
      std::cerr << "a request that is no JSON object: " << Printable(line) << "\n";
      return 1;
    }
    auto answer =
        request.contains("decode") ? Decode(**tokenizer, request) : Encode(**tokenizer, request);
    std::cout << (answer.ok() ? *answer : json{{"error", Message(answer.status())}}).dump() << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace ashlar

int main(int argc, char** argv) {
  if (argc == 2) return ashlar::Main(argv[1]);
  std::cerr << "usage: tokenize_lines PATH < requests\n";
  return 2;
}
