// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar.h: text.
#include <cstdlib>

#include "runtime/api/c/text_handles.h"
#include "runtime/text/incremental_decoder.h"

static_assert(sizeof(ashlar::Encoding::Offsets) == 2 * sizeof(int64_t),
              "offsets are shown as pairs of numbers");

struct ashlar_encoding {
  ashlar::EncodedBatch batch;
};

struct ashlar_decoder {
  std::shared_ptr<const ashlar::Tokenizer> tokenizer;
  ashlar::IncrementalDecoder decoder;
  std::string text;  // what the last step gave
  bool finished = false;
  bool is_torn = false;  // a call was broken off by an exception
};

namespace ashlar::c_api {
namespace {

absl::Status ReadTexts(const char* const* texts, size_t count, const char* name,
                       std::vector<std::string>* out) {
  for (size_t i = 0; i < count; ++i) {
    if (!texts[i]) return BadCall(name, "[", i, "] is null");
    out->emplace_back(texts[i]);
  }
  return absl::OkStatus();
}

// What an exception breaks off leaves half a step behind, which nothing goes on with.
template <typename Function>
absl::Status Step(ashlar_decoder* decoder, Function step, const char** text, size_t* size) {
  if (decoder->is_torn)
    return BadCall("the decoder's last call was broken off; make another and begin anew");
  decoder->is_torn = true;
  absl::StatusOr<std::string> made = step();
  decoder->is_torn = false;
  if (!made.ok()) return made.status();
  decoder->text = *std::move(made);
  *text = decoder->text.c_str();
  if (size) *size = decoder->text.size();
  return absl::OkStatus();
}

}  // namespace
}  // namespace ashlar::c_api

using namespace ashlar;
using namespace ashlar::c_api;

ashlar_error* ashlar_tokenizer_load(const char* path, ashlar_tokenizer** tokenizer) try {
  ASHLAR_C_REQUIRE(path && tokenizer, "path or tokenizer is null");
  *tokenizer = nullptr;
  auto loaded = Tokenizer::Load(path);
  if (!loaded.ok()) return ToError(loaded.status());
  *tokenizer = new ashlar_tokenizer{*std::move(loaded)};
  return nullptr;
} catch (...) {
  return CaughtError();
}

void ashlar_tokenizer_release(ashlar_tokenizer* tokenizer) { delete tokenizer; }

int64_t ashlar_tokenizer_find(const ashlar_tokenizer* tokenizer, const char* token) {
  if (!tokenizer || !token) return -1;
  return tokenizer->tokenizer->FindToken(token).value_or(-1);
}

ashlar_error* ashlar_tokenizer_encode(const ashlar_tokenizer* tokenizer, const char* const* texts,
                                      const char* const* pairs, size_t count,
                                      const ashlar_encode_options* options,
                                      ashlar_encoding** encoding) try {
  ASHLAR_C_REQUIRE(tokenizer && encoding && (texts || count == 0),
                   "tokenizer, texts or encoding is null");
  *encoding = nullptr;
  ashlar_encode_options given;
  ASHLAR_C_RETURN_IF_ERROR(ReadStruct(options, "ashlar_encode_options", &given));
  ASHLAR_C_REQUIRE(given.max_length >= 0 && given.min_length >= 0, "max_length is ",
                   given.max_length, " and min_length ", given.min_length, ", expected 0 or more");
  std::vector<std::string> first, second;
  ASHLAR_C_RETURN_IF_ERROR(ReadTexts(texts, count, "texts", &first));
  if (pairs) ASHLAR_C_RETURN_IF_ERROR(ReadTexts(pairs, count, "pairs", &second));
  auto batch = tokenizer->tokenizer->EncodeBatch(
      first, second, given.max_length > 0 ? given.max_length : Tokenizer::kNoLimit,
      given.min_length, given.no_special_tokens == 0);
  if (!batch.ok()) return ToError(batch.status());
  *encoding = new ashlar_encoding{*std::move(batch)};
  return nullptr;
} catch (...) {
  return CaughtError();
}

void ashlar_encoding_release(ashlar_encoding* encoding) { delete encoding; }

ashlar_error* ashlar_encoding_view(const ashlar_encoding* encoding, ashlar_encoded* encoded) try {
  ASHLAR_C_REQUIRE(encoding, "encoding is null");
  const EncodedBatch& batch = encoding->batch;
  ashlar_encoded full = {};
  full.rows = batch.size;
  full.length = batch.length;
  full.ids = batch.ids.data();
  full.attention_mask = batch.attention_mask.data();
  full.type_ids = batch.type_ids.data();
  full.offsets = reinterpret_cast<const int64_t*>(batch.offsets.data());
  full.sequences = batch.sequences.data();
  return ToError(WriteStruct(full, "ashlar_encoded", encoded));
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_tokenizer_decode(const ashlar_tokenizer* tokenizer, const int64_t* ids,
                                      size_t count, int32_t keep_special_tokens, char** text,
                                      size_t* size) try {
  ASHLAR_C_REQUIRE(tokenizer && text && (ids || count == 0), "tokenizer, ids or text is null");
  *text = nullptr;
  auto decoded = tokenizer->tokenizer->Decode(std::vector<int64_t>(ids, ids + count),
                                              keep_special_tokens == 0);
  if (!decoded.ok()) return ToError(decoded.status());
  char* copy = static_cast<char*>(std::malloc(decoded->size() + 1));
  if (!copy)
    return ToError(WithCode(ErrorCode::kOutOfMemory, ResourceExhausted("no memory for a text of ",
                                                                       decoded->size(), " bytes")));
  std::memcpy(copy, decoded->c_str(), decoded->size() + 1);
  *text = copy;
  if (size) *size = decoded->size();
  return nullptr;
} catch (...) {
  return CaughtError();
}

void ashlar_text_release(char* text) { std::free(text); }

ashlar_error* ashlar_decoder_create(const ashlar_tokenizer* tokenizer, int32_t keep_special_tokens,
                                    ashlar_decoder** decoder) try {
  ASHLAR_C_REQUIRE(tokenizer && decoder, "tokenizer or decoder is null");
  *decoder = nullptr;
  *decoder =
      new ashlar_decoder{tokenizer->tokenizer,
                         IncrementalDecoder(*tokenizer->tokenizer, keep_special_tokens == 0), ""};
  return nullptr;
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_decoder_push(ashlar_decoder* decoder, int64_t id, const char** text,
                                  size_t* size) try {
  ASHLAR_C_REQUIRE(decoder && text, "decoder or text is null");
  ASHLAR_C_REQUIRE(!decoder->finished, "the decoder is finished; make another for another text");
  return ToError(Step(decoder, [&] { return decoder->decoder.Push(id); }, text, size));
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_decoder_finish(ashlar_decoder* decoder, const char** text, size_t* size) try {
  ASHLAR_C_REQUIRE(decoder && text, "decoder or text is null");
  ASHLAR_C_REQUIRE(!decoder->finished, "the decoder is finished already");
  ASHLAR_C_RETURN_IF_ERROR(Step(decoder, [&] { return decoder->decoder.Finish(); }, text, size));
  decoder->finished = true;
  return nullptr;
} catch (...) {
  return CaughtError();
}

void ashlar_decoder_release(ashlar_decoder* decoder) { delete decoder; }
