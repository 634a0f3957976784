// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Models compiled for several ranks, run by the runtime with each rank a thread, against the same
// models compiled for one device. (PartitionTest.cpp has more plans, with the interpreter.)

#include "compiler/Import/HuggingFace.h"
#include "compiler/Interpreter/Array.h"
#include "compiler/Pipelines/Pipelines.h"
#include "runtime/generate/generator.h"
#include "runtime/program/cut.h"
#include "test/lib/Execution.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"

#include <fstream>
#include <regex>

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

struct RanksCase {
  std::string golden, mesh;
  std::string plan; // lines of a plan; none: what the axes' names mean
  bool isAutomatic = false;
  int layers = 0; // in place of the golden's
};

void PrintTo(const RanksCase &each, std::ostream *out) { *out << each.golden << " " << each.mesh; }

class Ranks : public testing::TestWithParam<RanksCase> {
protected:
  OwningOpRef<ModuleOp> import() {
    ImportOptions options;
    options.directory = std::string(ASHLAR_GOLDENS) + "/" + GetParam().golden;
    if (GetParam().layers > 0)
      options.directory = withLayers(options.directory);
    options.batch = {1, 3};
    options.seq = DimBounds{1, 12};
    options.context = 14;
    options.weights = WeightType::F32;
    options.randomWeights = true;
    return importHuggingFace(context, options);
  }

  /// A config like that of a directory, in one of its own.
  static std::string withLayers(const std::string &directory) {
    std::ifstream file(directory + "/config.json");
    std::string config((std::istreambuf_iterator<char>(file)), {});
    const std::string before = config;
    config = std::regex_replace(config, std::regex("\"num_hidden_layers\": \\d+"),
                                "\"num_hidden_layers\": " + std::to_string(GetParam().layers));
    EXPECT_NE(config, before) << directory << " has so many layers, or does not say how many";
    const std::string made = testing::TempDir() + "/ranks-model-" + std::to_string(getpid());
    llvm::sys::fs::create_directory(made);
    std::ofstream(made + "/config.json") << config;
    return made;
  }

  OwningOpRef<ModuleOp> distribute(ModuleOp whole) {
    OwningOpRef<ModuleOp> local = whole.clone();
    DistributionOptions options;
    options.mesh = GetParam().mesh;
    options.isAutomatic = GetParam().isAutomatic;
    if (!GetParam().plan.empty()) {
      std::string axes = GetParam().mesh;
      std::replace(axes.begin(), axes.end(), ',', ' ');
      options.plan = testing::TempDir() + "/ranks-plan.txt";
      options.mesh.clear();
      std::ofstream(options.plan) << "mesh " << axes << " on host\n" << GetParam().plan;
    }
    PassManager manager(&context);
    addDistributionPipeline(manager, options);
    addOverlapPipeline(manager, /*report=*/false);
    EXPECT_TRUE(succeeded(manager.run(*local)));
    return local;
  }

  std::unique_ptr<CompiledModule> compile(ModuleOp module) {
    return compile(module, getCpuBackends().back());
  }
  std::unique_ptr<CompiledModule> compile(ModuleOp module, const Backend &backend) {
    return CompiledModule::create(module, backend, {"", 1}, /*threads=*/2);
  }

  NamedArray makeIds(int64_t batch, int64_t seq, int64_t seed) {
    Array ids(IntegerType::get(&context, 64), {batch, seq});
    for (int64_t i = 0; i < ids.size(); ++i)
      ids.integers[i] = (i * 7 + seed * 5 + 3) % 29;
    return {"input_ids", std::make_shared<const Array>(std::move(ids))};
  }

  void compare(CompiledModule &whole, CompiledModule &local, StringRef entry, int64_t batch,
               int64_t seq) {
    SCOPED_TRACE(entry.str() + " of " + std::to_string(batch) + " x " + std::to_string(seq));
    auto expected = whole.run(entry, {makeIds(batch, seq, 1)});
    auto found = local.run(entry, {makeIds(batch, seq, 1)});
    ASSERT_TRUE(expected && found);
    ASSERT_EQ(found->size(), expected->size());
    for (size_t i = 0; i < expected->size(); ++i)
      EXPECT_EQ(interpreter::compare(*(*found)[i].array, *(*expected)[i].array, getTolerance(256)),
                "");
  }

  /// Compiled modules outlive a test, and keep it.
  static MLIRContext &getContext() {
    static MLIRContext shared;
    return shared;
  }
  MLIRContext &context = getContext();
};

