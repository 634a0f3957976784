// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/tracer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/api/session_test_base.h"

namespace ashlar {
namespace {

using testing::kTinyK;
using testing::kTinyN;

class TracerTest : public testing::SessionTestBase {
 protected:
  // Runs forward on `rows` rows, traced.
  void Run(Session& session, Tracer* tracer, int64_t rows) {
    std::vector<float> x = testing::SomeX(rows);
    RunOptions options;
    options.tracer = tracer;
    ASSERT_TRUE(
        session.Run("forward", {{"x", DType::kF32, {1, rows, kTinyK}, x.data()}}, nullptr, options)
            .ok());
  }
  nlohmann::json Written(const Tracer& tracer) {
    const std::string path = directory_ + "/trace.json";
    EXPECT_TRUE(tracer.Write(path).ok());
    return nlohmann::json::parse(*ReadFile(path, 1 << 24))["traceEvents"];
  }
};

TEST_F(TracerTest, TellsWhoDidWhatWhen) {
  tiny_.program.entries[0]->launches[1]->path = "a \"quoted\"\npath \xff";
  auto session = MakeSession(3);
  Tracer tracer(session->program().metadata(), session->threads());
  Run(*session, &tracer, 8);
  Run(*session, &tracer, 2);
  EXPECT_EQ(tracer.dropped(), 0);
  double dense_flops = 0, dense_bytes = 0, shift_items = 0, last_step_end = -1;
  int steps = 0;
  for (const auto& event : Written(tracer)) {
    if (event["ph"] != "X") continue;
    EXPECT_GE(event["dur"], 0);
    EXPECT_EQ(event["pid"], 1);
    if (event["tid"] == 3) {
      ++steps;
      EXPECT_EQ(event["name"], "forward");
      EXPECT_EQ(event["args"]["batch"], 1);
      EXPECT_EQ(event["args"]["seq"], steps == 1 ? 8 : 2);
      EXPECT_GT(event["ts"], last_step_end);
      last_step_end = event["ts"].get<double>() + event["dur"].get<double>();
    } else if (event["name"] == "dense") {
      EXPECT_EQ(event["args"]["path"], "layer.dense");
      dense_flops += event["args"]["flops"].get<double>();
      dense_bytes += event["args"]["bytes"].get<double>();
    } else {
      EXPECT_EQ(event["name"], "scale_shift");
      EXPECT_EQ(event["args"]["path"], "a \"quoted\"\npath \xef\xbf\xbd");
      shift_items += event["args"]["items"].get<double>();
    }
  }
  EXPECT_EQ(steps, 2);
  EXPECT_EQ(shift_items, 10);
  EXPECT_NEAR(dense_flops, 10 * 2 * kTinyK * kTinyN, 1e-6);
  EXPECT_NEAR(dense_bytes, 2 * (1280 + kTinyN * 4) + 10 * (kTinyK + kTinyN) * 4, 1e-6);
}

TEST_F(TracerTest, ALaunchThatIsOnePieceHasAllItsWork) {
  auto program = LoadTiny();
  Tracer tracer(program->metadata(), 1);
  tracer.BeginStep(*program->metadata().entries[0], {2, 3});
  tracer.Record(0, 1, Tracer::kAllItems, Tracer::Clock::now());
  tracer.EndStep();
  for (const auto& event : Written(tracer))
    if (event["ph"] == "X" && event["tid"] == 0) {
      EXPECT_EQ(event["args"]["items"], 6);
      EXPECT_EQ(event["args"]["bytes"], 2 * 6 * kTinyN * 4);
    }
}

TEST_F(TracerTest, CountsWhatFindsNoRoom) {
  auto session = MakeSession(1);
  Tracer tracer(session->program().metadata(), 1, /*pieces=*/3);
  for (int i = 0; i < 3; ++i) Run(*session, &tracer, 1);
  EXPECT_EQ(tracer.dropped(), 3);
  int pieces = 0;
  for (const auto& event : Written(tracer)) pieces += event["ph"] == "X" && event["tid"] == 0;
  EXPECT_EQ(pieces, 3);
  EXPECT_FALSE(tracer.Write(directory_ + "/none/trace.json").ok());
}

}  // namespace
}  // namespace ashlar
