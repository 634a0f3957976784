// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/testing/tiny_decoder.h"

#include "runtime/program/artifact_writer.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar::testing {
namespace {

constexpr uint16_t kBatch = 0, kSeq = 1;
constexpr int64_t kVocabulary = 50, kContext = 24;

std::unique_ptr<fb::EntryT> MakeEntry(const std::string& name, bool prefill) {
  auto seq = [&] { return prefill ? MakeExtent({kSeq}) : MakeExtent({}); };
  auto entry = std::make_unique<fb::EntryT>();
  uint64_t ids_bytes = 2 * (prefill ? 16 : 1) * 8, logits_bytes = 2 * kVocabulary * 4;
  entry->name = name;
  entry->arena_bytes = entry->arena_lower_bound = 256 + logits_bytes;
  entry->inputs.push_back(MakeValue("input_ids", fb::DType::I64, 0, ids_bytes));
  entry->inputs[0]->shape.push_back(MakeExtent({kBatch}));
  entry->inputs[0]->shape.push_back(seq());
  entry->inputs[0]->maximum = MakeExtent({}, kVocabulary - 1);
  entry->outputs.push_back(MakeValue("logits", fb::DType::F32, 256, logits_bytes));
  entry->outputs[0]->shape.push_back(MakeExtent({kBatch}));
  entry->outputs[0]->shape.push_back(MakeExtent({}, kVocabulary));
  auto launch = MakeLaunch(0, "lm");
  launch->operands.push_back(MakeOperand(fb::Space::Arena, 0, ids_bytes));
  launch->operands.push_back(MakeOperand(fb::Space::State, 0, 16));
  launch->operands.push_back(MakeOperand(fb::Space::Arena, 256, logits_bytes));
  launch->extents.push_back(MakeExtent({}, kVocabulary));
  launch->extents.push_back(seq());
  launch->extents.push_back(MakeExtent({kBatch}));
  launch->work.push_back(MakeWork(fb::WorkKind::Elementwise, MakeExtent({kBatch}, kVocabulary)));
  launch->work.push_back(MakeWork(fb::WorkKind::ArenaWrite, MakeExtent({kBatch}, kVocabulary * 4)));
  entry->launches.push_back(std::move(launch));
  auto limit = std::make_unique<fb::CounterLimitT>();
  limit->rows = MakeExtent({kBatch});
  limit->add = seq();
  limit->limit = kContext;
  entry->limits.push_back(std::move(limit));
  return entry;
}

}  // namespace

TinyDecoder::TinyDecoder(const std::string& eos_token_id) {
  program.producer = "test";
  program.weight_source = fb::WeightSource::Random;
  program.dims.push_back(MakeDim("batch", 2));
  program.dims.push_back(MakeDim("seq", 16));
  if (!eos_token_id.empty()) {
    program.properties.push_back(std::make_unique<fb::PropertyT>());
    program.properties[0]->key = "eos_token_id";
    program.properties[0]->value = eos_token_id;
  }
  AddKernel(program, code, "next_token",
            {fb::Access::Read, fb::Access::ReadWrite, fb::Access::Write}, 3, 0);
  program.states.push_back(MakeState("length", 0, 16));
  program.state_bytes = 16;
  program.entries.push_back(MakeEntry("prefill", true));
  program.entries.push_back(MakeEntry("decode", false));
}

absl::Status TinyDecoder::Write(const std::string& path) const {
  return WriteArtifact(path, program, code, "");
}

}  // namespace ashlar::testing
