// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every kernel compiles with NVRTC and no header of CUDA's, and none spills. Skipped where there is
// no NVRTC (ASHLAR_NVRTC names one).

#include "codegen/CUDA/Nvrtc.h"
#include "codegen/CUDA/testing/TestKernels.h"
#include "runtime/base/status.h"

#include <gtest/gtest.h>

#include <regex>

namespace ashlar {
namespace {

class NvrtcTest : public testing::Test {
protected:
  void SetUp() override {
    auto opened = Nvrtc::open();
    if (!opened.ok())
      GTEST_SKIP() << Message(opened.status());
    nvrtc_ = *std::move(opened);
  }

  void expectCompiles(const char *text, const char *arch, size_t kernels) {
    auto result = nvrtc_->compile(text, arch);
    ASSERT_TRUE(result.ok()) << Message(result.status());
    EXPECT_EQ(result->cubin.substr(1, 3), "ELF");
    const std::string all = text;
    const std::regex declaration(R"((?:^|\n)(?:ASHLAR_SHARED|PRODUCT|ATTENTION)\((\w+),)");
    for (std::sregex_iterator match(all.begin(), all.end(), declaration), end; match != end;
         ++match)
      EXPECT_NE(result->cubin.find((*match)[1].str() + "_shared"), std::string::npos)
          << (*match)[1];
    std::regex report(R"((\d+) bytes spill stores, (\d+) bytes spill loads)");
    std::sregex_iterator match(result->log.begin(), result->log.end(), report), end;
    size_t reports = 0;
    for (; match != end; ++match, ++reports) {
      EXPECT_EQ((*match)[1], "0") << result->log;
      EXPECT_EQ((*match)[2], "0") << result->log;
    }
    EXPECT_EQ(reports, kernels) << result->log;
    std::printf("NVRTC %s, %s:\n%s", nvrtc_->version().c_str(), arch, result->log.c_str());
  }

  std::unique_ptr<Nvrtc> nvrtc_;
};

TEST_F(NvrtcTest, CompilesForAmpere) {
  expectCompiles(kProductKernels, "sm_80", 5);
  expectCompiles(kAttentionKernels, "sm_80", 3);
  expectCompiles(kFewRowsAttentionKernels, "sm_80", 6);
}

TEST_F(NvrtcTest, CompilesForHopper) {
  expectCompiles(kProductKernels, "sm_90a", 5);
  expectCompiles(kAttentionKernels, "sm_90a", 3);
  expectCompiles(kFewRowsAttentionKernels, "sm_90a", 6);
  expectCompiles(kHopperKernels, "sm_90a", 4);
}

TEST_F(NvrtcTest, ReportsTheCompilersMessage) {
  auto result = nvrtc_->compile("#include \"device.h\"\nnonsense", "sm_80");
  ASSERT_FALSE(result.ok());
  EXPECT_NE(Message(result.status()).find("nonsense"), std::string::npos);
}

} // namespace
} // namespace ashlar
