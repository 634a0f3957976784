// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulated library refuses what the real one documents as wrong, and bytes that are not the
// caller's.
#include "runtime/device/emulator/emulated_cublaslt.h"

#include <gtest/gtest.h>

#include <vector>

namespace ashlar::emulator {
namespace {

using cuda::kComputeF32;
using cuda::kTypeBf16;
using cuda::kTypeF32;

constexpr int kInvalidValue = 7, kExecutionFailed = 13, kNotSupported = 15;

// D = A^T B + C with a bias, A of 4 x 8, B of 4 x 3, in memory that ends where they do.
class EmulatedCublasLtTest : public ::testing::Test, public LibraryMemory {
 protected:
  static constexpr uint64_t kColumns = 3;

  void SetUp() override {
    SetLibraryMemory(this);
    unsetenv("ASHLAR_CUBLASLT");
    library_ = EmulatedCublasLt();
    ASSERT_TRUE(library_);
    ASSERT_EQ(cublasLtCreate(&handle_), 0);
    ASSERT_EQ(cublasLtMatmulDescCreate(&operation_, kComputeF32, kTypeF32), 0);
    Set(cuda::kDescriptorTransposeA, int32_t{1});
    Set(cuda::kDescriptorEpilogue, cuda::kEpilogueBias);
    Set(cuda::kDescriptorBiasPointer, static_cast<const void*>(bias_.data()));
    ASSERT_EQ(cublasLtMatrixLayoutCreate(&a_, kTypeF32, 4, 8, 4), 0);
    ASSERT_EQ(cublasLtMatrixLayoutCreate(&b_, kTypeF32, 4, kColumns, 4), 0);
    ASSERT_EQ(cublasLtMatrixLayoutCreate(&d_, kTypeF32, 8, kColumns, 8), 0);
    ASSERT_EQ(cublasLtMatmulPreferenceCreate(&preference_), 0);
    const uint64_t workspace = 4096;
    const uint32_t none = 0;
    ASSERT_EQ(cublasLtMatmulPreferenceSetAttribute(preference_, cuda::kPreferenceMaxWorkspace,
                                                   &workspace, sizeof workspace),
              0);
    ASSERT_EQ(cublasLtMatmulPreferenceSetAttribute(preference_, cuda::kPreferenceReductionSchemes,
                                                   &none, sizeof none),
              0);
  }
  void TearDown() override {
    cublasLtMatmulPreferenceDestroy(preference_);
    for (MatrixLayout* layout : {a_, b_, d_}) cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulDescDestroy(operation_);
    cublasLtDestroy(handle_);
    SetLibraryMemory(nullptr);
  }

  template <typename T>
  void Set(int attribute, const T& value) {
    ASSERT_EQ(cublasLtMatmulDescSetAttribute(operation_, attribute, &value, sizeof value), 0);
  }
  int Find() {
    int found = 0;
    int error = cublasLtMatmulAlgoGetHeuristic(handle_, operation_, a_, b_, d_, d_, preference_, 1,
                                               &best_, &found);
    EXPECT_EQ(found, error == 0);
    return error;
  }
  int Multiply(float beta = 1, size_t workspace_bytes = 1024) {
    const float alpha = 1;
    return cublasLtMatmul(handle_, operation_, &alpha, weight_.data(), a_, left_.data(), b_, &beta,
                          addend_.data(), d_, result_.data(), d_, &best_.algorithm,
                          workspace_.data(), workspace_bytes, nullptr);
  }

  char* Resolve(const void* address, size_t bytes, bool is_written) override {
    auto lies_in = [&](const std::vector<float>& data) {
      const char *begin = reinterpret_cast<const char*>(data.data()),
                 *from = static_cast<const char*>(address);
      return from >= begin && from + bytes <= begin + 4 * data.size();
    };
    const bool is_result = lies_in(result_) || lies_in(workspace_);
    const bool is_input = lies_in(weight_) || lies_in(left_) || lies_in(addend_) || lies_in(bias_);
    return (is_written ? is_result : is_input)
               ? const_cast<char*>(static_cast<const char*>(address))
               : nullptr;
  }
  int Submit(CUstream_st*, std::function<void()> work) override {
    work();
    return 0;
  }

