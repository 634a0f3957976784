// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sentence-search: the lines of a text that mean what a query means, and a table of how alike
// sentences are.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <numeric>

#include "examples/sentence-search/sentence_embedder.h"
#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

constexpr const char *kUsage =
    "usage: sentence-search X.ashlar VOCAB_DIR --corpus FILE.txt --query TEXT [--top N]\n"
    "                       [--compare TEXT --compare TEXT ...]\n\n"
    "Prints the N lines (default: 3) of FILE.txt that are nearest to each query, and a table of\n"
    "similarities: of the --compare sentences, or else of the query and what was found.\n"
    "X.ashlar comes from `ashlar compile DIR --head sentence-embedding`; VOCAB_DIR has its\n"
    "tokenizer.json or vocab.txt.\n";

struct Request {
  std::string artifact, vocabulary, corpus;
  std::vector<std::string> queries, compared;
  size_t top = 3;
};

bool Parse(const std::vector<std::string> &words, Request *request) {
  std::vector<std::string> positional;
  std::string top = "3";
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].rfind("--", 0) != 0) {
      positional.push_back(words[i]);
      continue;
    }
    if (i + 1 == words.size())
      return false;
    const std::string &value = words[i + 1];
    if (words[i] == "--corpus")
      request->corpus = value;
    else if (words[i] == "--query")
      request->queries.push_back(value);
    else if (words[i] == "--compare")
      request->compared.push_back(value);
    else if (words[i] == "--top")
      top = value;
    else
      return false;
    ++i;
  }
  request->top = std::strtoul(top.c_str(), nullptr, 10);
  if (positional.size() != 2 || request->top == 0)
    return false;
  request->artifact = positional[0];
  request->vocabulary = positional[1];
  return request->corpus.empty() == request->queries.empty() &&
         !(request->queries.empty() && request->compared.empty());
}

absl::StatusOr<std::vector<std::string>> ReadLines(const std::string &path) {
  std::ifstream file(path);
  if (!file)
    return NotFound("cannot read ", path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (line.find_first_not_of(" \t\r") != std::string::npos)
      lines.push_back(line);
  return lines;
}

// The text in exactly `width` columns, for scripts of one column per character.
std::string Fitted(const std::string &text, size_t width) {
  std::u32string characters = DecodeUtf8(text);
  if (characters.size() > width)
    characters = characters.substr(0, width - 3) + U"...";
  characters.resize(width, U' ');
  std::string result;
  for (char32_t c : characters)
    AppendUtf8(c, &result);
  return result;
}

absl::Status PrintTable(SentenceEmbedder &embedder, const std::vector<std::string> &sentences) {
  ASHLAR_ASSIGN_OR_RETURN(auto embeddings, embedder.Embed(sentences));
  constexpr size_t kColumns = 48;
  std::cout << "\nsimilarity" << std::string(kColumns - 6, ' ');
  for (size_t i = 0; i < sentences.size(); ++i)
    std::printf("%6zu", i + 1);
  std::printf("\n");
  for (size_t i = 0; i < sentences.size(); ++i) {
    std::printf("%2zu  %s", i + 1, Fitted(sentences[i], kColumns).c_str());
    for (const auto &other : embeddings)
      std::printf("%6.2f", Similarity(embeddings[i], other));
    std::printf("\n");
  }
  return absl::OkStatus();
}

// Prints the lines nearest to the query, and returns them.
absl::StatusOr<std::vector<std::string>> Search(SentenceEmbedder &embedder,
                                                const std::vector<std::string> &lines,
                                                const std::vector<std::vector<float>> &embeddings,
                                                const std::string &query, size_t top) {
  ASHLAR_ASSIGN_OR_RETURN(auto wanted, embedder.Embed({query}));
  std::vector<float> scores;
  for (const auto &embedding : embeddings)
    scores.push_back(Similarity(wanted[0], embedding));
  std::vector<size_t> order(lines.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  });
  order.resize(std::min(top, order.size()));
  std::printf("\nquery: %s\n", query.c_str());
  std::vector<std::string> found;
  for (size_t line : order) {
    std::printf("%6.2f  %s\n", scores[line], lines[line].c_str());
    found.push_back(lines[line]);
  }
  return found;
}

absl::Status Run(const Request &request) {
  ASHLAR_ASSIGN_OR_RETURN(auto embedder,
                          SentenceEmbedder::Load(request.artifact, request.vocabulary));
  std::vector<std::string> compared = request.compared;
  if (!compared.empty())
    ASHLAR_RETURN_IF_ERROR(PrintTable(*embedder, compared));
  if (request.corpus.empty())
    return absl::OkStatus();
  ASHLAR_ASSIGN_OR_RETURN(std::vector<std::string> lines, ReadLines(request.corpus));
  ASHLAR_ASSIGN_OR_RETURN(auto embeddings, embedder->Embed(lines));
  for (const std::string &query : request.queries) {
    ASHLAR_ASSIGN_OR_RETURN(std::vector<std::string> found,
                            Search(*embedder, lines, embeddings, query, request.top));
    found.insert(found.begin(), query);
    if (compared.empty())
      ASHLAR_RETURN_IF_ERROR(PrintTable(*embedder, found));
  }
  return absl::OkStatus();
}

} // namespace
} // namespace ashlar

int main(int argc, char **argv) {
  ashlar::Request request;
  if (!ashlar::Parse(std::vector<std::string>(argv + 1, argv + argc), &request)) {
    std::cerr << ashlar::kUsage;
    return 2;
  }
  absl::Status status = ashlar::Run(request);
  if (status.ok())
    return 0;
  std::cerr << "sentence-search: error: " << ashlar::Message(status) << "\n";
  return 1;
}
