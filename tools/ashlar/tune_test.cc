// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tuning on a driver and a library that are made up, whose clock says what a test wants it to: what
// is chosen, what of that is in the artifact, and that a session obeys it.
#include "tools/ashlar/tune.h"

#include "runtime/api/cuda_launcher_fixture.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "tools/ashlar/command_test_base.h"

namespace ashlar {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Tune, QuartilesOfRounds) {
  const Spread one = SpreadOf({3});
  EXPECT_EQ(one.median, 3);
  EXPECT_EQ(one.low, 3);
  EXPECT_EQ(one.high, 3);
  const Spread five = SpreadOf({5, 1, 4, 2, 3});
  EXPECT_EQ(five.low, 2);
  EXPECT_EQ(five.median, 3);
  EXPECT_EQ(five.high, 4);
}

MeasuredProduct Measured(uint32_t kernel, int count, Spread of_kernel, Spread of_library) {
  MeasuredProduct measured;
  measured.use.kernel = kernel;
  measured.use.count = count;
  measured.kernel = of_kernel;
  measured.library = of_library;
  measured.has_library = of_library.median > 0;
  return measured;
}

TEST(Tune, TheLibraryIsChosenWhereItIsFasterThanTheNoise) {
  auto choices = ChooseProducts({
      Measured(7, 1, {2, 1.9, 2.1}, {1.8, 1.7, 2.5}),
      Measured(3, 1, {2, 1.7, 2.1}, {1.8, 1.7, 1.9}),  // within the kernel's quartiles
      Measured(5, 1, {2, 1.9, 2.1}, {}),               // no algorithm
  });
  ASSERT_EQ(choices.size(), 3u);
  EXPECT_EQ(choices[0].kernel, 3u);
  EXPECT_FALSE(choices[0].by_library);
  EXPECT_EQ(choices[0].decided_by, 1u);
  EXPECT_FALSE(choices[1].by_library);
  EXPECT_EQ(choices[2].kernel, 7u);
  EXPECT_TRUE(choices[2].by_library);
}

TEST(Tune, WhereAStepSpendsTheMostTimeDecides) {
  const Spread one{1, 1, 1}, three{3, 3, 3}, ten{10, 10, 10};
  // 12 launches of 1 ms against 1 of 10 ms, of one kernel.
  auto choices = ChooseProducts({Measured(0, 1, ten, one), Measured(0, 12, one, three)});
  ASSERT_EQ(choices.size(), 1u);
  EXPECT_FALSE(choices[0].by_library);
  EXPECT_EQ(choices[0].decided_by, 1u);
  choices = ChooseProducts({Measured(0, 9, one, three), Measured(0, 1, ten, one)});
  EXPECT_TRUE(choices[0].by_library);
}

class TuneTest : public CudaLauncherTest, protected testing::CommandTestBase {
 protected:
  void SetUp() override {
    CudaLauncherTest::SetUp();
    setenv("ASHLAR_CUBLASLT", ASHLAR_FAKE_CUBLASLT, 1);
    Write(MakeProductProgram());
  }
  void TearDown() override {
    std::filesystem::remove(path_ + ".minisig");
    CudaLauncherTest::TearDown();
  }

  void Write(const fb::ProgramT& program) {
    ASSERT_TRUE(WriteArtifact(path_, program, std::string(64, 'c'), "").ok());
  }
  // Tunes where launches take so long.
  int Tune(const char* milliseconds, const Arguments& more = {}) {
    setenv("FAKE_CUDA_MS", milliseconds, 1);
    Arguments args = {"tune", path_};
    args.insert(args.end(), more.begin(), more.end());
    return Ashlar(args);
  }
  // What a session of the artifact makes of y = f(x), where x = 3 i - 8: "kernel" or "library".
  std::string WhoComputes(std::string* library = nullptr) {
    auto program = Program::Load(path_);
    if (!program.ok()) return Message(program.status());
    SessionOptions options;
    options.threads = 1;
    BindOptions bind;
    bind.device = "cuda";
    auto session = Session::Create(*program, options, bind);
    if (!session.ok()) return Message(session.status());
    if (library) *library = (*session)->library();
    const float x[] = {-8, -5, -2, 1};
    std::vector<Tensor> outputs;
    absl::Status status = (*session)->Run("step", {{"x", DType::kF32, {4}, x}}, &outputs);
    if (!status.ok()) return Message(status);
    const float* y = outputs[0].as<float>();
    const std::vector<float> found(y, y + 4);
    if (found == std::vector<float>{-7, -4, -1, 2}) return "kernel";  // x + 1
    if (found == std::vector<float>{0, 0, 0, 0}) return "library";    // relu(x + 1 - 14)
    return "nobody";
  }
};

