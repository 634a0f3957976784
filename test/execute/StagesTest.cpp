// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The proof of pipelines: models cut into stages, alone and beside other axes, run on every rank by
// the interpreter and compared with one device.

#include "test/execute/Partitioned.h"

using namespace ashlar;
using namespace ashlar::test;

namespace {

class Stages : public Partitioned, public testing::WithParamInterface<ModelCase> {};

TEST_P(Stages, AgreeWithOneDevice) {
  auto whole = import(GetParam().golden);
  ASSERT_TRUE(whole);
  OwningOpRef<ModuleOp> local = whole->clone();
  std::string pins = GetParam().pins;
  if (StringRef(GetParam().mesh).contains("tp"))
    pins += getTensorParallelPins(GetParam().golden);
  ASSERT_TRUE(pin(*local, "mesh " + GetParam().mesh + " on host\n" + pins));
  ASSERT_TRUE(partition(*local, /*forPrograms=*/true));
  EXPECT_GT(getFunctions(*local, "forward").size(), 1u);
  compareAt(*whole, *local, "forward", {{3, 7}, {1, 1}});
  if (!whole->lookupSymbol("decode"))
    return;
  compareDecoding(*whole, *local);
}

/// A stage keeps what its ops read: no parameter but a shared table is kept twice, none is lost.
class StageParameters : public Partitioned, public testing::WithParamInterface<const char *> {};

TEST_P(StageParameters, AreKeptOnce) {
  auto module = import(GetParam());
  ASSERT_TRUE(module);
  ASSERT_TRUE(pin(*module, "mesh pp=2 on host\n"));
  ASSERT_TRUE(partition(*module));
  llvm::StringMap<std::set<int64_t>> holders; // per state, the stages that read it, of all entries
  for (auto function : module->getOps<func::FuncOp>())
    function.walk([&](graph::ReadOp read) {
      holders[read.getState()].insert(
          function->getAttrOfType<dist::StageAttr>(dist::kStageAttr).getIndex());
    });
  std::array<int, 2> counts = {0, 0};
  for (auto state : module->getOps<graph::StateOp>()) {
    const std::set<int64_t> &stages = holders[state.getSymName()];
    bool isCounter = state.getRole() == graph::StateRole::Counter;
    bool isTable = state.getSymName().contains("emb") || state.getSymName().contains("wte");
    if (isCounter || isTable)
      continue;
    EXPECT_EQ(stages.size(), 1u) << state.getSymName().str();
    ++counts[*stages.begin()];
  }
  EXPECT_GT(counts[0], 3);
  EXPECT_GT(counts[1], 3);
}

INSTANTIATE_TEST_SUITE_P(All, Stages, testing::ValuesIn([] {
                           std::vector<ModelCase> cases;
                           const std::string data = "input_ids [{dp}, {?}]\n";
                           for (const char *golden : {"bert-masked-lm-untied", "gpt2", "llama"}) {
                             for (const char *mesh : {"pp=2", "pp=4", "pp=2 tp=2", "tp=2 pp=2"})
                               cases.push_back({golden, mesh, ""});
                             cases.push_back({golden, "dp=2 pp=2", data});
                             cases.push_back({golden, "pp=2 dp=2 tp=2", data});
                           }
                           cases.push_back({"llama", "pp=2 sp=2", "input_ids [{?}, {sp}]\n"});
                           // Several stages a rank.
                           for (const char *golden : {"bert-masked-lm-untied", "gpt2", "llama"})
                             for (const char *mesh : {"pp=2", "pp=3", "tp=2 pp=2"})
                               cases.push_back({golden, mesh, "chunks 2\n"});
                           cases.push_back({"gpt2", "pp=2", "chunks 5\n"});
                           cases.push_back({"llama", "dp=2 pp=2", data + "chunks 3\n"});
                           return cases;
                         }()),
                         getCaseName);

INSTANTIATE_TEST_SUITE_P(All, StageParameters,
                         testing::Values("bert-masked-lm-untied", "gpt2", "llama"));

} // namespace
