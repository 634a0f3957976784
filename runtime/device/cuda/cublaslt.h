// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cuBLASLt, NVIDIA's library of matrix products, found with dlopen: the same build runs where there
// is none. Types are those of cublasLt.h (of CUDA 12 and 13, which agree in all that is used here):
// descriptors are pointers to structs that the library makes, enumerations are ints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/device/cuda/driver.h"

struct cublasLtContext;

namespace ashlar::cuda {

// What the library makes of a product, a matrix, and the wishes for an algorithm.
struct MatmulDescriptor;
struct MatrixLayout;
struct MatmulPreference;
// An algorithm, configured; it is copied freely.
struct MatmulAlgorithm {
  uint64_t data[8];
};
struct MatmulHeuristicResult {
  MatmulAlgorithm algorithm;
  size_t workspace_bytes;
  int state;  // 0, or why the algorithm is none
  float waves;
  int reserved[4];
};

// Every function that is used: what it returns, its name, its parameters.
#define ASHLAR_CUBLASLT_FUNCTIONS(F)                                                               \
  F(size_t, cublasLtGetVersion, void)                                                              \
  F(const char*, cublasLtGetStatusName, int status)                                                \
  F(const char*, cublasLtGetStatusString, int status)                                              \
  F(int, cublasLtCreate, cublasLtContext** handle)                                                 \
  F(int, cublasLtDestroy, cublasLtContext* handle)                                                 \
  F(int, cublasLtMatmulDescCreate, MatmulDescriptor** descriptor, int compute_type,                \
    int scale_type)                                                                                \
  F(int, cublasLtMatmulDescDestroy, MatmulDescriptor* descriptor)                                  \
  F(int, cublasLtMatmulDescSetAttribute, MatmulDescriptor* descriptor, int attribute,              \
    const void* value, size_t bytes)                                                               \
  F(int, cublasLtMatrixLayoutCreate, MatrixLayout** layout, int type, uint64_t rows,               \
    uint64_t columns, int64_t leading)                                                             \
  F(int, cublasLtMatrixLayoutDestroy, MatrixLayout* layout)                                        \
  F(int, cublasLtMatrixLayoutSetAttribute, MatrixLayout* layout, int attribute, const void* value, \
    size_t bytes)                                                                                  \
  F(int, cublasLtMatmulPreferenceCreate, MatmulPreference** preference)                            \
  F(int, cublasLtMatmulPreferenceDestroy, MatmulPreference* preference)                            \
  F(int, cublasLtMatmulPreferenceSetAttribute, MatmulPreference* preference, int attribute,        \
    const void* value, size_t bytes)                                                               \
  F(int, cublasLtMatmulAlgoGetHeuristic, cublasLtContext* handle, MatmulDescriptor* descriptor,    \
    MatrixLayout* a, MatrixLayout* b, MatrixLayout* c, MatrixLayout* d,                            \
    MatmulPreference* preference, int wanted, MatmulHeuristicResult* results, int* found)          \
  F(int, cublasLtMatmulAlgoCheck, cublasLtContext* handle, MatmulDescriptor* descriptor,           \
    MatrixLayout* a, MatrixLayout* b, MatrixLayout* c, MatrixLayout* d,                            \
    const MatmulAlgorithm* algorithm, MatmulHeuristicResult* result)                               \
  F(int, cublasLtMatmul, cublasLtContext* handle, MatmulDescriptor* descriptor, const void* alpha, \
    const void* a, MatrixLayout* a_layout, const void* b, MatrixLayout* b_layout,                  \
    const void* beta, const void* c, MatrixLayout* c_layout, void* d, MatrixLayout* d_layout,      \
    const MatmulAlgorithm* algorithm, void* workspace, size_t workspace_bytes,                     \
    CUstream_st* stream)

// Values of enumerations, and the types of attributes.
inline constexpr int kComputeF32 = 68, kComputeFastTf32 = 77;               // cublasComputeType_t
inline constexpr int kTypeF32 = 0, kTypeF16 = 2, kTypeBf16 = 14;            // cudaDataType
inline constexpr int kNotTransposed = 0, kTransposed = 1;                   // cublasOperation_t
inline constexpr int kDescriptorTransposeA = 3, kDescriptorTransposeB = 4;  // int32_t
inline constexpr int kDescriptorEpilogue = 7;                               // uint32_t
inline constexpr int kDescriptorBiasPointer = 8;                            // const void*
inline constexpr int kLayoutColumns = 3;                                    // uint64_t
inline constexpr int kPreferenceMaxWorkspace = 1;                           // uint64_t
inline constexpr int kPreferenceReductionSchemes = 3;                       // uint32_t
inline constexpr int kPreferenceMinAlignment[] = {5, 6, 7, 8};  // of A, B, C, D: uint32_t
inline constexpr uint32_t kReductionSchemeNone = 0;             // the depth is not split
inline constexpr uint32_t kEpilogueDefault = 1, kEpilogueRelu = 2, kEpilogueBias = 4,
                          kEpilogueGelu = 32;  // Relu and Gelu with Bias: both bits

struct CublasLtFunctions {
#define ASHLAR_CUBLASLT_DECLARE(result, name, ...) result (*name)(__VA_ARGS__) = nullptr;
  ASHLAR_CUBLASLT_FUNCTIONS(ASHLAR_CUBLASLT_DECLARE)
#undef ASHLAR_CUBLASLT_DECLARE
};

// The library, with every function above as a member.
class CublasLt : public CublasLtFunctions {
 public:
  // The library that the environment variable ASHLAR_CUBLASLT names, or else libcublasLt.so.13 or
  // .12. Null where there is none, or where the variable is empty: products are then made by the
  // program's own kernels. NotFound where the named one cannot be opened, FailedPrecondition where
  // it is too old.
  static absl::StatusOr<std::shared_ptr<const CublasLt>> Find();
  // Another implementation of the same functions; null where ASHLAR_CUBLASLT is empty.
  static std::shared_ptr<const CublasLt> From(const CublasLtFunctions& functions);
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  // "cuBLASLt 13.0.2".
  std::string name() const;

  // OK for 0; else an error that begins with `what` and has the error's name and text.
  // ResourceExhausted where memory is short, everything else Internal.
  absl::Status ToStatus(int error, std::string_view what) const;

 private:
  CublasLt() = default;
  absl::Status Load(const std::string& path);
  void* library_ = nullptr;
};

}  // namespace ashlar::cuda