TEST_F(TuneTest, PinsWhatIsFasterAndSessionsObey) {
  EXPECT_EQ(WhoComputes(), "library");
  ASSERT_EQ(Tune("add=0.5,cublasLtMatmul=2"), kOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("products on Fake, sm_86, with cuBLASLt 13.0.0 and the code "
                                    "for sm_80; medians and quartiles\n"),
                          HasSubstr("  25 x 4 x 4               F32 -> F32    bias, addend, relu "
                                    "0.5000 (0.5000..0.5000)    2.0000 (2.0000..2.0000)    kernel  "
                                    " add\n"),
                          HasSubstr("cuBLASLt for 0 of 1 kernels; 1 of these choices is new")));
  std::string library;
  EXPECT_EQ(WhoComputes(&library), "kernel");
  EXPECT_EQ(library, "the program's own kernels, as the artifact has chosen");
  ASSERT_EQ(Ashlar({"inspect", path_}), kOk);
  EXPECT_THAT(out_, HasSubstr("its kernel, as measured 2"));
  EXPECT_THAT(out_, HasSubstr(" (Fake, sm_86; cuBLASLt 13.0.0): cuBLASLt 2000.0 us, its kernel "
                              "500.0 at 25 rows"));
  // Again, on a machine where the library is faster.
  ASSERT_EQ(Tune("add=4,cublasLtMatmul=2"), kOk) << err_;
  EXPECT_THAT(out_, HasSubstr("cuBLASLt for 1 of 1 kernels; 1 of these choices is new"));
  EXPECT_EQ(WhoComputes(&library), "library");
  EXPECT_EQ(library, "cuBLASLt 13.0.0, 1 of 1 plain products, a workspace of 1024 bytes");
  ASSERT_EQ(Ashlar({"inspect", path_}), kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("cuBLASLt, as measured 2"),
                          HasSubstr("cuBLASLt 2000.0 us, its kernel 4000.0 at 25 rows"),
                          ::testing::Not(HasSubstr("500.0"))));
  ASSERT_EQ(Tune("add=4,cublasLtMatmul=2"), kOk) << err_;
  EXPECT_THAT(out_, HasSubstr("0 of these choices are new"));
  // Equal times are the kernel's; and where there is no library, a pin to it is of no use.
  ASSERT_EQ(Tune("add=1,cublasLtMatmul=1"), kOk) << err_;
  EXPECT_EQ(WhoComputes(), "kernel");
  ASSERT_EQ(Tune("add=2,cublasLtMatmul=1"), kOk) << err_;
  setenv("ASHLAR_CUBLASLT", "", 1);
  EXPECT_EQ(WhoComputes(&library), "kernel");
  EXPECT_EQ(library, "the program's own kernels");
}

