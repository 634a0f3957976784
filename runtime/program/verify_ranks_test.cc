// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One broken thing at a time in a program for several ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "runtime/program/verify_test_base.h"

namespace ashlar {
namespace {

using testing::ErrorAfter;
using ::testing::HasSubstr;
using testing::MakeExtent;

// A sum over two ranks of the first bytes of the arena, before the first launch.
void AddCollective(fb::ProgramT& p) {
  p.mesh.clear();
  auto axis = std::make_unique<fb::MeshAxisT>();
  axis->name = "tp";
  axis->size = 2;
  p.mesh.push_back(std::move(axis));
  auto collective = std::make_unique<fb::CollectiveT>();
  collective->op = fb::CollectiveOp::AllReduce;
  collective->cuts.emplace_back(1, 2);
  collective->input = testing::MakeOperand(fb::Space::Arena, 0, 128);
  collective->output = testing::MakeOperand(fb::Space::Arena, 128, 128);
  for (auto* shape : {&collective->input_shape, &collective->output_shape}) {
    shape->push_back(MakeExtent({0}));  // batch, at most 4
    shape->push_back(MakeExtent({}, /*scale=*/8));
  }
  p.entries[0]->collectives.push_back(std::move(collective));
}

std::string ErrorAfterCollective(
    const std::function<void(fb::ProgramT&, fb::CollectiveT&)>& change) {
  return ErrorAfter([&](fb::ProgramT& p) {
    AddCollective(p);
    change(p, *p.entries[0]->collectives[0]);
  });
}

TEST(VerifyProgram, Ranks) {
  EXPECT_EQ(ErrorAfterCollective([](auto&, auto&) {}), "");
  EXPECT_THAT(ErrorAfterCollective([](auto& p, auto&) { p.mesh[0]->size = 0; }),
              HasSubstr("mesh axis 'tp' of size 0"));
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) { c.cuts[0] = fb::Cut(2, 2); }),
              HasSubstr("a cut of stride 2 and size 2 over 2 ranks"));
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) { c.cuts.emplace_back(1, 2); }),
              HasSubstr("cuts overlap"));
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) { c.before = 1000; }),
              HasSubstr("before launch 1000 of"));
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) { c.output->offset = UINT64_MAX; }),
              HasSubstr("output outside the arena"));
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) { c.output->space = fb::Space::Weights; }),
              HasSubstr("output outside the arena"));
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) { c.input->bytes = 64; }),
              HasSubstr("input of [4, 8] in 64 bytes"));
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) { c.input = nullptr; }),
              HasSubstr("input outside the arena"));
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) { c.input_shape[0]->dims[0] = 77; }),
              HasSubstr("a malformed shape"));
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) { c.output_shape.pop_back(); }),
              HasSubstr("all_reduce from [4, 8] to [4]"));
  auto gather = [](fb::CollectiveT& c) {
    c.op = fb::CollectiveOp::AllGather;
    c.axis = 1;
    c.input_shape[1]->scale = 4;
  };
  EXPECT_THAT(ErrorAfterCollective([&](auto&, auto& c) { gather(c); }),
              HasSubstr("a workspace of less than 128 bytes"));
  EXPECT_EQ(ErrorAfterCollective([&](auto&, auto& c) {
              gather(c);
              c.workspace = testing::MakeOperand(fb::Space::Arena, 256, 128);
            }),
            "");
  EXPECT_THAT(ErrorAfterCollective([&](auto&, auto& c) { gather(c), c.axis = 2; }),
              HasSubstr("along dimension 2"));
  EXPECT_THAT(ErrorAfterCollective([&](auto&, auto& c) { gather(c), c.input_shape[1]->scale = 3; }),
              HasSubstr("dimension 1 of [4, 3] to [4, 8]"));
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) { c.op = static_cast<fb::CollectiveOp>(9); }),
              HasSubstr("op 9"));
}

