// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernel text keeps to the rules of the device library's README: what is forbidden there would not
// run on the emulator, or would not be checked by it.

#include "codegen/CUDA/KernelSources.h"

#include <gtest/gtest.h>

#include <regex>

namespace ashlar {
namespace {

// The first forbidden thing in the text, comments left out.
std::string findForbidden(const std::string &text) {
  std::string code = std::regex_replace(text, std::regex("//[^\n]*"), "");
  static const std::regex forbidden(
      R"(\basm\b|threadIdx|blockIdx|blockDim|gridDim|__shared__|__global__|__device__)"
      R"(|__sync|__shfl|__ballot|atomic[A-Z]|__builtin|while *\( *(true|1) *\)|for *\( *;;|#include *<|\bcuda_)"
      R"(|\bstd::|\bvolatile\b|#if)");
  std::smatch match;
  return std::regex_search(code, match, forbidden) ? match.str() : std::string();
}

TEST(KernelText, KeepsToTheRules) {
  int kernels = 0;
  for (const KernelSource &source : getKernelSources()) {
    if (source.name.find(".cuh") == std::string::npos && source.name != "fragments.h")
      continue;
    EXPECT_EQ(findForbidden(source.text), "") << source.name;
    ++kernels;
  }
  EXPECT_GE(kernels, 9);
}

TEST(KernelText, FindsWhatBreaksThem) {
  EXPECT_EQ(findForbidden("x = threadIdx.x; // y"), "threadIdx");
  EXPECT_EQ(findForbidden("while (true) {}"), "while (true)");
  EXPECT_EQ(findForbidden("#include <cuda_fp16.h>"), "#include <");
  EXPECT_EQ(findForbidden("// asm is forbidden"), "");
}

} // namespace
} // namespace ashlar
