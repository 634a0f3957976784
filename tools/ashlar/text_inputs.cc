// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/text_inputs.h"

#include <algorithm>
#include <iostream>

#include "runtime/base/status.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

const fb::ValueT* FindInput(const fb::EntryT& entry, const std::string& name) {
  for (const auto& input : entry.inputs)
    if (input->name == name) return input.get();
  return nullptr;
}

// Shapes at the least and at the most that the artifact was compiled for.
struct Bounds {
  std::vector<int64_t> least, most;
};

Bounds ShapeBounds(const fb::ProgramT& program, const fb::ValueT& value) {
  std::vector<int64_t> minima, maxima;
  for (const auto& dim : program.dims) {
    minima.push_back(dim->minimum);
    maxima.push_back(dim->maximum);
  }
  Bounds bounds;
  for (const auto& extent : value.shape) {
    bounds.least.push_back(Evaluate(*extent, minima.data()));
    bounds.most.push_back(Evaluate(*extent, maxima.data()));
  }
  return bounds;
}

void WarnOfCutTexts(const EncodedBatch& batch, int64_t most) {
  for (size_t i = 0; i < batch.full_lengths.size(); ++i)
    if (batch.full_lengths[i] > most)
      std::cerr << "ashlar: warning: text " << i + 1 << " has " << batch.full_lengths[i]
                << " tokens, the artifact was compiled for at most " << most
                << ": its end was cut off\n";
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadTokenizer(const Program& program,
                                                               const std::string& vocabulary) {
  const bool beside = vocabulary.empty();
  auto tokenizer = Tokenizer::Load(beside ? program.metadata().weight_directory : vocabulary);
  if (!tokenizer.ok())
    return Annotate(tokenizer.status(),
                    beside ? "the vocabulary beside the model (--vocab DIR: another)" : "--vocab");
  return tokenizer;
}

absl::StatusOr<TextInputs> TextInputs::Encode(const Program& program, const std::string& entry_name,
                                              const TextRequest& request) {
  const fb::ProgramT& metadata = program.metadata();
  ASHLAR_ASSIGN_OR_RETURN(int index, program.FindEntry(entry_name));
  const fb::EntryT& entry = *metadata.entries[index];
  const fb::ValueT* ids = FindInput(entry, "input_ids");
  if (!ids || ids->shape.size() != 2)
    return NotFound("entry '", entry_name, "' has no input_ids [batch, seq] to take a text");
  const Bounds bounds = ShapeBounds(metadata, *ids);
  const int64_t texts = static_cast<int64_t>(request.texts.size());
  if (texts < bounds.least[0] || texts > bounds.most[0])
    return OutOfRange(texts, texts == 1 ? " text" : " texts",
                      ", the artifact was compiled for batches of ", bounds.least[0], "..",
                      bounds.most[0], " (`ashlar compile --batch` sets the bounds)");
  ASHLAR_ASSIGN_OR_RETURN(auto tokenizer, LoadTokenizer(program, request.vocabulary));
  TextInputs inputs;
  ASHLAR_ASSIGN_OR_RETURN(inputs.batch_, tokenizer->EncodeBatch(request.texts, request.pairs,
                                                                bounds.most[1], bounds.least[1]));
  const EncodedBatch& batch = inputs.batch_;
  WarnOfCutTexts(batch, bounds.most[1]);
  const std::vector<int64_t> shape = {batch.size, batch.length};
  inputs.tensors_.push_back({"input_ids", DType::kI64, shape, batch.ids.data()});
  const bool padded = std::count(batch.attention_mask.begin(), batch.attention_mask.end(), 0) > 0;
  if (FindInput(entry, "attention_mask"))
    inputs.tensors_.push_back({"attention_mask", DType::kI64, shape, batch.attention_mask.data()});
  else if (padded)
    return InvalidArgument("entry '", entry_name,
                           "' has no attention_mask, so texts must be of one length");
  if (FindInput(entry, "token_type_ids"))
    inputs.tensors_.push_back({"token_type_ids", DType::kI64, shape, batch.type_ids.data()});
  return inputs;
}

}  // namespace ashlar
