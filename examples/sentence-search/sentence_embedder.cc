// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "examples/sentence-search/sentence_embedder.h"

#include <algorithm>

#include "runtime/base/status.h"

namespace ashlar {

absl::StatusOr<std::unique_ptr<SentenceEmbedder>>
SentenceEmbedder::Load(const std::string &artifact, const std::string &vocabulary) {
  std::unique_ptr<SentenceEmbedder> embedder(new SentenceEmbedder());
  ASHLAR_ASSIGN_OR_RETURN(embedder->tokenizer_, Tokenizer::Load(vocabulary));
  ASHLAR_ASSIGN_OR_RETURN(auto program, Program::Load(artifact));
  for (const auto &dim : program->metadata().dims) {
    if (dim->name == "batch")
      embedder->max_batch_ = dim->maximum;
    if (dim->name == "seq")
      embedder->max_length_ = dim->maximum;
  }
  ASHLAR_ASSIGN_OR_RETURN(embedder->session_, Session::Create(program, {}));
  return embedder;
}

absl::StatusOr<std::vector<std::vector<float>>>
SentenceEmbedder::Embed(const std::vector<std::string> &sentences) {
  std::vector<std::vector<float>> embeddings;
  std::vector<Tensor> outputs;
  while (embeddings.size() < sentences.size()) {
    auto begin = sentences.begin() + static_cast<std::ptrdiff_t>(embeddings.size());
    auto end = begin + std::min<int64_t>(max_batch_, sentences.end() - begin);
    ASHLAR_ASSIGN_OR_RETURN(EncodedBatch batch,
                            tokenizer_->EncodeBatch({begin, end}, {}, max_length_));
    const std::vector<int64_t> shape = {batch.size, batch.length};
    ASHLAR_RETURN_IF_ERROR(
        session_->Run("forward",
                      {{"input_ids", DType::kI64, shape, batch.ids.data()},
                       {"attention_mask", DType::kI64, shape, batch.attention_mask.data()}},
                      &outputs));
    if (outputs[0].name != "sentence_embedding")
      return InvalidArgument("the artifact gives '", outputs[0].name,
                             "'; compile the model with --head sentence-embedding");
    const int64_t width = outputs[0].shape[1];
    for (int64_t i = 0; i < batch.size; ++i) {
      const float *row = outputs[0].as<float>() + i * width;
      embeddings.emplace_back(row, row + width);
    }
  }
  return embeddings;
}

float Similarity(const std::vector<float> &a, const std::vector<float> &b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += a[i] * b[i];
  return sum;
}

} // namespace ashlar
