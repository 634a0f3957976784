// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tokenizer.json, tokenizer_config.json and a text, separated; the later ones may be missing.
#include "runtime/text/tokenizer.h"

#include "runtime/text/incremental_decoder.h"
#include "test/fuzz/fuzz.h"

std::vector<std::string> ashlar::fuzz::Seeds() { return {}; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace ashlar;
  static const fuzz::ScratchFolder folder;
  auto files = fuzz::SplitFiles({reinterpret_cast<const char *>(data), size});
  folder.Write("tokenizer.json", files[0]);
  folder.Write("tokenizer_config.json", files.size() > 1 ? files[1] : "{}");
  auto tokenizer = Tokenizer::Load(folder.path());
  if (!tokenizer.ok())
    return 0;
  std::string_view text = files.size() > 2 ? files[2] : "Hello, w\u00f6rld! [MASK] <s> 123";
  auto ids = (*tokenizer)->Tokenize(text.substr(0, 256));
  if (!ids.ok())
    return 0;
  auto decoded = (*tokenizer)->Decode(*ids, /*skip_special_tokens=*/false);
  fuzz::Require(decoded.ok() || !decoded.status().message().empty(), "an error has a message");
  (void)(*tokenizer)->EncodeBatch({std::string(text.substr(0, 64)), ""}, {}, 16);
  (void)(*tokenizer)->EncodeBatch({"a b"}, {std::string(text.substr(0, 64))}, 16);
  return 0;
}
