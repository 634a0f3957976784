// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The subcommands as a user meets them: words in, text, files and exit codes out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "runtime/device/cpu/machine_constants.h"
#include "runtime/npy/npy.h"
#include "runtime/testing/tiny_decoder.h"
#include "runtime/testing/tiny_program.h"
#include "tools/ashlar/command_test_base.h"

namespace ashlar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class DriverTest : public ::testing::Test, protected testing::CommandTestBase {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "ashlar_driver_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
    setenv("XDG_CACHE_HOME", directory_.c_str(), 1);
    ASSERT_TRUE(WriteFile(directory_ + "/model.safetensors", testing::TinyCheckpoint()).ok());
    testing::TinyProgram tiny;
    tiny.program.weight_directory = directory_;
    artifact_ = directory_ + "/tiny.ashlar";
    ASSERT_TRUE(tiny.Write(artifact_).ok());
    WriteDecoder("");
    std::vector<float> x(10, 0.5f);
    x_ = directory_ + "/x.npy";
    ASSERT_TRUE(WriteNpy(x_, DType::kF32, {1, 2, 5}, x.data()).ok());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void WriteDecoder(const std::string& eos) {
    decoder_ = directory_ + "/decoder.ashlar";
    ASSERT_TRUE(testing::TinyDecoder(eos).Write(decoder_).ok());
  }

  // The entries of a timeline's steps.
  static std::vector<std::string> StepsOf(const std::string& path) {
    const auto trace = nlohmann::json::parse(*ReadFile(path, 1 << 24));
    std::vector<std::string> steps;
    int64_t row = -1;
    for (const auto& event : trace["traceEvents"]) {
      if (event["name"] == "thread_name" && event["args"]["name"] == "steps") row = event["tid"];
      if (event["ph"] == "X" && event["tid"] == row) steps.push_back(event["name"]);
    }
    return steps;
  }

  std::string directory_, artifact_, decoder_, x_;
};

TEST_F(DriverTest, HelpIsThereForEveryCommand) {
  EXPECT_EQ(Ashlar({}), kUsage);
  EXPECT_EQ(Ashlar({"--help"}), kOk);
  for (const Command& command : RuntimeCommands()) {
    EXPECT_THAT(out_, HasSubstr(command.name)) << out_;
    EXPECT_EQ(Ashlar({command.name, "--help"}), kOk);
    EXPECT_THAT(out_, HasSubstr("usage: ashlar " + command.name));
    const bool computes = command.name != "doctor" && command.name != "explain";
    EXPECT_EQ(out_.find("--threads N") != std::string::npos, computes) << out_;
    if (computes && command.name != "machine") {
      const std::string what = command.name == "check" ? "FOLDER" : "X.ashlar";
      EXPECT_THAT(out_, HasSubstr("usage: ashlar " + command.name + " " + what));
      EXPECT_EQ(Ashlar({command.name}), kUsage);
      EXPECT_THAT(err_, HasSubstr(what + " is missing"));
    }
    EXPECT_EQ(Ashlar({"help", command.name}), kOk);
    Ashlar({"--help"});
  }
  EXPECT_EQ(Ashlar({"--version"}), kOk);
  EXPECT_EQ(Ashlar({"dance"}), kUsage);
  EXPECT_THAT(err_, HasSubstr("there is no command 'dance'"));
}

