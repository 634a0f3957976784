// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A SentencePiece model; after a separator a text.
#include "runtime/text/tokenizer.h"
#include "test/fuzz/fuzz.h"

std::vector<std::string> ashlar::fuzz::Seeds() {
  return ReadTree("runtime/text/testdata/families", ".model");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace ashlar;
  static const fuzz::ScratchFolder folder;
  auto files = fuzz::SplitFiles({reinterpret_cast<const char *>(data), size});
  auto tokenizer = Tokenizer::Load(folder.Write("tokenizer.model", files[0]));
  if (!tokenizer.ok())
    return 0;
  std::string_view text = files.size() > 1 ? files[1] : "Hello, w\u00f6rld!  \xe2\x96\x81x";
  if (auto ids = (*tokenizer)->Tokenize(text.substr(0, 256)); ids.ok())
    (void)(*tokenizer)->Decode(*ids);
  return 0;
}