TEST_P(Ranks, AgreeWithOneDevice) {
  auto module = import();
  ASSERT_TRUE(module);
  auto local = distribute(*module);
  // One device's is the same in all cases of a model.
  static std::map<std::string, std::unique_ptr<CompiledModule>> ones;
  auto &one = ones[GetParam().golden];
  if (!one)
    one = compile(*module);
  auto many = compile(*local);
  ASSERT_TRUE(one && many);
  one->getSession().Reset();
  int64_t ranks = RankCount(many->getSession().program().metadata());
  EXPECT_GT(ranks, 1);
  for (auto [batch, seq] : {std::pair(3, 7), {1, 1}, {2, 12}})
    compare(*one, *many, "forward", batch, seq);
  if (!module->lookupSymbol("decode"))
    return;
  compare(*one, *many, "prefill", 3, 5); // through the cache, whose parts lie on the ranks
  compare(*one, *many, "prefill", 3, 2);
  for (int step = 0; step < 3; ++step)
    compare(*one, *many, "decode", 3, 1);
}

std::vector<RanksCase> getCases() {
  std::vector<RanksCase> cases;
  for (const char *mesh : {"dp=3", "sp=2", "dp=2,tp=2"})
    cases.push_back({"bert-masked-lm-untied", mesh, "", false});
  for (const char *mesh : {"tp=2", "dp=2,tp=2"})
    cases.push_back({"gpt2", mesh, "", false});
  for (const char *mesh : {"tp=4", "sp=2,tp=2", "dp=2,tp=4"})
    cases.push_back({"llama", mesh, "", false});
  // Pipelines, alone and beside other axes; of two layers, so that four stages cut through them.
  for (const char *golden : {"bert-masked-lm-untied", "gpt2", "llama"})
    for (const char *mesh : {"pp=2", "pp=4", "pp=2,tp=2", "dp=2,pp=2"})
      cases.push_back({golden, mesh, "", false});
  cases.push_back({"llama", "dp=2,pp=2,tp=2", "", false});
  // Several stages a rank, whose microbatches take turns.
  for (const char *golden : {"bert-masked-lm-untied", "gpt2", "llama"})
    cases.push_back({golden, "pp=2", "chunks 2\nmicrobatches 3\n", false});
  cases.push_back(
      {"llama", "pp=3,dp=2", "chunks 3\nmicrobatches 2\ninput_ids [{dp}, {}]\n", false});
  cases.push_back({"llama", "pp=2,tp=2", "", true});
  // Weights are kept in parts and gathered for their use; the vocabulary is odd.
  cases.push_back({"llama", "dp=2",
                   "*.q_proj.weight [{dp}, {}]\n*.down_proj.weight [{}, {dp}]\n"
                   "lm_head.weight [{dp}, {}]\ninput_ids [{dp}, {}] priority 1\n",
                   false});
  // Sequence parallelism over the tensor axis between the products.
  cases.push_back({"llama", "tp=2",
                   "*.q_proj.weight [{tp}, {}]\n*.k_proj.weight [{tp}, {}]\n"
                   "*.v_proj.weight [{tp}, {}]\n*.o_proj.weight [{}, {tp}]\n"
                   "input_ids [{}, {tp}] priority 1\n",
                   false});
  cases.push_back({"llama", "dp=2,tp=2", "", true});
  cases.push_back({"gpt2", "dp=2,tp=2", "", true});
  return cases;
}

std::string getName(const testing::TestParamInfo<RanksCase> &info) {
  std::string name = info.param.golden + "_" + info.param.mesh + "_" + std::to_string(info.index);
  for (char &c : name)
    c = llvm::isAlnum(c) ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Ranks, testing::ValuesIn(getCases()), getName);

/// Each rank an emulated GPU, against one CPU. Few and small: a thread's step takes some 100 ns.
class EmulatedRanks : public Ranks {};

TEST_P(EmulatedRanks, AgreeWithOneDevice) {
  std::vector<Backend> backends = getBackends();
  auto emulator = llvm::find_if(backends, [](const Backend &each) { return each.isEmulated(); });
  if (emulator == backends.end())
    GTEST_SKIP() << "no emulator in this build";
  auto module = import();
  ASSERT_TRUE(module);
  auto one = compile(*module), many = compile(*distribute(*module), *emulator);
  ASSERT_TRUE(one && many);
  EXPECT_GT(RankCount(many->getSession().program().metadata()), 1);
  compare(*one, *many, "forward", 2, 5);
  if (!module->lookupSymbol("decode"))
    return;
  compare(*one, *many, "prefill", 3, 4);
  compare(*one, *many, "decode", 3, 1);
}

