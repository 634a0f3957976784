// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One broken thing at a time in an entry whose steps run in microbatches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/program/verify_test_base.h"

namespace ashlar {
namespace {

using testing::ErrorAfter;
using ::testing::HasSubstr;
using testing::MakeExtent;

// What the verifier says of the tiny program in four microbatches after `change` of its entries.
std::string Error(const std::function<void(fb::EntryT& forward, fb::EntryT& step)>& change) {
  return ErrorAfter([&](fb::ProgramT& program) {
    for (auto& entry : program.entries) entry->microbatches = 4;
    change(*program.entries[0], *program.entries[1]);
  });
}

TEST(VerifyProgram, Microbatches) {
  EXPECT_EQ(Error([](auto&, auto&) {}), "");
  EXPECT_THAT(Error([](auto& f, auto&) { f.microbatches = 0; }), HasSubstr("0 microbatches"));
  EXPECT_THAT(Error([](auto& f, auto&) { f.microbatches = 70000; }), HasSubstr("1..65536"));
  EXPECT_THAT(Error([](auto& f, auto&) { f.batch = 9; }), HasSubstr("dimension 9"));
  EXPECT_THAT(ErrorAfter([](fb::ProgramT& p) {
                p.entries[0]->microbatches = 4;
                p.dims[0]->minimum = 2;
              }),
              HasSubstr("at least 2 sequences"));
}

TEST(VerifyProgram, ValuesOfMicrobatches) {
  // seq as the batch: the positions would count it.
  EXPECT_THAT(Error([](auto& f, auto&) { f.batch = 1; }),
              HasSubstr("'position' defaults to the number of the sequence"));
  EXPECT_THAT(Error([](auto& f, auto&) { f.inputs[1]->default_value = MakeExtent({0}); }),
              HasSubstr("the values of input 'factor' follow from the batch"));
  EXPECT_THAT(Error([](auto& f, auto&) {
                f.inputs[1]->shape[1] = MakeExtent({0});
                f.inputs[1]->bytes = 4 * 4 * 8;
              }),
              HasSubstr("'factor' has the batch along several axes"));
  EXPECT_THAT(Error([](auto& f, auto&) { f.outputs[0]->shape[0] = MakeExtent({0}, 2, 2); }),
              HasSubstr("'logits' has an axis that follows from the batch"));
  EXPECT_THAT(Error([](auto& f, auto&) { f.outputs[0]->shape[0] = MakeExtent({}, 4); }),
              HasSubstr("'logits' has the batch along 0 axes"));
}

TEST(VerifyProgram, StatesOfMicrobatches) {
  // Limits are read for each part, whether launches touch the states or not.
  EXPECT_THAT(Error([](auto&, auto& s) {
                s.launches.clear();
                s.limits[0]->rows = MakeExtent({}, 4);
              }),
              HasSubstr("a limit that does not count the sequences"));
  EXPECT_THAT(Error([](auto&, auto& s) { s.limits[0]->rows = MakeExtent({0}, 1, 2); }),
              HasSubstr("a limit that does not count the sequences"));
  EXPECT_THAT(Error([](auto&, auto& s) { s.limits[0]->rows = MakeExtent({}, 4); }),
              HasSubstr("a limit that does not count the sequences"));
  EXPECT_THAT(Error([](auto&, auto& s) {
                s.launches[0]->operands[1]->offset = 8;
                s.launches[0]->operands[1]->bytes = 24;
              }),
              HasSubstr("an operand that is a part of a state"));
  EXPECT_THAT(ErrorAfter([](fb::ProgramT& p) {
                p.entries[1]->microbatches = 4;
                p.states[0]->bytes = 30;  // beside a counter of four
              }),
              HasSubstr("room for 0 sequences of 4"));
}

TEST(VerifyProgram, Deliveries) {
  // The logits come from the other one of two ranks, at the end.
  auto error = [](const std::function<void(fb::EntryT&, fb::CollectiveT&)>& change) {
    return ErrorAfter([&](fb::ProgramT& p) {
      p.mesh.push_back(std::make_unique<fb::MeshAxisT>());
      p.mesh[0]->name = "pp";
      p.mesh[0]->size = 2;
      fb::EntryT& entry = *p.entries[0];
      const fb::ValueT& logits = *entry.outputs[0];
      auto recv = std::make_unique<fb::CollectiveT>();
      recv->op = fb::CollectiveOp::Recv;
      recv->before = static_cast<uint32_t>(entry.launches.size());
      recv->cuts.emplace_back(1, 2);
      recv->peer = 1;
      recv->output = testing::MakeOperand(fb::Space::Arena, logits.offset, logits.bytes);
      for (const auto& extent : logits.shape)
        recv->output_shape.push_back(MakeExtent(extent->dims, extent->scale));
      recv->where = "logits";
      entry.deliveries = 1;
      change(entry, *recv);
      entry.collectives.push_back(std::move(recv));
    });
  };
  EXPECT_EQ(error([](auto&, auto&) {}), "");
  EXPECT_THAT(error([](auto& e, auto&) { e.deliveries = 2; }),
              HasSubstr("2 deliveries among 1 collectives"));
  EXPECT_THAT(error([](auto&, auto& c) { c.output->offset = 0; }),
              HasSubstr("is no message of an output"));
  EXPECT_EQ(error([](auto&, auto& c) {
              c.op = fb::CollectiveOp::Send;
              c.input = std::move(c.output);
              std::swap(c.input_shape, c.output_shape);
            }),
            "");
  EXPECT_THAT(error([](auto&, auto& c) { c.output_shape[0] = MakeExtent({}, 4); }),
              HasSubstr("is no message of an output"));
  EXPECT_THAT(error([](auto&, auto& c) {
                c.op = fb::CollectiveOp::AllReduce;
                c.input = testing::MakeOperand(fb::Space::Arena, c.output->offset, c.output->bytes);
                for (const auto& extent : c.output_shape)
                  c.input_shape.push_back(MakeExtent(extent->dims, extent->scale));
              }),
              HasSubstr("is no message of an output"));
  EXPECT_THAT(error([](auto&, auto& c) { c.before = 1; }),
              HasSubstr("launches behind it use what it moves"));
}

}  // namespace
}  // namespace ashlar