// Others read a rank's input while it writes its output.
TEST(VerifyProgram, CollectivesHaveMemoryOfTheirOwn) {
  using fb::CollectiveOp;
  auto overlap = [](CollectiveOp op, uint64_t input, uint64_t output, uint64_t workspace) {
    return ErrorAfterCollective([&](fb::ProgramT&, fb::CollectiveT& c) {
      c.op = op;
      c.axis = 1;
      c.join = 0;
      if (op == CollectiveOp::AllGather) c.input_shape[1]->scale = 4;
      if (op == CollectiveOp::ReduceScatter || op == CollectiveOp::Slice)
        c.output_shape[1]->scale = 4;
      if (op == CollectiveOp::AllToAll) c.input_shape[0]->scale = 2, c.input_shape[0]->divisor = 4;
      if (op == CollectiveOp::AllToAll) c.output_shape[1]->scale = 4;
      c.input = testing::MakeOperand(fb::Space::Arena, input, 128);
      c.output = testing::MakeOperand(fb::Space::Arena, output, 128);
      c.workspace = testing::MakeOperand(fb::Space::Arena, workspace, 256);
    });
  };
  for (CollectiveOp op : {CollectiveOp::AllReduce, CollectiveOp::ReduceScatter,
                          CollectiveOp::AllGather, CollectiveOp::AllToAll, CollectiveOp::Slice}) {
    EXPECT_EQ(overlap(op, 0, 128, 256), "");
    EXPECT_EQ(overlap(op, 384, 256, 0), "");
    EXPECT_THAT(overlap(op, 0, 64, 256), HasSubstr("input and output overlap"));
    EXPECT_THAT(overlap(op, 64, 0, 256), HasSubstr("input and output overlap"));
    EXPECT_THAT(overlap(op, 512, 192, 256), HasSubstr("output and workspace overlap"));
    EXPECT_THAT(overlap(op, 0, 448, 256), HasSubstr("output and workspace overlap"));
    EXPECT_THAT(overlap(op, 256, 128, 256), HasSubstr("input and workspace overlap"));
    if (op == CollectiveOp::AllReduce)
      EXPECT_EQ(overlap(op, 0, 0, 256), "");
    else
      EXPECT_THAT(overlap(op, 0, 0, 256), HasSubstr("input and output overlap"));
  }
  // In place is all of it.
  EXPECT_THAT(ErrorAfterCollective([](auto&, auto& c) {
                c.input = testing::MakeOperand(fb::Space::Arena, 0, 128);
                c.output = testing::MakeOperand(fb::Space::Arena, 0, 192);
              }),
              HasSubstr("input and output overlap"));
}

// No bytes of very many rows, of which each would be walked.
TEST(VerifyProgram, CollectivesOfManyEmptyRows) {
  auto after = [](std::vector<int64_t> shape, bool sliced) {
    return ErrorAfterCollective([&](fb::ProgramT&, fb::CollectiveT& c) {
      c.op = sliced ? fb::CollectiveOp::Slice : fb::CollectiveOp::AllGather;
      c.axis = static_cast<uint32_t>(shape.size() - 1);
      c.input_shape.clear(), c.output_shape.clear();
      for (int64_t extent : shape) {
        c.input_shape.push_back(MakeExtent({}, extent));
        c.output_shape.push_back(MakeExtent({}, extent));
      }
      c.workspace = testing::MakeOperand(fb::Space::Arena, 256, 128);
    });
  };
  for (bool sliced : {false, true}) {
    EXPECT_EQ(after({8, 0}, sliced), "");
    EXPECT_THAT(after({INT64_MAX, 0}, sliced), HasSubstr("empty rows"));
    EXPECT_THAT(after({INT64_MAX, INT64_MAX, 0}, sliced), HasSubstr("empty rows"));
    EXPECT_THAT(after({int64_t{1} << 32, int64_t{1} << 32, 0}, sliced), HasSubstr("empty rows"));
  }
}

// A wait for the collective `ends`, before the launch `before`.
void AddWait(fb::ProgramT& p, uint32_t ends, uint32_t before) {
  auto wait = std::make_unique<fb::CollectiveT>();
  wait->op = fb::CollectiveOp::Wait;
  wait->ends = ends;
  wait->before = before;
  p.entries[0]->collectives.push_back(std::move(wait));
}

TEST(VerifyProgram, CollectivesThatAreStarted) {
  auto after = [](bool starts, auto change) {
    return ErrorAfterCollective([&](fb::ProgramT& p, fb::CollectiveT& c) {
      c.starts = starts;
      change(p, c);
    });
  };
  const auto launches =
      static_cast<uint32_t>(testing::TinyProgram().program.entries[0]->launches.size());
  EXPECT_EQ(after(true, [&](auto& p, auto&) { AddWait(p, 0, launches); }), "");
  EXPECT_THAT(after(true, [](auto&, auto&) {}), HasSubstr("is started and never ended"));
  EXPECT_THAT(after(false, [](auto& p, auto&) { AddWait(p, 0, 0); }),
              HasSubstr("ends collective 0, which is not under way"));
  EXPECT_THAT(after(true,
                    [](auto& p, auto&) {
                      AddWait(p, 0, 0);
                      AddWait(p, 0, 0);
                    }),
              HasSubstr("ends collective 0, which is not under way"));
  EXPECT_THAT(after(true, [](auto& p, auto&) { AddWait(p, 1, 0); }),
              HasSubstr("ends collective 1, which is not under way"));
  EXPECT_THAT(after(true, [](auto& p, auto&) { AddWait(p, UINT32_MAX, 0); }),
              HasSubstr("which is not under way"));
  EXPECT_THAT(after(true, [&](auto& p, auto&) { AddWait(p, 0, launches + 1); }),
              HasSubstr("before launch"));
  EXPECT_THAT(after(true,
                    [](auto& p, auto& c) {
                      c.op = fb::CollectiveOp::Slice;
                      AddWait(p, 0, 0);
                    }),
              HasSubstr("is started, which op 4 is not"));
  auto add = [](fb::ProgramT& p, uint32_t count) {
    for (uint32_t i = 1; i < count; ++i) AddCollective(p);
    for (uint32_t i = 0; i < count; ++i) p.entries[0]->collectives[i]->starts = true;
    for (uint32_t i = 0; i < count; ++i) AddWait(p, i, 0);
  };
  EXPECT_EQ(after(true, [&](auto& p, auto&) { add(p, 32); }), "");
  EXPECT_THAT(after(true, [&](auto& p, auto&) { add(p, 33); }),
              HasSubstr("one of more than 32 at once"));
}