  std::shared_ptr<const cuda::CublasLt> library_;
  cublasLtContext* handle_ = nullptr;
  MatmulDescriptor* operation_ = nullptr;
  MatrixLayout *a_ = nullptr, *b_ = nullptr, *d_ = nullptr;
  MatmulPreference* preference_ = nullptr;
  MatmulHeuristicResult best_ = {};
  std::vector<float> weight_ = std::vector<float>(32, 1), left_ = std::vector<float>(12, 2),
                     addend_ = std::vector<float>(24, 0.5), bias_ = std::vector<float>(8, 0.25),
                     result_ = std::vector<float>(24), workspace_ = std::vector<float>(256);
};

TEST_F(EmulatedCublasLtTest, Multiplies) {
  weight_[5] = 3;  // element 1 of row 1
  left_[4] = 7;    // element 0 of column 1
  ASSERT_EQ(Find(), 0);
  ASSERT_EQ(Multiply(), 0);
  for (int column = 0; column < 3; ++column)
    for (int row = 0; row < 8; ++row)
      EXPECT_EQ(result_[column * 8 + row], 8.75f + (row == 1 ? 4 : 0) + (column == 1 ? 5 : 0))
          << row << ", " << column;
  ASSERT_EQ(Multiply(0), 0);
  EXPECT_EQ(result_[0], 8.25f);
}

TEST_F(EmulatedCublasLtTest, RefusesWhatDoesNotFit) {
  const uint64_t number = 0;
  EXPECT_EQ(cublasLtMatmulDescSetAttribute(operation_, cuda::kDescriptorEpilogue, &number, 8),
            kInvalidValue);
  EXPECT_EQ(cublasLtMatmulDescSetAttribute(operation_, 99, &number, 4), kInvalidValue);
  EXPECT_EQ(cublasLtMatrixLayoutSetAttribute(b_, cuda::kLayoutColumns, &number, 4), kInvalidValue);
  ASSERT_EQ(Find(), 0);
  const MatmulHeuristicResult right = best_;
  // More columns of B than D has.
  const uint64_t columns = kColumns + 1;
  ASSERT_EQ(cublasLtMatrixLayoutSetAttribute(b_, cuda::kLayoutColumns, &columns, 8), 0);
  EXPECT_EQ(Find(), kInvalidValue);
  EXPECT_EQ(Multiply(), kInvalidValue);
  // As many, but more than the memory.
  ASSERT_EQ(cublasLtMatrixLayoutSetAttribute(d_, cuda::kLayoutColumns, &columns, 8), 0);
  EXPECT_EQ(Multiply(), kExecutionFailed);
  left_.resize(16);
  EXPECT_EQ(Multiply(), kExecutionFailed);
  result_.resize(32);
  EXPECT_EQ(Multiply(), kExecutionFailed);  // the addend
  EXPECT_EQ(Multiply(0), 0);
  bias_.resize(4);
  EXPECT_EQ(Multiply(0), kExecutionFailed);
  EXPECT_EQ(Multiply(0, 16), kInvalidValue);  // the workspace
  // An algorithm of another product.
  best_.algorithm.data[1] ^= 1;
  EXPECT_EQ(Multiply(0), kInvalidValue);
  best_ = right;
  Set(cuda::kDescriptorEpilogue, cuda::kEpilogueDefault);
  EXPECT_EQ(Multiply(0), kInvalidValue);
  SetLibraryMemory(nullptr);
  EXPECT_NE(Multiply(0), 0);
}

TEST_F(EmulatedCublasLtTest, HasNoAlgorithmsForOtherTypes) {
  MatrixLayout* half = nullptr;
  ASSERT_EQ(cublasLtMatrixLayoutCreate(&half, kTypeBf16, 4, kColumns, 4), 0);
  std::swap(half, b_);
  EXPECT_EQ(Find(), kNotSupported);
  std::swap(half, b_);
  EXPECT_EQ(cublasLtMatrixLayoutDestroy(half), 0);
  Set(cuda::kDescriptorEpilogue, uint32_t{256});  // a gradient
  EXPECT_EQ(Find(), kNotSupported);
  Set(cuda::kDescriptorEpilogue, cuda::kEpilogueBias);
  // Nor any that might split the depth.
  const uint32_t all = 7;
  ASSERT_EQ(cublasLtMatmulPreferenceSetAttribute(preference_, cuda::kPreferenceReductionSchemes,
                                                 &all, sizeof all),
            0);
  EXPECT_EQ(Find(), kNotSupported);
}

}  // namespace
}  // namespace ashlar::emulator