// A machine file in place of a measurement: what is printed follows from it.
TEST_F(DriverTest, ProfilePredictsForTheMachine) {
  MachineConstants machine;
  machine.threads = 2;
  machine.launch_seconds = 1;
  std::string file = directory_ + "/machine.json";
  ASSERT_TRUE(WriteMachineFile(file, machine).ok());
  ASSERT_EQ(Ashlar({"inspect", artifact_, "--profile", "--json", "--machine", file}), kOk) << err_;
  auto profile = nlohmann::json::parse(out_);
  EXPECT_EQ(profile["machine"]["launch_seconds"], 1);
  const auto& forward = profile["entries"][0];
  ASSERT_EQ(forward["kernels"].size(), 2u);
  double sum = 0;
  for (const auto& kernel : forward["kernels"]) {
    EXPECT_GT(kernel["predicted_us"], 1e6);
    EXPECT_LT(kernel["predicted_us"], 1.1e6);
    EXPECT_GT(kernel["median_us"], 0);
    EXPECT_LE(kernel["min_us"], kernel["median_us"]);
    EXPECT_EQ(kernel["limit"], "launch");
    EXPECT_THAT(kernel["reason"].get<std::string>(), HasSubstr("launch: 0.0 times"));
    sum += kernel["predicted_us"].get<double>();
  }
  EXPECT_NEAR(forward["predicted_us"], sum, 1e-3 * sum);
  EXPECT_GE(forward["measured_us"], forward["outside_us"]);
  ASSERT_EQ(Ashlar({"inspect", artifact_, "--profile", "--machine", file}), kOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("us predicted"), HasSubstr("prediction error over 2 kernels"),
                          HasSubstr("an ordinary core, 2 threads")));
  EXPECT_THAT(err_, HasSubstr("is of an ordinary core with 2 threads; this runs on "));
  EXPECT_EQ(Ashlar({"inspect", artifact_, "--profile", "--machine", x_}), kFailed);
  EXPECT_THAT(err_, HasSubstr("x.npy: expected a JSON object of machine constants"));
  EXPECT_EQ(Ashlar({"inspect", artifact_, "--json"}), kUsage);
}

// Measured once: the second time the kept file speaks, as an altered figure in it shows.
TEST_F(DriverTest, MachineKeepsItsMeasurement) {
  ASSERT_EQ(Ashlar({"machine", "--threads", "1"}), kOk) << err_;
  EXPECT_THAT(err_, HasSubstr("measuring the machine"));
  std::string kept = directory_ + "/ashlar/machine-1.json", file = directory_ + "/out.json";
  auto machine = ReadMachineFile(kept);
  ASSERT_TRUE(machine.ok()) << machine.status();
  machine->f32 = {12345e9, 12345e9};
  ASSERT_TRUE(WriteMachineFile(kept, *machine).ok());
  ASSERT_EQ(Ashlar({"machine", "--threads", "1", "-o", file}), kOk) << err_;
  EXPECT_EQ(err_, "");
  EXPECT_THAT(out_, HasSubstr("12345.0 (12345.0) GFLOP/s"));
  EXPECT_EQ(ToJson(*ReadMachineFile(file)), ToJson(*machine));
  // Another CPU's, or a broken one, is measured again.
  machine->cpu = "another";
  ASSERT_TRUE(WriteMachineFile(kept, *machine).ok());
  ASSERT_EQ(Ashlar({"machine", "--threads", "1"}), kOk) << err_;
  EXPECT_THAT(err_, HasSubstr("measuring the machine"));
  EXPECT_NE(ReadMachineFile(kept)->cpu, "another");
}