// A weight [8, 4] of which each of two ranks has four rows, for panels of 32 columns.
TEST(VerifyProgram, WeightsThatArePackedAsTheyCome) {
  auto after = [](auto change) {
    return ErrorAfterCollective([&](fb::ProgramT& p, fb::CollectiveT& c) {
      c.op = fb::CollectiveOp::AllGather;
      c.layout = fb::Layout::PanelF32;
      c.input_shape.clear(), c.output_shape.clear();
      for (int64_t extent : {4, 4}) c.input_shape.push_back(MakeExtent({}, extent));
      for (int64_t extent : {8, 4}) c.output_shape.push_back(MakeExtent({}, extent));
      c.output = testing::MakeOperand(fb::Space::Arena, 1024, 32 * 4 * 4);
      c.workspace = testing::MakeOperand(fb::Space::Arena, 2048, 128);
      change(p, c);
    });
  };
  EXPECT_EQ(after([](auto&, auto&) {}), "");
  EXPECT_THAT(after([](auto&, auto& c) { c.output->bytes -= 64; }),
              HasSubstr("panels of [8, 4] in 448 bytes"));
  EXPECT_THAT(after([](auto&, auto& c) { c.workspace->bytes = 64; }),
              HasSubstr("a workspace of less than 128 bytes"));
  EXPECT_THAT(after([](auto&, auto& c) { c.workspace = nullptr; }),
              HasSubstr("a workspace of less than 128 bytes"));
  EXPECT_THAT(after([](auto&, auto& c) { c.workspace->offset = 1 << 20; }),
              HasSubstr("workspace outside the arena"));
  EXPECT_THAT(after([](auto&, auto& c) { c.layout = fb::Layout::PanelBF16; }),
              HasSubstr("layout 2 of [8, 4]"));
  EXPECT_THAT(after([](auto&, auto& c) { c.dtype = fb::DType::I32; }),
              HasSubstr("layout 1 of [8, 4]"));
  EXPECT_THAT(after([](auto&, auto& c) { c.op = fb::CollectiveOp::AllReduce; }),
              HasSubstr("op 0 gives a layout"));
  auto empty = [&](int64_t rows, int64_t columns) {
    return after([&](auto&, auto& c) {
      c.input_shape[0]->scale = c.output_shape[0]->scale = rows;
      c.input_shape[1]->scale = c.output_shape[1]->scale = columns;
    });
  };
  EXPECT_THAT(empty(INT64_MAX, 0), HasSubstr("panels of [9223372036854775807, 0]"));
  EXPECT_THAT(empty(8, 0), HasSubstr("panels of [8, 0]"));
  EXPECT_EQ(empty(0, 4), "");
}

TEST(VerifyProgram, PartsOfDimensionsAndTensors) {
  auto add_dim = [](fb::ProgramT& p, int64_t maximum, uint16_t of) {
    AddCollective(p);
    auto dim = testing::MakeDim("batch/tp", maximum);
    dim->minimum = 0;
    dim->whole = MakeExtent({of});
    dim->cuts.emplace_back(1, 2);
    p.dims.push_back(std::move(dim));
  };
  EXPECT_EQ(ErrorAfter([&](auto& p) { add_dim(p, 2, 0); }), "");
  EXPECT_THAT(ErrorAfter([&](auto& p) { add_dim(p, 1, 0); }),
              HasSubstr("dimension 'batch/tp': its bound is below"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { add_dim(p, 2, 9); }), HasSubstr("'batch/tp': its bound"));
  auto cut_part = [](fb::ProgramT& p, int64_t rows) {
    AddCollective(p);
    fb::WeightPartT& part = *p.weights[0]->parts[0];
    part.whole = part.shape;
    part.whole[0] = rows;
    part.cut_dims = {0};
    part.cuts.emplace_back(1, 2);
  };
  EXPECT_EQ(ErrorAfter([&](auto& p) { cut_part(p, 2 * p.weights[0]->parts[0]->shape[0] - 1); }),
            "");
  EXPECT_THAT(ErrorAfter([&](auto& p) { cut_part(p, 3); }), HasSubstr("its largest part of"));
  EXPECT_THAT(ErrorAfter([&](auto& p) {
                cut_part(p, 40);
                p.weights[0]->parts[0]->cut_dims = {5};
              }),
              HasSubstr("cuts dimension 5"));
}

