// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Memory/Planner/Csv.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ashlar::planner {
namespace {

using ::testing::HasSubstr;

std::string errorOf(absl::string_view text) {
  absl::StatusOr<CsvProblem> csv = parseCsv(text);
  return csv.ok() ? "no error" : std::string(csv.status().message());
}

TEST(Csv, ReadsColumnsInAnyOrder) {
  absl::StatusOr<CsvProblem> csv = parseCsv("size,offset,hint,id,gaps,upper,lower,alignment\r\n8,"
                                            "16,-1,a,2-4 5-6@1:3,9,0,4\r\n3,,7,b,,2,1,1\r\n\r\n");
  ASSERT_TRUE(csv.ok()) << csv.status();
  ASSERT_EQ(csv->problem.buffers.size(), 2u);
  const Buffer &a = csv->problem.buffers[0], &b = csv->problem.buffers[1];
  EXPECT_EQ(csv->ids[0], "a");
  EXPECT_EQ(a.lower, 0);
  EXPECT_EQ(a.upper, 9);
  EXPECT_EQ(a.size, 8);
  EXPECT_EQ(a.alignment, 4);
  EXPECT_EQ(a.offset, 16);
  EXPECT_EQ(a.hint, std::nullopt);
  ASSERT_EQ(a.gaps.size(), 2u);
  EXPECT_EQ(a.gaps[0].lower, 2);
  EXPECT_EQ(a.gaps[0].upper, 4);
  EXPECT_EQ(a.gaps[0].windowUpper, 0);
  EXPECT_EQ(a.gaps[1].windowLower, 1);
  EXPECT_EQ(a.gaps[1].windowUpper, 3);
  EXPECT_EQ(b.offset, std::nullopt);
  EXPECT_EQ(b.hint, 7);
}

TEST(Csv, TakesAnEndForTheLastStep) {
  absl::StatusOr<CsvProblem> csv = parseCsv("buffer_id,start,end,size,gaps\nx,2,5,1,3-4\n");
  ASSERT_TRUE(csv.ok()) << csv.status();
  EXPECT_EQ(csv->problem.buffers[0].lower, 2);
  EXPECT_EQ(csv->problem.buffers[0].upper, 6);
  EXPECT_EQ(csv->problem.buffers[0].gaps[0].upper, 5);
}

TEST(Csv, ReadsAliases) {
  absl::StatusOr<CsvProblem> csv =
      parseCsv("id,lower,upper,size,alias\na,0,2,8,\nb,2,4,4,a\nc,2,4,4,a+4\n");
  ASSERT_TRUE(csv.ok()) << csv.status();
  EXPECT_EQ(csv->problem.buffers[1].alias->buffer, 0);
  EXPECT_EQ(csv->problem.buffers[2].alias->delta, 4);
}

TEST(Csv, WritesOffsetsIntoTheirColumn) {
  Plan plan;
  plan.offsets = {4, 0};
  EXPECT_EQ(printCsv(*parseCsv("id,lower,upper,size\na,0,2,8\nb,2,4,4\n"), plan),
            "id,lower,upper,size,offset\na,0,2,8,4\nb,2,4,4,0\n");
  EXPECT_EQ(printCsv(*parseCsv("id,offset,lower,upper,size\na,4,0,2,8\nb,,2,4,4\n"), plan),
            "id,offset,lower,upper,size\na,4,0,2,8\nb,0,2,4,4\n");
}

TEST(Csv, NamesTheLineAndTheFieldOfAFault) {
  const std::string head = "id,lower,upper,size,alignment,gaps,offset,hint,alias\n";
  auto row = [&](const std::string &text) {
    return errorOf(head + "ok,0,1,1,1,,,,\n" + text + "\n");
  };
  EXPECT_EQ(errorOf(""), "line 1: there is no line with the columns' names");
  EXPECT_EQ(errorOf("id,lower,upper,size\n"), "line 2: there are no buffers");
  EXPECT_EQ(errorOf("id,lower,upper\n"), "line 1: column 'size' is missing");
  EXPECT_THAT(errorOf("id,lower,upper,size,colour\n"),
              HasSubstr("line 1: column 'colour' is not one of id, lower"));
  EXPECT_EQ(errorOf("id,lower,start,upper,size\n"), "line 1: column 'lower' is given twice");
  EXPECT_EQ(row("b,0,1,1"), "line 3: 4 fields, but line 1 names 9 columns");
  EXPECT_EQ(row(",0,1,1,1,,,,"), "line 3: field 'id': it is empty");
  EXPECT_EQ(row("ok,0,1,1,1,,,,"), "line 3: field 'id': 'ok' was given already in line 2");
  EXPECT_EQ(row("b,x,1,1,1,,,,"), "line 3: field 'lower': 'x' is not an integer");
  EXPECT_EQ(row("b,0,1,1e3,1,,,,"), "line 3: field 'size': '1e3' is not an integer");
  EXPECT_EQ(row("b,0,1,99999999999999999999,1,,,,"),
            "line 3: field 'size': '99999999999999999999' does not fit 64 bits");
  EXPECT_EQ(row("b,0,1,9223372036854775807,1,,,,"),
            "line 3: field 'size': id 'b': buffer 1: size 9223372036854775807 or alignment 1 is "
            "above 2^61");
  EXPECT_EQ(row("b,4,4,1,1,,,,"), "line 3: field 'upper': the life [4, 4) is empty");
  EXPECT_EQ(row("b,0,1,-1,1,,,,"), "line 3: field 'size': -1 is negative");
  EXPECT_EQ(row("b,0,1,1,0,,,,"), "line 3: field 'alignment': 0 is below 1");
  EXPECT_THAT(row("b,0,1,1,1,0:1,,,"), HasSubstr("line 3: field 'gaps': '0:1' is not of the form"));
  EXPECT_THAT(row("b,0,1,1,1,0-3,,,"),
              HasSubstr("line 3: field 'gaps': id 'b': buffer 1: gap [0, 3) leaves"));
  EXPECT_EQ(row("b,0,1,1,4,,2,,"),
            "line 3: field 'offset': 2 is not a multiple of the alignment 4");
  EXPECT_EQ(row("b,0,1,1,1,,-2,,"), "line 3: field 'offset': -2 is negative");
  EXPECT_EQ(row("b,0,1,1,1,,,x,"), "line 3: field 'hint': 'x' is not an integer");
  EXPECT_EQ(row("b,0,1,1,1,,,,nobody"),
            "line 3: field 'alias': 'nobody' is neither an id nor of the form ID+BYTES");
  EXPECT_THAT(row("b,0,1,1,1,,,,b"),
              HasSubstr("line 3: field 'alias': id 'b': buffer 1: its chain of aliases"));
  EXPECT_THAT(row("b,0,1,1,1,,0,,\nc,0,1,1,1,,0,,"),
              HasSubstr("field 'offset': id 'c': buffer 2: shares addresses"));
  EXPECT_EQ(errorOf("id,lower,upper,size\n\na,0,1,1\n"),
            "line 2: the line is empty, but others follow");
}

TEST(Csv, SurvivesDamage) {
  const std::string good = "id,lower,upper,size,alignment,gaps,offset,hint,alias\na,0,9,8,4,2-4@1:"
                           "2,16,,\nb,1,3,4,1,,,7,a+4\n";
  ASSERT_TRUE(parseCsv(good).ok());
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = good;
    for (int change = 1 + random() % 3; change > 0; --change) {
      size_t at = random() % text.size();
      switch (random() % 3) {
      case 0:
        text[at] = char(random() % 256);
        break;
      case 1:
        text.erase(at, 1 + random() % 4);
        break;
      default:
        text.insert(at, 1, "0123456789,-+@:\n"[random() % 16]);
        break;
      }
    }
    absl::StatusOr<CsvProblem> csv = parseCsv(text);
    if (!csv.ok()) {
      EXPECT_THAT(std::string(csv.status().message()), HasSubstr("line ")) << text;
      ++refused;
      continue;
    }
    Options options;
    options.workLimit = 100;
    EXPECT_TRUE(planMemory(csv->problem, options).ok()) << text;
  }
  EXPECT_GT(refused, 1000);
}

} // namespace
} // namespace ashlar::planner
