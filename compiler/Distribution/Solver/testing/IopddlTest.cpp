// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Iopddl/Iopddl.h"

#include <random>

#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "compiler/Distribution/Solver/Iopddl/Gzip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ashlar::solver {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kSmall[] = R"({"problem": {"name": "small",
  "nodes": {"intervals": [[30, 70], [40, 70], [70, 70]],
            "costs": [[15, 20, 30], [55, 65, 75, 85], [1]],
            "usages": [[10, 0, 5], [25, 25, 7, 0], [1000]]},
  "edges": {"nodes": [[0, 1]], "costs": [[0, 1, 2, 3, 4, 1e18, 6, 7, 8, 9, 10, 11]]},
  "usage_limit": 50}})";

/// The error for kSmall with a part replaced.
std::string errorWith(absl::string_view part, absl::string_view replacement) {
  const std::string text = absl::StrReplaceAll(kSmall, {{part, replacement}});
  EXPECT_NE(text, kSmall) << part;
  return std::string(parseIopddl(text).status().message());
}

TEST(Iopddl, ReadsAProblem) {
  absl::StatusOr<Problem> problem = parseIopddl(kSmall);
  ASSERT_TRUE(problem.ok()) << problem.status();
  ASSERT_EQ(problem->nodes.size(), 3u);
  EXPECT_EQ(problem->limits, std::vector<int64_t>{50});
  EXPECT_EQ(problem->nodes[1].strategies[2].cost, 75);
  ASSERT_EQ(problem->nodes[1].strategies[2].usages.size(), 1u);
  const Usage &usage = problem->nodes[1].strategies[2].usages[0];
  EXPECT_EQ(usage.lower, 40);
  EXPECT_EQ(usage.upper, 70);
  EXPECT_EQ(usage.bytes, 7);
  EXPECT_TRUE(problem->nodes[2].strategies[0].usages.empty()); // lives at no time
  ASSERT_EQ(problem->edges.size(), 1u);
  EXPECT_EQ(problem->edges[0].costs[5], kForbidden);
}

TEST(Iopddl, IgnoresOtherFields) {
  for (const char *extra : {R"({"problem": {"x": [{"nodes": {"costs": 3}}, [[]]], )",
                            R"({"costs": [["a"]], "problem": {"y": {"nodes": {"costs": "z"}}, )",
                            R"({"problem.usage_limit": "q", "problem": {)"}) {
    absl::StatusOr<Problem> problem =
        parseIopddl(absl::StrReplaceAll(kSmall, {{R"({"problem": {)", extra}}));
    ASSERT_TRUE(problem.ok()) << extra << ": " << problem.status();
    EXPECT_EQ(problem->nodes.size(), 3u);
  }
}

TEST(Iopddl, NamesWhatIsMissing) {
  EXPECT_THAT(std::string(parseIopddl("").status().message()), StartsWith("not JSON, at byte"));
  EXPECT_EQ(parseIopddl("{}").status().message(), "problem: is missing");
  EXPECT_EQ(parseIopddl("[]").status().message(), "problem: is missing");
  EXPECT_EQ(errorWith("\"usages\"", "\"used\""), "problem.nodes.usages: is missing");
  EXPECT_EQ(errorWith("\"edges\"", "\"links\""), "problem.edges.nodes: is missing");
  EXPECT_EQ(errorWith("usage_limit", "limit"), "problem.usage_limit: is missing");
}

TEST(Iopddl, NamesWhatHasTheWrongShape) {
  EXPECT_EQ(errorWith("9, 10, 11]]", "9, 10]]"),
            "problem.edges.costs[0]: expected 12 costs (3 x 4 strategies), found 11");
  EXPECT_EQ(errorWith("25, 7, 0]", "25, 7]"),
            "problem.nodes.usages[1]: expected 4 usages, one per strategy, found 3");
  EXPECT_EQ(errorWith(", [1000]]", "]"),
            "problem.nodes.usages: expected 3 lists, one per interval, found 2");
  EXPECT_EQ(errorWith("\"costs\": [[0,", "\"costs\": [[], [0,"),
            "problem.edges.costs: expected 1 lists, one per pair of nodes, found 2");
  EXPECT_EQ(errorWith("[40, 70]", "[40]"), "problem.nodes.intervals[1]: expected 2 times, found 1");
  EXPECT_EQ(errorWith("[[0, 1]]", "[[0, 1, 2]]"),
            "problem.edges.nodes[0]: expected 2 nodes, found 3");
  EXPECT_EQ(errorWith("[15, 20, 30]", "[]"), "problem.nodes.costs[0]: a node needs a strategy");
  EXPECT_EQ(errorWith("[15, 20, 30]", "15"),
            "problem.nodes.costs[0]: expected a list, found a number");
  EXPECT_EQ(errorWith("20, 30]", "[20], 30]"),
            "problem.nodes.costs[0][1]: expected an integer, found a list");
  EXPECT_EQ(errorWith("[[0, 1]]", "7"), "problem.edges.nodes: expected a list, found a number");
  EXPECT_EQ(errorWith("[[0, 1]]", "{\"a\": 1}"),
            "problem.edges.nodes: expected a list, found an object");
}