TEST(VerifyProgram, RangesOfTensors) {
  auto error_at = [](std::vector<int64_t> begin, int64_t rows, int64_t whole) {
    return ErrorAfter([&](fb::ProgramT& p) {
      fb::WeightPartT& part = *p.weights[0]->parts[0];
      part.whole = part.range = part.shape;
      part.whole[0] = whole;
      part.range[0] = rows;
      part.begin = begin;
    });
  };
  const std::vector<int64_t> shape = testing::TinyProgram().program.weights[0]->parts[0]->shape;
  std::vector<int64_t> begin(shape.size(), 0);
  begin[0] = 3;
  EXPECT_EQ(error_at(begin, shape[0], shape[0] + 3), "");
  EXPECT_THAT(error_at(begin, shape[0], shape[0] + 2), HasSubstr("elements from 3 on"));
  EXPECT_THAT(error_at(begin, shape[0] + 1, shape[0] + 4), HasSubstr("its largest part of"));
  EXPECT_THAT(error_at({3}, shape[0], shape[0] + 3), HasSubstr("malformed range"));
  begin[0] = -1;
  EXPECT_THAT(error_at(begin, shape[0], shape[0] + 3), HasSubstr("elements from -1 on"));
}

TEST(VerifyProgram, Stages) {
  auto after = [](auto change) {
    return ErrorAfter([&](fb::ProgramT& p) {
      testing::CutIntoStages(p, /*places=*/2, /*chunks=*/1);
      change(p);
    });
  };
  EXPECT_EQ(after([](auto&) {}), "");
  EXPECT_THAT(after([](auto& p) { p.stages.pop_back(); }), HasSubstr("1 stages, which are no"));
  EXPECT_THAT(after([](auto& p) { p.stage_cuts.clear(); }), HasSubstr("2 stages, which are no"));
  EXPECT_THAT(after([](auto& p) { p.stage_cuts[0] = fb::Cut(2, 2); }), HasSubstr("2 stages"));
  EXPECT_THAT(after([](auto& p) { p.weights_bytes = 64; }),
              HasSubstr("beside those of the stages"));
  EXPECT_THAT(after([](auto& p) { p.stage_cuts[0] = fb::Cut(1, 0); }), HasSubstr("2 stages"));
  EXPECT_THAT(after([](auto& p) { p.stages[1]->entries.pop_back(); }),
              HasSubstr("stages with different entries"));
  EXPECT_THAT(after([](auto& p) { p.stages[1]->entries[0]->microbatches = 2; }),
              HasSubstr("stages with different entries"));
  EXPECT_THAT(after([](auto& p) { p.stages[1]->weights_bytes = 64; }),
              HasSubstr("stage 1: weight 'dense.weight'"));
  EXPECT_THAT(after([](auto& p) { p.stages[1]->entries[0]->launches[0]->kernel = 99; }),
              HasSubstr("stage 1: entry 'forward'"));
}

TEST(VerifyProgram, Messages) {
  auto send = [](fb::CollectiveT& c) {
    c.op = fb::CollectiveOp::Send;
    c.output = nullptr;
    c.output_shape.clear();
    c.peer = 1;
  };
  EXPECT_EQ(ErrorAfterCollective([&](auto&, auto& c) { send(c); }), "");
  EXPECT_THAT(ErrorAfterCollective([&](auto&, auto& c) { send(c), c.peer = 2; }),
              HasSubstr("place 2 of a group of 2"));
  EXPECT_THAT(ErrorAfterCollective([&](auto&, auto& c) { send(c), c.input = nullptr; }),
              HasSubstr("input outside the arena"));
  EXPECT_THAT(ErrorAfterCollective([&](auto&, auto& c) { c.op = fb::CollectiveOp::Recv; }),
              HasSubstr("a send has no output, a recv no input"));
}

}  // namespace
}  // namespace ashlar
