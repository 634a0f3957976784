// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Holds the declarations of cublaslt.h against cublasLt.h, and, where the library is installed,
// what it takes as attributes: descriptors are made on the host, without a GPU.
#include "runtime/device/cuda/cublaslt.h"

#include <cublasLt.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>

#include "runtime/base/status.h"
#include "runtime/device/cuda/testing/same_function.h"

namespace ashlar::cuda {
namespace {

#define ASHLAR_CUBLASLT_COMPARE(result, name, ...) \
  static_assert(SameFunction<result (*)(__VA_ARGS__), decltype(&::name)>::value, #name);
ASHLAR_CUBLASLT_FUNCTIONS(ASHLAR_CUBLASLT_COMPARE)

static_assert(sizeof(MatmulAlgorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(MatmulHeuristicResult) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(MatmulHeuristicResult, workspace_bytes) ==
              offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(MatmulHeuristicResult, state) ==
              offsetof(cublasLtMatmulHeuristicResult_t, state));
static_assert(kComputeF32 == CUBLAS_COMPUTE_32F);
static_assert(kComputeFastTf32 == CUBLAS_COMPUTE_32F_FAST_TF32);
static_assert(kTypeF32 == CUDA_R_32F && kTypeF16 == CUDA_R_16F && kTypeBf16 == CUDA_R_16BF);
static_assert(kNotTransposed == CUBLAS_OP_N && kTransposed == CUBLAS_OP_T);
static_assert(kDescriptorTransposeA == CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(kDescriptorTransposeB == CUBLASLT_MATMUL_DESC_TRANSB);
static_assert(kDescriptorEpilogue == CUBLASLT_MATMUL_DESC_EPILOGUE);
static_assert(kDescriptorBiasPointer == CUBLASLT_MATMUL_DESC_BIAS_POINTER);
static_assert(kLayoutColumns == CUBLASLT_MATRIX_LAYOUT_COLS);
static_assert(kPreferenceMaxWorkspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(kPreferenceReductionSchemes == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
static_assert(kPreferenceMinAlignment[0] == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(kPreferenceMinAlignment[1] == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
static_assert(kPreferenceMinAlignment[2] == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
static_assert(kPreferenceMinAlignment[3] == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(kReductionSchemeNone == CUBLASLT_REDUCTION_SCHEME_NONE);
static_assert(kEpilogueDefault == CUBLASLT_EPILOGUE_DEFAULT);
static_assert(kEpilogueRelu == CUBLASLT_EPILOGUE_RELU);
static_assert(kEpilogueBias == CUBLASLT_EPILOGUE_BIAS);
static_assert(kEpilogueGelu == CUBLASLT_EPILOGUE_GELU);
static_assert((kEpilogueRelu | kEpilogueBias) == CUBLASLT_EPILOGUE_RELU_BIAS);
static_assert((kEpilogueGelu | kEpilogueBias) == CUBLASLT_EPILOGUE_GELU_BIAS);
static_assert(CUBLAS_STATUS_ALLOC_FAILED == 3 && CUBLAS_STATUS_NOT_SUPPORTED == 15);

// The library takes attributes of these sizes and no others.
TEST(CublasLt, TakesAttributes) {
  auto found = CublasLt::Find();
  ASSERT_TRUE(found.ok()) << found.status();
  if (!*found) GTEST_SKIP() << "no libcublasLt.so.13 or .12 here (ASHLAR_CUBLASLT names one)";
  const CublasLt& library = **found;
  EXPECT_THAT(library.name(), ::testing::MatchesRegex("cuBLASLt 1[0-9]\\.[0-9]+\\.[0-9]+"));
  MatmulDescriptor* descriptor = nullptr;
  ASSERT_EQ(library.cublasLtMatmulDescCreate(&descriptor, kComputeF32, kTypeF32), 0);
  const uint64_t value = 16;
  auto sizes = [&](auto set, auto* object, int attribute) {
    std::vector<size_t> taken;
    for (size_t bytes : {1, 2, 4, 8, 16})
      if (set(object, attribute, &value, bytes) == 0) taken.push_back(bytes);
    return taken;
  };
  using ::testing::ElementsAre;
  for (int attribute : {kDescriptorTransposeA, kDescriptorTransposeB, kDescriptorEpilogue})
    EXPECT_THAT(sizes(library.cublasLtMatmulDescSetAttribute, descriptor, attribute),
                ElementsAre(4));
  EXPECT_THAT(sizes(library.cublasLtMatmulDescSetAttribute, descriptor, kDescriptorBiasPointer),
              ElementsAre(8));
  MatrixLayout* layout = nullptr;
  ASSERT_EQ(library.cublasLtMatrixLayoutCreate(&layout, kTypeBf16, 64, 32, 64), 0);
  EXPECT_THAT(sizes(library.cublasLtMatrixLayoutSetAttribute, layout, kLayoutColumns),
              ElementsAre(8));
  MatmulPreference* preference = nullptr;
  ASSERT_EQ(library.cublasLtMatmulPreferenceCreate(&preference), 0);
  EXPECT_THAT(
      sizes(library.cublasLtMatmulPreferenceSetAttribute, preference, kPreferenceMaxWorkspace),
      ElementsAre(8));
  EXPECT_THAT(
      sizes(library.cublasLtMatmulPreferenceSetAttribute, preference, kPreferenceReductionSchemes),
      ElementsAre(4));
  for (int attribute : kPreferenceMinAlignment)
    EXPECT_THAT(sizes(library.cublasLtMatmulPreferenceSetAttribute, preference, attribute),
                ElementsAre(4));
  EXPECT_EQ(library.cublasLtMatmulPreferenceDestroy(preference), 0);
  EXPECT_EQ(library.cublasLtMatrixLayoutDestroy(layout), 0);
  EXPECT_EQ(library.cublasLtMatmulDescDestroy(descriptor), 0);
  EXPECT_EQ(Message(library.ToStatus(13, "cublasLtMatmul of x")),
            "cublasLtMatmul of x: CUBLAS_STATUS_EXECUTION_FAILED (13): the function failed to "
            "launch on the GPU");
}

TEST(CublasLt, IsWhatTheVariableSays) {
  setenv("ASHLAR_CUBLASLT", "/no/such/libcublasLt.so", 1);
  EXPECT_EQ(CublasLt::Find().status().code(), absl::StatusCode::kNotFound);
  setenv("ASHLAR_CUBLASLT", "", 1);
  auto none = CublasLt::Find();
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(*none, nullptr);
  EXPECT_EQ(CublasLt::From({}), nullptr);
  unsetenv("ASHLAR_CUBLASLT");
}

}  // namespace
}  // namespace ashlar::cuda
