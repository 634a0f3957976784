// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/decoder_stages.h"

#include <algorithm>
#include <utility>

#include "runtime/base/status.h"
#include "runtime/text/parts/byte_characters.h"
#include "runtime/text/parts/model.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

// Appends a part of a token, of which more may follow.
void Give(std::string text, bool begins, std::vector<Chunk>* out) {
  if (!text.empty() || begins) out->push_back({std::move(text), begins, /*ends=*/false});
}

}  // namespace

absl::Status JoinWithBlanks::Push(Chunk chunk, std::vector<Chunk>* out) {
  if (chunk.begins && !first_) chunk.text.insert(0, " ");
  first_ = false;
  out->push_back(std::move(chunk));
  return absl::OkStatus();
}

absl::Status ByteLevelStage::Push(Chunk chunk, std::vector<Chunk>* out) {
  std::string bytes;
  for (char32_t c : DecodeUtf8(chunk.text)) {
    const int byte = ByteOfCharacter(c);
    if (byte < 0) {
      bytes = chunk.text;
      break;
    }
    bytes += static_cast<char>(byte);
  }
  Give(bytes_.Push(bytes), /*begins=*/false, out);
  return absl::OkStatus();
}

absl::Status ByteLevelStage::Finish(std::vector<Chunk>* out) {
  Give(bytes_.Finish(), /*begins=*/false, out);
  return absl::OkStatus();
}

absl::Status ByteFallbackStage::Push(Chunk chunk, std::vector<Chunk>* out) {
  const int byte = ByteOfToken(chunk.text);
  if (byte < 0 || !chunk.begins) {
    ASHLAR_RETURN_IF_ERROR(Finish(out));
    out->push_back(std::move(chunk));
    return absl::OkStatus();
  }
  const char character = static_cast<char>(byte);
  if (!streaming_) {
    run_ += character;
    return absl::OkStatus();
  }
  std::string text = bytes_.Push(std::string_view(&character, 1));
  if (text.empty()) return absl::OkStatus();
  Give(std::move(text), !begun_, out);
  begun_ = true;
  return absl::OkStatus();
}

absl::Status ByteFallbackStage::Finish(std::vector<Chunk>* out) {
  if (streaming_) {
    std::string text = bytes_.Finish();
    if (!text.empty()) Give(std::move(text), !begun_, out);
    begun_ = false;
    return absl::OkStatus();
  }
  if (run_.empty()) return absl::OkStatus();
  if (IsUtf8(run_)) {
    out->push_back({std::move(run_)});
  } else {
    for (size_t i = 0; i < run_.size(); ++i) out->push_back({"\xEF\xBF\xBD"});
  }
  run_.clear();
  return absl::OkStatus();
}

absl::Status FuseStage::Push(Chunk chunk, std::vector<Chunk>* out) {
  Give(std::move(chunk.text), first_, out);
  first_ = false;
  return absl::OkStatus();
}

absl::Status StripStage::Push(Chunk chunk, std::vector<Chunk>* out) {
  if (chunk.begins) {
    ASHLAR_RETURN_IF_ERROR(Finish(out));
    to_cut_ = start_;
  }
  std::u32string text = DecodeUtf8(chunk.text);
  size_t cut = 0;
  while (to_cut_ > 0 && cut < text.size() && text[cut] == content_) ++cut, --to_cut_;
  if (cut < text.size()) to_cut_ = 0;
  held_ += text.substr(cut);
  // Only the last characters can be the end.
  const size_t ready = held_.size() - std::min(held_.size(), stop_);
  Give(EncodeUtf8(std::u32string_view(held_).substr(0, ready)), chunk.begins, out);
  held_.erase(0, ready);
  return chunk.ends ? Finish(out) : absl::OkStatus();
}

absl::Status StripStage::Finish(std::vector<Chunk>* out) {
  while (!held_.empty() && held_.back() == content_) held_.pop_back();
  Give(EncodeUtf8(held_), /*begins=*/false, out);
  held_.clear();
  return absl::OkStatus();
}

absl::Status VisibleBlankStage::Push(Chunk chunk, std::vector<Chunk>* out) {
  constexpr std::string_view kVisibleBlank = "\xE2\x96\x81";
  if (!begun_ && chunk.text.compare(0, kVisibleBlank.size(), kVisibleBlank) == 0) {
    chunk.text.erase(0, kVisibleBlank.size());
    begun_ = !all_;
  }
  begun_ |= !chunk.text.empty();
  chunk.text = ReplaceAll(std::move(chunk.text), kVisibleBlank, " ");
  out->push_back(std::move(chunk));
  return absl::OkStatus();
}

absl::Status WholeTokenStage::Push(Chunk chunk, std::vector<Chunk>* out) {
  if (chunk.begins) ASHLAR_RETURN_IF_ERROR(TakeGathered(out));
  token_ += chunk.text;
  any_ = true;
  return chunk.ends ? TakeGathered(out) : absl::OkStatus();
}

absl::Status WholeTokenStage::Finish(std::vector<Chunk>* out) {
  ASHLAR_RETURN_IF_ERROR(TakeGathered(out));
  return End(out);
}

absl::Status WholeTokenStage::TakeGathered(std::vector<Chunk>* out) {
  if (!any_) return absl::OkStatus();
  any_ = false;
  return Take(std::exchange(token_, std::string()), index_++, out);
}

absl::Status SuffixStage::Take(std::string token, size_t, std::vector<Chunk>* out) {
  if (any_) out->push_back({ReplaceAll(std::move(last_), suffix_, " ")});
  last_ = std::move(token);
  any_ = true;
  return absl::OkStatus();
}

absl::Status SuffixStage::End(std::vector<Chunk>* out) {
  if (any_) out->push_back({ReplaceAll(std::move(last_), suffix_, "")});
  any_ = false;
  return absl::OkStatus();
}

absl::Status CtcStage::Take(std::string token, size_t index, std::vector<Chunk>* out) {
  const bool repeated = index > 0 && token == last_;
  last_ = token;
  if (repeated) return absl::OkStatus();
  token = ReplaceAll(std::move(token), pad_, "");
  if (cleanup_) token = ReplaceAll(CleanUpBlanks(std::move(token)), delimiter_, " ");
  if (!token.empty()) out->push_back({std::move(token)});
  return absl::OkStatus();
}

std::string ReplaceAll(std::string text, std::string_view from, std::string_view to) {
  if (from.empty() || text.find(from) == std::string::npos) return text;
  std::string result;
  size_t done = 0;
  for (size_t at; (at = text.find(from, done)) != std::string::npos; done = at + from.size()) {
    result.append(text, done, at - done);
    result += to;
  }
  return result.append(text, done, std::string::npos);
}

std::string CleanUpBlanks(std::string text) {
  constexpr std::pair<const char*, const char*> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) text = ReplaceAll(std::move(text), from, to);
  return text;
}

}  // namespace ashlar
