// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/cpu_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/status.h"
#include "runtime/device/cpu/cpu_cores.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

std::vector<std::unique_ptr<fb::ImageT>> Images() {
  std::vector<std::unique_ptr<fb::ImageT>> images;
  for (auto [cpu, features] :
       {std::pair<const char*, std::vector<std::string>>{"x86-64-v4", {"avx2", "fma", "avx512f"}},
        {"x86-64-v3", {"avx2", "fma"}},
        {"quantum", {"avx2", "qubits", "tea"}}}) {
    images.push_back(std::make_unique<fb::ImageT>());
    images.back()->cpu = cpu;
    images.back()->features = features;
  }
  return images;
}

// The compiler's own view of the CPU, for the features that it can be asked about.
TEST(CpuFeatures, AgreeWithTheCompilersRuntime) {
  __builtin_cpu_init();
  const std::set<std::string>& host = HostFeatures();
#define EXPECT_FEATURE(name) \
  EXPECT_EQ(host.count(name) == 1, __builtin_cpu_supports(name) != 0) << name
  EXPECT_FEATURE("sse2");
  EXPECT_FEATURE("sse4.2");
  EXPECT_FEATURE("popcnt");
  EXPECT_FEATURE("avx");
  EXPECT_FEATURE("avx2");
  EXPECT_FEATURE("bmi");
  EXPECT_FEATURE("bmi2");
  EXPECT_FEATURE("fma");
  EXPECT_FEATURE("avx512f");
  EXPECT_FEATURE("avx512bw");
  EXPECT_FEATURE("avx512dq");
  EXPECT_FEATURE("avx512cd");
  EXPECT_FEATURE("avx512vl");
  EXPECT_FEATURE("avx512vnni");
  EXPECT_FEATURE("avx512bf16");
  EXPECT_FEATURE("gfni");
  EXPECT_FEATURE("vpclmulqdq");
#undef EXPECT_FEATURE
  EXPECT_FALSE(HostCpuName().empty());
  EXPECT_GE(AvailableCores(), 1);
}

TEST(CpuFeatures, ChoosesTheRichestImageThatRuns) {
  EXPECT_EQ(*ChooseImage(Images(), {"avx2", "fma", "avx512f", "sse"}), 0);
  EXPECT_EQ(*ChooseImage(Images(), {"avx2", "fma"}), 1);
  EXPECT_EQ(*ChooseImage(Images(), {"avx2", "fma", "qubits", "tea"}),
            2);  // three features beat two
}

TEST(CpuFeatures, SaysWhatIsMissing) {
  std::string message = Message(ChooseImage(Images(), {"avx2"}).status());
  EXPECT_THAT(message, HasSubstr("x86-64-v4 needs fma, avx512f"));
  EXPECT_THAT(message, HasSubstr("quantum needs qubits, tea"));
  EXPECT_THAT(Message(ChooseImage({}, {"avx2"}).status()), HasSubstr("no code"));
}

}  // namespace
}  // namespace ashlar