TEST(Iopddl, NamesWhatHasTheWrongValue) {
  EXPECT_EQ(errorWith("55, 65", "55, -65"), "problem.nodes.costs[1][1]: -65 is negative");
  EXPECT_EQ(errorWith("[10, 0, 5]", "[10, 0, -5]"), "problem.nodes.usages[0][2]: -5 is negative");
  EXPECT_EQ(errorWith("55, 65", "55, 6.5"),
            "problem.nodes.costs[1][1]: expected an integer, found 6.5");
  EXPECT_EQ(errorWith("55, 65", "55, \"x\""),
            "problem.nodes.costs[1][1]: expected an integer, found a string");
  EXPECT_EQ(errorWith("55, 65", "55, null"),
            "problem.nodes.costs[1][1]: expected an integer, found null");
  EXPECT_EQ(errorWith("55, 65", "55, 9223372036854775808"),
            "problem.nodes.costs[1][1]: expected an integer, found a number above 2^63 - 1");
  EXPECT_THAT(errorWith("55, 65", "55, NaN"), StartsWith("not JSON, at byte"));
  EXPECT_EQ(errorWith("[40, 70]", "[40, 39]"),
            "problem.nodes.intervals[1]: ends at 39, before it begins at 40");
  EXPECT_EQ(errorWith("[[0, 1]]", "[[0, 3]]"),
            "problem.edges.nodes[0][1]: 3 is not one of the 3 nodes");
  EXPECT_EQ(errorWith("[[0, 1]]", "[[-1, 0]]"),
            "problem.edges.nodes[0][0]: -1 is not one of the 3 nodes");
  EXPECT_EQ(errorWith("[[0, 1]]", "[[1, 1]]"), "problem.edges.nodes[0]: joins node 1 to itself");
  EXPECT_EQ(errorWith("\"usage_limit\": 50", "\"usage_limit\": -50"),
            "problem.usage_limit: -50 is negative");
  EXPECT_EQ(errorWith("\"usage_limit\": 50", "\"usage_limit\": [50]"),
            "problem.usage_limit: expected an integer, found a list");
  EXPECT_EQ(errorWith("\"usage_limit\": 50", "\"usage_limit\": 50, \"usage_limit\": 60"),
            "problem.usage_limit: is there twice");
  EXPECT_EQ(errorWith("\"name\": \"small\"", "\"nodes\": {\"costs\": []}"),
            "problem.nodes.costs: is there twice");
}

TEST(Iopddl, SurvivesDamage) {
  std::mt19937 random(3);
  constexpr char kBytes[] = "[]{},:\"-019ex \n\x80";
  int read = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::string text = kSmall;
    for (unsigned k = 0; k < 1 + random() % 3; ++k)
      text[random() % text.size()] = kBytes[random() % (sizeof(kBytes) - 1)];
    if (random() % 4 == 0)
      text.resize(random() % text.size());
    absl::StatusOr<Problem> problem = parseIopddl(text);
    read += problem.ok();
    if (!problem.ok())
      EXPECT_FALSE(problem.status().message().empty());
  }
  EXPECT_GT(read, 0);
}

std::string gzip(absl::string_view text) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string data(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
  stream.avail_in = uInt(text.size());
  stream.next_out = reinterpret_cast<Bytef *>(&data[0]);
  stream.avail_out = uInt(data.size());
  deflate(&stream, Z_FINISH);
  data.resize(stream.total_out);
  deflateEnd(&stream);
  return data;
}

TEST(Gzip, Decompresses) {
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(*gunzip(gzip(kSmall), 1 << 20), kSmall);
  EXPECT_EQ(*gunzip(gzip(large), 1 << 22), large);
  EXPECT_EQ(*gunzip(gzip("a") + gzip("b"), 1 << 20), "ab"); // two members
}

TEST(Gzip, NamesWhatIsWrong) {
  const std::string data = gzip(kSmall);
  auto error = [](absl::string_view bytes, size_t most = 1 << 20) {
    return std::string(gunzip(bytes, most).status().message());
  };
  for (size_t length : {size_t(2), size_t(15), data.size() / 2, data.size() - 1})
    EXPECT_EQ(error(data.substr(0, length)), "the compressed data ends too early") << length;
  std::string damaged = data;
  damaged[data.size() / 2] ^= 0x55;
  EXPECT_THAT(error(damaged), HasSubstr("the compressed data"));
  EXPECT_EQ(error(gzip(std::string(3'000'000, 'x'))), "decompresses to more than 1048576 bytes");
}

TEST(Iopddl, PrintsChoices) {
  EXPECT_EQ(printChoices({}), "[]\n");
  EXPECT_EQ(printChoices({3, 0, 12}), "[3, 0, 12]\n");
}

} // namespace
} // namespace ashlar::solver
