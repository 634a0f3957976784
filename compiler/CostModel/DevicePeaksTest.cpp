// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products on a device with round numbers, and on which side of the roofline's ridge those of known
// models lie by the data sheets.

#include "compiler/CostModel/DevicePeaks.h"

#include <gtest/gtest.h>

namespace ashlar {
namespace {

TEST(DevicePeaks, PredictsArithmeticAndTraffic) {
  DevicePeaks device{"sm_1", "round", 1e12, 4e12, 8e12, 1e11, 0};
  ProductShape shape;
  shape.rows = 100;
  shape.columns = 200;
  shape.depth = 1000; // 40e6 operations; 800 kB of weights, 400 kB of the left operand, 80 kB
  EXPECT_DOUBLE_EQ(predict(shape, device).compute, 40e-6);
  EXPECT_DOUBLE_EQ(predict(shape, device).memory, 12.8e-6);
  EXPECT_TRUE(predict(shape, device).isComputeBound());
  EXPECT_DOUBLE_EQ(predict(shape, device).getSeconds(), 40e-6);
  shape.usesTf32 = true;
  EXPECT_DOUBLE_EQ(predict(shape, device).compute, 10e-6);
  EXPECT_FALSE(predict(shape, device).isComputeBound());
  EXPECT_DOUBLE_EQ(predict(shape, device).getSeconds(), 12.8e-6);
  // What fits into half of the cache does not come from memory.
  device.cache = 2 * 480e3;
  EXPECT_DOUBLE_EQ(predict(shape, device).memory, 8e-6);
  EXPECT_TRUE(predict(shape, device).isComputeBound());
  shape.hasAddend = true; // 80 kB more, which do not fit
  EXPECT_DOUBLE_EQ(predict(shape, device).memory, 13.6e-6);
  shape.hasBias = true;
  EXPECT_DOUBLE_EQ(predict(shape, device).memory, 13.608e-6);
  shape.elementBytes = shape.resultBytes = 2;
  shape.usesTf32 = false;
  EXPECT_DOUBLE_EQ(predict(shape, device).compute, 5e-6);
  EXPECT_DOUBLE_EQ(predict(shape, device).memory, 4.004e-6);
}

TEST(DevicePeaks, ByArchitecture) {
  EXPECT_STREQ(findDevicePeaks("sm_90a")->name, "H100 SXM");
  EXPECT_EQ(findDevicePeaks("sm_86"), nullptr);
  for (const char *arch : {"sm_80", "sm_86", "sm_89", "emulator", ""})
    EXPECT_EQ(&getDevicePeaks(arch), findDevicePeaks("sm_80")) << arch;
  for (const char *arch : {"sm_90", "sm_90a", "sm_100", "sm_120a"})
    EXPECT_EQ(&getDevicePeaks(arch), findDevicePeaks("sm_90a")) << arch;
}

// By hand: where activations fit, a product of weights of s bytes computes longer than it waits
// from s / 2 * peak / bandwidth rows on.
TEST(DevicePeaks, BordersOfWideProducts) {
  const DevicePeaks &h100 = *findDevicePeaks("sm_90a"), &a100 = *findDevicePeaks("sm_80");
  auto isComputeBound = [](double rows, const DevicePeaks &device, double elementBytes = 2) {
    return predict({rows, 4096, 4096, elementBytes, 4}, device).isComputeBound();
  };
  EXPECT_FALSE(isComputeBound(295, h100)); // 295.4
  EXPECT_TRUE(isComputeBound(296, h100));
  EXPECT_FALSE(isComputeBound(153, a100)); // 153.02
  EXPECT_TRUE(isComputeBound(154, a100));
  EXPECT_FALSE(isComputeBound(39, h100, 4)); // f32: 40
  EXPECT_TRUE(isComputeBound(41, h100, 4));
  EXPECT_FALSE(isComputeBound(19, a100, 4)); // 19.1
  EXPECT_TRUE(isComputeBound(20, a100, 4));
  // Many rows of few columns wait for memory once they do not fit.
  EXPECT_TRUE(predict({4000, 768, 768, 2, 4}, h100).isComputeBound());
  EXPECT_FALSE(predict({8000, 768, 768, 2, 4}, h100).isComputeBound());
}

} // namespace
} // namespace ashlar