INSTANTIATE_TEST_SUITE_P(All, EmulatedRanks,
                         testing::Values(RanksCase{"llama", "tp=2", "", false},
                                         RanksCase{"llama", "dp=2,pp=2", "", false},
                                         RanksCase{"gpt2", "pp=2", "", false},
                                         RanksCase{"gpt2", "pp=2", "chunks 2\n", false},
                                         RanksCase{"gpt2", "tp=2", "", false},
                                         RanksCase{"bert-masked-lm-untied", "dp=3", "", false},
                                         RanksCase{"bert-masked-lm-untied", "sp=2", "", false}),
                         getName);

/// Generating on ranks that share a sequence: beams copy caches, which are saved and restored.
class GenerateOnRanks : public Ranks {
protected:
  std::unique_ptr<Generator> makeGenerator(ModuleOp module) {
    auto compiled = compile(module);
    if (!compiled)
      return nullptr;
    auto generator = Generator::Create(compiled->takeSession(), nullptr);
    EXPECT_TRUE(generator.ok()) << generator.status();
    return generator.ok() ? *std::move(generator) : nullptr;
  }
  static std::vector<std::vector<int64_t>>
  getTokens(const absl::StatusOr<std::vector<Generation>> &results) {
    EXPECT_TRUE(results.ok()) << results.status();
    std::vector<std::vector<int64_t>> tokens;
    if (results.ok())
      for (const Generation &each : *results)
        tokens.push_back(each.tokens);
    return tokens;
  }
};

TEST_P(GenerateOnRanks, BeamsAndSavedSessionsAreAsOnOneDevice) {
  auto module = import();
  ASSERT_TRUE(module);
  auto local = distribute(*module);
  auto one = makeGenerator(*module), many = makeGenerator(*local);
  ASSERT_TRUE(one && many);
  GenerateOptions options;
  options.max_tokens = 6;
  options.ignore_eos = true;
  const std::vector<int64_t> prompt = {3, 7, 1, 9};
  const std::string file = testing::TempDir() + "/ranks-state-" + std::to_string(getpid());
  if (many->session().shares_sequences()) {
    options.beams = 3;
    absl::Status status = many->Generate({prompt}, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
    for (const absl::Status &each : {many->Save(file), many->Load(file)})
      EXPECT_EQ(each.code(), absl::StatusCode::kUnimplemented) << each;
    return;
  }
  options.beams = options.results = 3;
  EXPECT_EQ(getTokens(many->Generate({prompt}, options)),
            getTokens(one->Generate({prompt}, options)));
  // Half of a text, its caches in a file, and the other half with others' steps between.
  options.beams = options.results = 1;
  auto whole = getTokens(one->Generate({prompt}, options));
  ASSERT_EQ(whole.size(), 1u);
  options.max_tokens = 3;
  auto first = getTokens(many->Generate({prompt}, options));
  absl::Status saved = many->Save(file);
  ASSERT_TRUE(saved.ok()) << saved;
  getTokens(many->Generate({{20, 21}}, options));
  absl::Status loaded = many->Load(file);
  ASSERT_TRUE(loaded.ok()) << loaded;
  std::vector<int64_t> history = prompt;
  history.insert(history.end(), first[0].begin(), first[0].end());
  auto rest = getTokens(many->Generate({history}, options));
  first[0].insert(first[0].end(), rest[0].begin(), rest[0].end());
  EXPECT_EQ(first, whole);
  llvm::sys::fs::remove(file);
}

INSTANTIATE_TEST_SUITE_P(All, GenerateOnRanks,
                         testing::Values(RanksCase{"llama", "tp=4", "", false},
                                         RanksCase{"gpt2", "tp=2", "", false},
                                         RanksCase{"llama", "pp=2,tp=2", "", false},
                                         // Stages with two layers' caches and with one's.
                                         RanksCase{"llama", "pp=2", "", false, /*layers=*/3},
                                         RanksCase{"llama", "pp=2", "chunks 2\n", false,
                                                   /*layers=*/3},
                                         RanksCase{"llama", "dp=2,tp=2", "", false}),
                         [](const auto &info) {
                           std::string name = info.param.golden + "_" + info.param.mesh + "_" +
                                              std::to_string(info.index);
                           for (char &c : name)
                             c = llvm::isAlnum(c) ? c : '_';
                           return name;
                         });

} // namespace
} // namespace ashlar::test