// Images are for devices; only the one that was measured gets new choices.
TEST_F(TuneTest, LeavesOtherArchitecturesAlone) {
  fb::ProgramT program = MakeProductProgram();
  auto other = std::make_unique<fb::DeviceImageT>(*program.device_images[0]);
  other->arch = "sm_90a";
  other->kernels[0]->product->chosen_by = fb::Chooser::Model;
  program.device_images.push_back(std::move(other));
  program.properties.push_back(std::make_unique<fb::PropertyT>());
  program.properties[0]->key = "model_type";
  program.properties[0]->value = "none";
  Write(program);
  const std::string output = path_ + ".tuned";
  const std::string before = *ReadFile(path_, 1 << 20);
  ASSERT_EQ(Tune("add=1,cublasLtMatmul=2", {"-o", output, "--rounds", "2"}), kOk) << err_;
  EXPECT_EQ(*ReadFile(path_, 1 << 20), before);
  auto tuned = Program::Load(output);
  std::filesystem::remove(output);
  ASSERT_TRUE(tuned.ok()) << tuned.status();
  const auto& images = (*tuned)->metadata().device_images;
  EXPECT_FALSE(images[0]->kernels[0]->product);
  EXPECT_EQ(images[0]->kernels[0]->own_product->chosen_by, fb::Chooser::Measurement);
  EXPECT_TRUE(images[1]->kernels[0]->product);
  EXPECT_FALSE(images[1]->kernels[0]->own_product);
  EXPECT_EQ(images[1]->kernels[0]->product->chosen_by, fb::Chooser::Model);
  EXPECT_EQ((*tuned)->Property("model_type"), "none");
  EXPECT_EQ((*tuned)->code(), std::string(64, 'c'));
}

TEST_F(TuneTest, WhereTheLibraryHasNoAlgorithm) {
  setenv("FAKE_CUDA_FAIL", "cublasLtMatmulAlgoGetHeuristic=15", 1);
  ASSERT_EQ(Tune("add=4,cublasLtMatmul=2"), kOk) << err_;
  EXPECT_THAT(out_, HasSubstr("no algorithm"));
  unsetenv("FAKE_CUDA_FAIL");
  EXPECT_EQ(WhoComputes(), "kernel");
  ASSERT_EQ(Ashlar({"inspect", path_}), kOk);
  EXPECT_THAT(out_, HasSubstr("no algorithm of cuBLASLt, its kernel 4000.0 us at 25 rows"));
}

TEST_F(TuneTest, WarnsOfASignatureOfWhatWas) {
  ASSERT_TRUE(WriteFile(path_ + ".minisig", "signed").ok());
  ASSERT_EQ(Tune("add=4,cublasLtMatmul=2"), kOk) << err_;
  EXPECT_THAT(err_, HasSubstr(".minisig was made for the artifact as it was; sign it again"));
}

TEST_F(TuneTest, SaysWhatWouldWork) {
  const std::string before = *ReadFile(path_, 1 << 20);
  setenv("ASHLAR_CUBLASLT", "", 1);
  EXPECT_EQ(Tune(""), kFailed);
  EXPECT_THAT(err_, HasSubstr("no cuBLASLt to measure: libcublasLt.so.13 and libcublasLt.so.12 are "
                              "not here, or ASHLAR_CUBLASLT is empty; install"));
  setenv("ASHLAR_CUBLASLT", ASHLAR_FAKE_CUBLASLT, 1);
  EXPECT_EQ(Tune("", {"--gpu", "1"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("no CUDA device 1; the driver knows 1"));
  EXPECT_EQ(Tune("", {"--device", "cuda-emulator"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("no code for the CUDA emulator"));
  EXPECT_EQ(Tune("", {"--batch", "2"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("the artifact has no dimension 'batch'; it has n 1..100"));
  EXPECT_EQ(Tune("", {"--rounds", "0"}), kUsage);
  setenv("FAKE_CUDA_FAIL", "cuLaunchKernel=700", 1);
  EXPECT_EQ(Tune(""), kFailed);
  EXPECT_THAT(err_, HasSubstr("cuLaunchKernel of add (layer.add) on device 0 (Fake, sm_86): "
                              "CUDA_ERROR_ILLEGAL_ADDRESS"));
  unsetenv("FAKE_CUDA_FAIL");
  EXPECT_EQ(*ReadFile(path_, 1 << 20), before);
  Write(MakeProgram());
  EXPECT_EQ(Tune(""), kFailed);
  EXPECT_THAT(err_, HasSubstr("no plain product to choose for"));
}

}  // namespace
}  // namespace ashlar
