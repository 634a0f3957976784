// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/memory_map.h"

#include <gtest/gtest.h>

#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

TEST(MemoryMap, RangesLiveFromWriteToLastRead) {
  testing::TinyProgram tiny;
  std::vector<LiveRange> map = MemoryMap(tiny.program, *tiny.program.entries[0]);
  ASSERT_EQ(map.size(), 5u);
  auto expect = [&](int i, const char* name, uint64_t offset, int first, int last) {
    EXPECT_EQ(map[i].name, name);
    EXPECT_EQ(map[i].offset, offset);
    EXPECT_EQ(map[i].first, first);
    EXPECT_EQ(map[i].last, last);
  };
  expect(0, "x", 0, -1, 0);
  expect(1, "factor", 640, -1, 1);
  expect(2, "position", 896, -1, 1);
  expect(3, "layer.dense", 1152, 0, 1);
  expect(4, "logits", 5376, 1, 2);
  EXPECT_EQ(map[4].bytes, 4224u);
}

TEST(MemoryMap, WhatIsOverwrittenIsNotRead) {
  testing::TinyProgram tiny;
  fb::EntryT& entry = *tiny.program.entries[0];
  // The second launch writes over the first half of x, which the first has read; a third reads that
  // half, and a fourth the other.
  entry.launches[1]->operands[4] = std::make_unique<fb::OperandT>();
  entry.launches[1]->operands[4]->offset = 0;
  entry.launches[1]->operands[4]->bytes = 320;
  for (uint64_t offset : {0, 320}) {
    auto reader = testing::MakeLaunch(1, "reader");
    for (int i = 0; i < 5; ++i) {
      reader->operands.push_back(std::make_unique<fb::OperandT>());
      reader->operands[i]->space = i == 0 ? fb::Space::Arena : fb::Space::Constants;
      reader->operands[i]->offset = offset;
      reader->operands[i]->bytes = 320;
    }
    entry.launches.push_back(std::move(reader));
  }
  std::vector<LiveRange> map = MemoryMap(tiny.program, entry);
  ASSERT_EQ(map.size(), 5u);
  EXPECT_EQ(map[0].name, "x");
  EXPECT_EQ(map[0].last, 3);  // by its second half
  EXPECT_EQ(map[4].name, "layer.shift");
  EXPECT_EQ(map[4].first, 1);
  EXPECT_EQ(map[4].last, 2);
}

// Between the two launches it reads what the first wrote, packs it, and writes what the second
// reads.
TEST(MemoryMap, CollectivesReadAndWrite) {
  testing::TinyProgram tiny;
  fb::EntryT& entry = *tiny.program.entries[0];
  const fb::OperandT made = *entry.launches[0]->operands.back();
  auto gather = std::make_unique<fb::CollectiveT>();
  gather->before = 1;
  gather->where = "layer.all_gather";
  gather->input = testing::MakeOperand(fb::Space::Arena, made.offset, made.bytes);
  gather->workspace = testing::MakeOperand(fb::Space::Arena, 20000, 64);
  gather->output = testing::MakeOperand(fb::Space::Arena, 21000, made.bytes);
  entry.collectives.push_back(std::move(gather));
  entry.launches[1]->operands[0]->offset = 21000;
  std::vector<LiveRange> map = MemoryMap(tiny.program, entry);
  ASSERT_EQ(map.size(), 7u);
  EXPECT_EQ(map[3].name, "layer.dense");
  EXPECT_EQ(map[4].name, "layer.all_gather");
  EXPECT_EQ(map[4].offset, 20000u);
  EXPECT_EQ(map[5].offset, 21000u);
  EXPECT_EQ(map[5].first, 1);
  EXPECT_EQ(map[5].last, 1);
}

}  // namespace
}  // namespace ashlar