TEST_F(DriverTest, UsageErrors) {
  EXPECT_EQ(Ashlar({"run", artifact_, "--colour"}), kUsage);
  EXPECT_THAT(err_, HasSubstr("unknown option --colour"));
  EXPECT_EQ(Ashlar({"run", artifact_, "--threads", "two"}), kUsage);
  EXPECT_THAT(err_, HasSubstr("--threads: expected a number from 0 to 1024, found 'two'"));
  EXPECT_EQ(Ashlar({"inspect", artifact_, "--threads", "1025"}), kUsage);
  EXPECT_EQ(Ashlar({"bench", artifact_, "--milliseconds", "9000000000000000"}), kUsage);
  EXPECT_EQ(Ashlar({"machine", "-o", "--threads", "1"}), kUsage);
  EXPECT_THAT(err_, HasSubstr("write -o=--threads"));
  EXPECT_EQ(Ashlar({"machine", "--machine", x_, "--measure-machine"}), kUsage);
  EXPECT_EQ(Ashlar({"inspect", artifact_, "--measure-machine"}), kUsage);
  EXPECT_EQ(Ashlar({"inspect", artifact_, "--weights", "/nowhere"}), kUsage);
  EXPECT_EQ(Ashlar({"bench", artifact_, "--context", "8"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("the entry 'forward' has no cache"));
  EXPECT_EQ(Ashlar({"run", artifact_, "--threads"}), kUsage);
  EXPECT_EQ(Ashlar({"run", artifact_, artifact_}), kUsage);
  EXPECT_EQ(Ashlar({"run", artifact_, "--interpret"}), kUsage);
  EXPECT_EQ(Ashlar({"generate", decoder_}), kUsage);
  EXPECT_EQ(Ashlar({"generate", decoder_, "--prompt-ids", "1,b"}), kUsage);
  EXPECT_EQ(Ashlar({"run", directory_ + "/none.ashlar"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("none.ashlar: No such file"));
}

TEST_F(DriverTest, RunWritesItsOutputs) {
  ASSERT_EQ(Ashlar({"run", artifact_, "--input", "x=" + x_, "--output-dir", directory_ + "/a/b"}),
            kOk)
      << err_;
  EXPECT_THAT(out_, HasSubstr("logits: F32 [1, 2, 33] -> " + directory_ + "/a/b/logits.npy"));
  auto logits = ReadNpy(directory_ + "/a/b/logits.npy");
  ASSERT_TRUE(logits.ok()) << logits.status();
  EXPECT_EQ(logits->shape, (std::vector<int64_t>{1, 2, 33}));
  // Row 1: position 1, factor 1, n = 32: bias 4, table 4.
  float sum = 4 + 1 + 4;
  for (int k = 0; k < 5; ++k) sum += 0.5f * testing::TinyWeight()[k * 33 + 32];
  EXPECT_EQ(reinterpret_cast<const float*>(logits->bytes.data())[65], sum);
}

TEST_F(DriverTest, RunSaysWhatIsWrong) {
  EXPECT_EQ(Ashlar({"run", artifact_}), kFailed);
  EXPECT_THAT(err_, HasSubstr("input 'x' of entry 'forward' is missing"));
  EXPECT_EQ(Ashlar({"run", artifact_, "--input", x_}), kFailed);
  EXPECT_THAT(err_, HasSubstr("expected NAME=FILE.npy or FILE.npz"));
  EXPECT_EQ(Ashlar({"run", artifact_, "--input", "y=" + x_}), kFailed);
  EXPECT_THAT(err_, HasSubstr("no input 'y'; its inputs are"));
  EXPECT_EQ(Ashlar({"run", artifact_, "--input", "x=" + x_, "--entry", "nap"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("it has forward, step"));
  EXPECT_EQ(Ashlar({"run", artifact_, "--input", "x=" + x_, "--weights", "/nowhere"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("/nowhere"));
}

TEST_F(DriverTest, CacheKeepsPackedWeights) {
  Arguments words = {"run", artifact_, "--input", "x=" + x_, "--cache=" + directory_ + "/kept"};
  ASSERT_EQ(Ashlar(words), kOk) << err_;
  EXPECT_THAT(err_, HasSubstr("weights: packed and kept in " + directory_ + "/kept/"));
  std::string first = out_;
  ASSERT_EQ(Ashlar(words), kOk) << err_;
  EXPECT_THAT(err_, HasSubstr("weights: mapped from " + directory_ + "/kept/"));
  EXPECT_EQ(out_, first);
  // Without a directory: the user's.
  const std::string trace = directory_ + "/trace.json";
  ASSERT_EQ(Ashlar({"bench", artifact_, "--milliseconds", "1", "--cache", "--trace", trace}), kOk)
      << err_;
  EXPECT_EQ(StepsOf(trace), std::vector<std::string>(5, "forward"));
  EXPECT_THAT(err_, HasSubstr("weights: packed and kept in " + directory_ + "/ashlar/"));
  // --verify reads the contents, and changes nothing.
  std::string file = std::filesystem::directory_iterator(directory_ + "/kept")->path().string();
  std::string bytes = *ReadFile(file, 1 << 20);
  bytes.back() ^= 1;
  ASSERT_TRUE(WriteFile(file, bytes).ok());
  EXPECT_EQ(Ashlar({"inspect", artifact_, "--verify", words.back()}), kFailed);
  EXPECT_THAT(err_, HasSubstr(file + ": the packed weights are corrupted"));
  EXPECT_THAT(out_, Not(HasSubstr("all checksums are right")));
  EXPECT_TRUE(*ReadFile(file, 1 << 20) == bytes);
  EXPECT_EQ(Ashlar({"inspect", artifact_, "--verify", "--profile", "--json", words.back()}),
            kFailed);
  bytes.back() ^= 1;
  ASSERT_TRUE(WriteFile(file, bytes).ok());
  ASSERT_EQ(Ashlar({"inspect", artifact_, "--verify", words.back()}), kOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("all checksums are right"), HasSubstr(file + ", too")));
  ASSERT_EQ(Ashlar({"run", artifact_, "--input", "x=" + x_, "--cache=" + x_}), kOk) << err_;
  EXPECT_THAT(err_, HasSubstr("warning: the packed weights are not kept: "));
  EXPECT_EQ(out_, first);
  EXPECT_EQ(Ashlar({"run", artifact_, "--cache="}), kUsage);
}

// The next token after id with n in the cache is (3 id + n) % 50.
TEST_F(DriverTest, GenerateContinuesAPrompt) {
  ASSERT_EQ(Ashlar({"generate", decoder_, "--prompt-ids", "1,2,3", "--max-tokens", "4"}), kOk)
      << err_;
  EXPECT_EQ(out_, "9,30,44,37\n");  // 3*3+0, 3*9+3, 3*30+4, 3*44+5
  EXPECT_THAT(err_, AllOf(HasSubstr("prompt: 3 tokens"), HasSubstr("generated: 4 tokens"),
                          HasSubstr("tokens/s")));
  const std::string trace = directory_ + "/trace.json";
  ASSERT_EQ(
      Ashlar({"generate", decoder_, "--prompt-ids=1,2,3", "--max-tokens=4", "--trace", trace}),
      kOk);
  EXPECT_EQ(StepsOf(trace), (std::vector<std::string>{"prefill", "decode", "decode", "decode"}));
  ASSERT_EQ(Ashlar({"generate", decoder_, "--prompt-ids=1", "--max-tokens=1"}), kOk) << err_;
  EXPECT_EQ(out_, "3\n");
  ASSERT_EQ(Ashlar({"generate", decoder_, "--prompt-ids=1", "--max-tokens=0"}), kOk) << err_;
  EXPECT_EQ(out_, "");
}

TEST_F(DriverTest, GenerateStops) {
  for (const char* eos : {"44", "[44, 45]"}) {
    WriteDecoder(eos);
    ASSERT_EQ(Ashlar({"generate", decoder_, "--prompt-ids", "1,2,3", "--max-tokens", "9"}), kOk)
        << err_;
    EXPECT_EQ(out_, "9,30,44\n");
    EXPECT_THAT(err_, HasSubstr("end-of-text token 44"));
  }
  ASSERT_EQ(
      Ashlar({"generate", decoder_, "--prompt-ids", "1,2,3", "--max-tokens", "4", "--ignore-eos"}),
      kOk);
  EXPECT_EQ(out_, "9,30,44,37\n");
  // A context of 24: 3 of the prompt, 21 decoded, and the last of them gives one more.
  ASSERT_EQ(
      Ashlar({"generate", decoder_, "--prompt-ids", "1,2,3", "--max-tokens", "99", "--ignore-eos"}),
      kOk);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), ','), 21);
  EXPECT_THAT(err_, HasSubstr("its limit is 24"));
}

TEST_F(DriverTest, GenerateContinuesAText) {
  std::string vocabulary = "[PAD]\n[CLS]\nonce\n[SEP]\n[UNK]\n";
  for (int id = 5; id < 50; ++id)
    vocabulary += id == 9    ? "hello\n"
                  : id == 30 ? "##ing\n"
                  : id == 37 ? ".\n"
                             : "w" + std::to_string(id) + "\n";
  ASSERT_TRUE(WriteFile(directory_ + "/vocab.txt", vocabulary).ok());
  const Arguments command = {"generate", decoder_, "--prompt", "Once", "--max-tokens", "4"};
  auto with = [&](Arguments more) {
    more.insert(more.begin(), command.begin(), command.end());
    return Ashlar(more);
  };
  ASSERT_EQ(with({"--vocab", directory_}), kOk) << err_;
  EXPECT_EQ(out_, "helloing w44.\n");
  EXPECT_THAT(err_, HasSubstr("prompt: 3 tokens"));
  ASSERT_EQ(with({"--vocab", directory_, "--no-special-tokens"}), kOk) << err_;
  EXPECT_EQ(out_, "w6 w19 helloing\n");
  EXPECT_EQ(with({"--vocab", directory_, "--chat"}), kUsage);
  EXPECT_THAT(err_, HasSubstr("ashlar.ChatTemplate(DIR).render(messages)"));
  EXPECT_EQ(with({"--vocab", directory_ + "/none"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("--vocab: "));
  EXPECT_EQ(with({"--prompt-ids", "1"}), kUsage);
  EXPECT_EQ(Ashlar({"generate", decoder_, "--prompt-ids", "1", "--vocab", directory_}), kUsage);
  // A prompt of bytes that are no text is one all the same.
  EXPECT_EQ(Ashlar({"generate", decoder_, "--prompt", "\xFF", "--vocab", directory_}), kOk) << err_;
}

TEST_F(DriverTest, GenerateRefusesABadPrompt) {
  EXPECT_EQ(Ashlar({"generate", decoder_, "--prompt-ids", "1,50"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("element [0, 1] is 50, expected 0..49"));
  // Longer than a step takes, 16, is fine; longer than the context is not.
  const std::string ids = "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1";
  EXPECT_EQ(Ashlar({"generate", decoder_, "--prompt-ids", ids, "--max-tokens=1"}), kOk);
  EXPECT_EQ(out_, "19\n");  // 3 * 1 + 16
  EXPECT_EQ(Ashlar({"generate", decoder_, "--prompt-ids", ids + ",1,1,1,1,1"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("prompt 0 has 25 tokens, the context is 24: shorten the prompt, or "
                              "compile with --context 25 or more [E0507]"));
  EXPECT_EQ(Ashlar({"generate", artifact_, "--prompt-ids", "1"}), kFailed);
  EXPECT_THAT(err_, AllOf(HasSubstr("no entry 'prefill'"), HasSubstr("[E0514]")));
}

TEST_F(DriverTest, GenerateDrawsSearchesAndRemembers) {
  const Arguments command = {"generate", decoder_, "--prompt-ids", "1,2,3", "--max-tokens=4"};
  auto with = [&](Arguments more) {
    more.insert(more.begin(), command.begin(), command.end());
    return Ashlar(more);
  };
  ASSERT_EQ(with({"--temperature=2", "--seed=1"}), kOk) << err_;
  const std::string drawn = out_;
  ASSERT_EQ(with({"--temperature=2", "--seed=1"}), kOk);
  EXPECT_EQ(out_, drawn);
  ASSERT_EQ(with({"--temperature=2", "--seed=2"}), kOk);
  EXPECT_NE(out_, drawn);
  ASSERT_EQ(with({"--temperature=2", "--seed=1", "--top-k=1"}), kOk);
  EXPECT_EQ(out_, "9,30,44,37\n");
  ASSERT_EQ(with({"--json", "--stop-id=44"}), kOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("\"tokens\":[9,30,44]"), HasSubstr("\"stop_token\"")));
  EXPECT_EQ(with({"--top-p=0"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("top_p is 0, expected a probability above 0"));
  for (const char* bad : {"--top-p=x", "--temperature=-1", "--temperature=inf", "--stop=x"})
    EXPECT_EQ(with({bad}), kUsage) << bad;

  const std::string file = directory_ + "/session";
  ASSERT_EQ(with({"--session", file}), kOk) << err_;
  ASSERT_EQ(Ashlar({"generate", decoder_, "--prompt-ids=1,2,3,9,30,44,37", "--max-tokens=2",
                    "--session", file, "--trace", directory_ + "/trace.json"}),
            kOk)
      << err_;
  EXPECT_EQ(out_, "17,8\n");  // 3 * 37 + 6, 3 * 17 + 7: the first six were in the cache
  ASSERT_TRUE(WriteFile(file, "ASHLSTAT, but no more").ok());
  EXPECT_EQ(with({"--session", file}), kFailed);
  EXPECT_THAT(err_, HasSubstr("[E0513]"));
}

TEST_F(DriverTest, InspectShowsCostsAndMemory) {
  ASSERT_EQ(
      Ashlar({"inspect", artifact_, "--batch", "2", "--seq", "3", "--threads", "2", "--verify"}),
      kOk)
      << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("x: F32 [batch, seq, 5], required"),
                          HasSubstr("-> logits: F32 [batch, seq, 33]"),
                          HasSubstr("entry forward, at batch 2, seq 3"),
                          HasSubstr("1.98 k"),  // 6 rows x 330
                          HasSubstr("9824 bytes = arena 9600 + scratch 128 (2 threads) + state 96"),
                          HasSubstr("peak 9600, lower bound 9536, gap 0.67 %"),
                          HasSubstr("all checksums are right")));
  EXPECT_EQ(Ashlar({"inspect", artifact_, "--batch", "9"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("'batch' is 9, the artifact was compiled for 1..4"));
}

TEST_F(DriverTest, InspectProfiles) {
  ASSERT_EQ(Ashlar({"inspect", decoder_, "--profile", "--threads", "1"}), kOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("predicted"), HasSubstr("launch"), HasSubstr("GFLOP/s"),
                          HasSubstr("next_token")));
}

TEST_F(DriverTest, BenchPrintsOneObject) {
  ASSERT_EQ(Ashlar({"bench", decoder_, "--entry", "decode", "--batch", "2", "--context", "5",
                    "--threads", "1", "--json", "--milliseconds", "20"}),
            kOk)
      << err_;
  auto object = nlohmann::json::parse(out_, nullptr, false);
  ASSERT_TRUE(object.is_object()) << out_;
  EXPECT_EQ(object["entry"], "decode");
  EXPECT_EQ(object["batch"], 2);
  EXPECT_EQ(object["seq"], 1);
  EXPECT_EQ(object["context"], 5);
  EXPECT_EQ(object["threads"], 1);
  for (const char* key : {"min_ms", "median_ms", "gflops", "gbs", "peak_gflops", "peak_gbs"})
    EXPECT_GT(object[key].get<double>(), 0) << key;
  EXPECT_LE(object["min_ms"], object["median_ms"]);
  EXPECT_EQ(object["device"], "cpu");
  EXPECT_LT(object["device_ms"], 0);  // a GPU's clock
  EXPECT_EQ(object["library"], "");   // of a GPU's plain products
  EXPECT_EQ(object.size(), 14u);
  EXPECT_EQ(Ashlar({"bench", decoder_, "--entry", "decode", "--context", "24"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("may hold, 24"));
}

}  // namespace
}  // namespace ashlar
