// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rounds of a planner that is made up: what each may take, what is printed, and what is kept.
#include "tools/ashlar/compile/planning_rounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace mlir;

namespace ashlar {
namespace {

using distribution::MeshChoice;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Rounds {
  // Plans within 1000 bytes, with these results of the rounds, the last one of all further ones.
  bool run(std::vector<FailureOr<int64_t>> given, std::vector<MeshChoice>* meshes = nullptr) {
    return planInRounds(
        1000, meshes, compiler,
        [&](int64_t memory, bool is_first) {
          EXPECT_EQ(is_first, tried.empty());
          quiet.push_back(compiler.is_quiet);
          tried.push_back(memory);
          return given[std::min(tried.size(), given.size()) - 1];
        },
        [&](FailureOr<int64_t>, int64_t next) { reported.push_back(next); });
  }

  CompilerContext compiler;
  std::vector<int64_t> tried, reported;
  std::vector<bool> quiet;
};

TEST(PlanningRounds, EndWithTheFirstProgramThatFits) {
  Rounds at_once, third;
  EXPECT_TRUE(at_once.run({0}));
  EXPECT_THAT(at_once.tried, ElementsAre(1000));
  EXPECT_THAT(at_once.reported, IsEmpty());
  EXPECT_TRUE(third.run({100, 10, 0}));
  EXPECT_THAT(third.tried, ElementsAre(1000, 900, 700));
  EXPECT_THAT(third.reported, ElementsAre(900, 700));
}

TEST(PlanningRounds, ErrorsOfTheFirstAreTheCallers) {
  Rounds rounds;
  EXPECT_TRUE(rounds.run({failure()}));
  EXPECT_THAT(rounds.quiet, ElementsAre(false));
  EXPECT_THAT(rounds.reported, IsEmpty());
}

TEST(PlanningRounds, GiveMoreWhereNothingFits) {
  Rounds rounds;
  EXPECT_TRUE(rounds.run({400, failure(), 0}));
  EXPECT_THAT(rounds.tried, ElementsAre(1000, 600, 800));
  EXPECT_THAT(rounds.quiet, ElementsAre(false, true, true));
  EXPECT_FALSE(rounds.compiler.is_quiet);
}

TEST(PlanningRounds, StayAsQuietAsTheyWere) {
  Rounds rounds;
  rounds.compiler.is_quiet = true;
  EXPECT_TRUE(rounds.run({100, 0}));
  EXPECT_THAT(rounds.quiet, ElementsAre(true, true));
  EXPECT_TRUE(rounds.compiler.is_quiet);
}

TEST(PlanningRounds, ComeToAnEnd) {
  Rounds rounds;
  EXPECT_FALSE(rounds.run({1}));
  EXPECT_THAT(rounds.tried, SizeIs(kPlanningRounds));
  EXPECT_THAT(rounds.reported, SizeIs(kPlanningRounds));
}

// The search itself looks for more room.
TEST(PlanningRounds, ShrinkTheRoomOfTheFastestMesh) {
  std::vector<MeshChoice> meshes = {{"dp=2", PlanningRoom(1000)}, {"tp=2", PlanningRoom(1000)}};
  for (MeshChoice& mesh : meshes) mesh.isPlanned = true;
  Rounds rounds;
  EXPECT_FALSE(rounds.run({100, failure()}, &meshes));
  EXPECT_THAT(rounds.tried, ElementsAre(1000, 1000));
  EXPECT_THAT(rounds.reported, ElementsAre(900));
  EXPECT_EQ(meshes[0].room.getBytes(), 900);
  EXPECT_FALSE(meshes[0].isPlanned);
  EXPECT_EQ(meshes[1].room.getBytes(), 1000);
  EXPECT_TRUE(meshes[1].isPlanned);
}

}  // namespace
}  // namespace ashlar
