// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/emulator/emulated_cublaslt.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "runtime/base/dtype.h"

namespace ashlar::cuda {

struct MatmulDescriptor {
  int compute, scale;
  int32_t transposes_a = kNotTransposed, transposes_b = kNotTransposed;
  uint32_t epilogue = kEpilogueDefault;
  const void* bias = nullptr;
};

struct MatrixLayout {
  int type;
  uint64_t rows, columns;
  int64_t leading;

  size_t element_bytes() const { return type == kTypeF32 ? 4 : 2; }
  size_t bytes() const {
    return columns ? ((columns - 1) * static_cast<uint64_t>(leading) + rows) * element_bytes() : 0;
  }
};

struct MatmulPreference {
  uint64_t max_workspace = 0;
  uint32_t reduction_schemes = 7, alignments[4] = {256, 256, 256, 256};
};

}  // namespace ashlar::cuda

struct cublasLtContext {};

namespace ashlar::emulator {
namespace {

using cuda::kComputeF32;
using cuda::kComputeFastTf32;
using cuda::kEpilogueBias;
using cuda::kEpilogueDefault;
using cuda::kEpilogueGelu;
using cuda::kEpilogueRelu;
using cuda::kNotTransposed;
using cuda::kTransposed;
using cuda::kTypeBf16;
using cuda::kTypeF16;
using cuda::kTypeF32;

constexpr int kSuccess = 0, kNotInitialized = 1, kInvalidValue = 7, kExecutionFailed = 13,
              kNotSupported = 15;
constexpr uint64_t kAlgorithm = 0x6173686c6172;  // that an algorithm is one of these
constexpr size_t kWorkspaceBytes = 1024;         // that it wants; it fills them with NaN patterns
constexpr uintptr_t kAlignment = 16;

int Injected(const char* call) {
  LibraryMemory* memory = GetLibraryMemory();
  return memory ? memory->GetFailure(call) : kSuccess;
}

template <typename T>
int Set(T* to, const void* value, size_t bytes) {
  if (!value || bytes != sizeof(T)) return kInvalidValue;
  std::memcpy(to, value, bytes);
  return kSuccess;
}

float Load(const char* from, int type) {
  uint16_t half;
  float value;
  if (type == kTypeF32) return std::memcpy(&value, from, sizeof value), value;
  std::memcpy(&half, from, sizeof half);
  return type == kTypeF16 ? F16ToF32(half) : BF16ToF32(half);
}

void Store(char* to, int type, float value) {
  if (type == kTypeF32) {
    std::memcpy(to, &value, sizeof value);
    return;
  }
  const uint16_t half = type == kTypeF16 ? F32ToF16(value) : F32ToBF16(value);
  std::memcpy(to, &half, sizeof half);
}

// To nearest with ten bits behind the point, ties away from zero.
float RoundToTf32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = (bits + (1u << 12)) & ~((1u << 13) - 1);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float Activate(float x, uint32_t epilogue) {
  if (epilogue & kEpilogueRelu) return std::max(x, 0.0f);
  if (epilogue & kEpilogueGelu)
    return 0.5f * x * (1 + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x)));
  return x;
}

// The combinations of types for f32 sums in the library's manual, and shapes that fit.
int Examine(const MatmulDescriptor& op, const MatrixLayout& a, const MatrixLayout& b,
            const MatrixLayout& c, const MatrixLayout& d) {
  const bool is_f32 = a.type == kTypeF32;
  if (op.scale != kTypeF32 || a.type != b.type || c.type != d.type ||
      (d.type != kTypeF32 && d.type != a.type) ||
      !(op.compute == kComputeF32 || (op.compute == kComputeFastTf32 && is_f32)))
    return kNotSupported;
  for (uint32_t known : {kEpilogueDefault, kEpilogueRelu, kEpilogueBias, kEpilogueGelu,
                         kEpilogueRelu | kEpilogueBias, kEpilogueGelu | kEpilogueBias, 0u}) {
    if (op.epilogue == known) break;
    if (known == 0) return kNotSupported;
  }
  const bool at = op.transposes_a == kTransposed, bt = op.transposes_b == kTransposed;
  const uint64_t depth = at ? a.rows : a.columns;
  if ((at ? a.columns : a.rows) != d.rows || (bt ? b.columns : b.rows) != depth ||
      (bt ? b.rows : b.columns) != d.columns || c.rows != d.rows || c.columns != d.columns)
    return kInvalidValue;
  for (const MatrixLayout* layout : {&a, &b, &c, &d})
    if (layout->rows == 0 || layout->columns == 0 ||
        layout->leading < static_cast<int64_t>(layout->rows))
      return kInvalidValue;
  if ((op.epilogue & kEpilogueBias) &&
      (!op.bias || reinterpret_cast<uintptr_t>(op.bias) % kAlignment != 0))
    return kInvalidValue;
  return kSuccess;
}

// What an algorithm is made for: everything but the number of columns of B, C and D.
uint64_t Signature(const MatmulDescriptor& op, const MatrixLayout& a, const MatrixLayout& d) {
  uint64_t hash = 0;
  for (uint64_t part :
       {static_cast<uint64_t>(op.compute), static_cast<uint64_t>(op.epilogue),
        static_cast<uint64_t>(a.type), static_cast<uint64_t>(d.type), a.rows, a.columns})
    hash = hash * 0x9e3779b97f4a7c15 + part;
  return hash;
}

// op(X) as f32, its rows (of A) or columns (of B) one after the other along the depth.
std::vector<float> Gather(const char* data, const MatrixLayout& layout, bool by_column,
                          bool is_tf32) {
  const uint64_t outer = by_column ? layout.columns : layout.rows,
                 depth = by_column ? layout.rows : layout.columns;
  std::vector<float> gathered(outer * depth);
  for (uint64_t o = 0; o < outer; ++o)
    for (uint64_t k = 0; k < depth; ++k) {
      const uint64_t row = by_column ? k : o, column = by_column ? o : k;
      const uint64_t at = column * static_cast<uint64_t>(layout.leading) + row;
      const float value = Load(data + at * layout.element_bytes(), layout.type);
      gathered[o * depth + k] = is_tf32 ? RoundToTf32(value) : value;
    }
  return gathered;
}

struct Product {
  MatmulDescriptor op;
  MatrixLayout a, b, c, d;
  const char *a_data, *b_data, *c_data, *bias;
  char* d_data;
  float alpha, beta;

  void Compute() const {
    const bool is_tf32 = op.compute == kComputeFastTf32;
    const std::vector<float> left = Gather(a_data, a, op.transposes_a == kTransposed, is_tf32),
                             right = Gather(b_data, b, op.transposes_b != kTransposed, is_tf32);
    const uint64_t depth = left.size() / d.rows;
    for (uint64_t column = 0; column < d.columns; ++column)
      for (uint64_t row = 0; row < d.rows; ++row) {
        const float *x = &left[row * depth], *y = &right[column * depth];
        float sum = 0;
        for (uint64_t k = 0; k < depth; ++k) sum += x[k] * y[k];
        sum *= alpha;
        const uint64_t c_at = column * static_cast<uint64_t>(c.leading) + row;
        if (beta != 0) sum += beta * Load(c_data + c_at * c.element_bytes(), c.type);
        if (bias) sum += Load(bias + row * d.element_bytes(), d.type);
        const uint64_t at = column * static_cast<uint64_t>(d.leading) + row;
        Store(d_data + at * d.element_bytes(), d.type, Activate(sum, op.epilogue));
      }
  }
};

}  // namespace

size_t cublasLtGetVersion() { return 130000; }
const char* cublasLtGetStatusName(int status) {
  return status == kNotInitialized    ? "CUBLAS_STATUS_NOT_INITIALIZED"
         : status == kInvalidValue    ? "CUBLAS_STATUS_INVALID_VALUE"
         : status == kExecutionFailed ? "CUBLAS_STATUS_EXECUTION_FAILED"
         : status == kNotSupported    ? "CUBLAS_STATUS_NOT_SUPPORTED"
                                      : "CUBLAS_STATUS_EMULATED";
}
const char* cublasLtGetStatusString(int) { return "said by the emulation"; }

int cublasLtCreate(cublasLtContext** handle) {
  if (int error = Injected("cublasLtCreate")) return error;
  *handle = new cublasLtContext;
  return kSuccess;
}
int cublasLtDestroy(cublasLtContext* handle) {
  delete handle;
  return kSuccess;
}

int cublasLtMatmulDescCreate(MatmulDescriptor** descriptor, int compute_type, int scale_type) {
  if (int error = Injected("cublasLtMatmulDescCreate")) return error;
  *descriptor = new MatmulDescriptor{compute_type, scale_type};
  return kSuccess;
}
int cublasLtMatmulDescDestroy(MatmulDescriptor* descriptor) {
  delete descriptor;
  return kSuccess;
}
int cublasLtMatmulDescSetAttribute(MatmulDescriptor* descriptor, int attribute, const void* value,
                                   size_t bytes) {
  switch (attribute) {
    case cuda::kDescriptorTransposeA:
      return Set(&descriptor->transposes_a, value, bytes);
    case cuda::kDescriptorTransposeB:
      return Set(&descriptor->transposes_b, value, bytes);
    case cuda::kDescriptorEpilogue:
      return Set(&descriptor->epilogue, value, bytes);
    case cuda::kDescriptorBiasPointer:
      return Set(&descriptor->bias, value, bytes);
    default:
      return kInvalidValue;
  }
}

int cublasLtMatrixLayoutCreate(MatrixLayout** layout, int type, uint64_t rows, uint64_t columns,
                               int64_t leading) {
  if (int error = Injected("cublasLtMatrixLayoutCreate")) return error;
  if (type != kTypeF32 && type != kTypeF16 && type != kTypeBf16) return kInvalidValue;
  *layout = new MatrixLayout{type, rows, columns, leading};
  return kSuccess;
}
int cublasLtMatrixLayoutDestroy(MatrixLayout* layout) {
  delete layout;
  return kSuccess;
}
int cublasLtMatrixLayoutSetAttribute(MatrixLayout* layout, int attribute, const void* value,
                                     size_t bytes) {
  return attribute == cuda::kLayoutColumns ? Set(&layout->columns, value, bytes) : kInvalidValue;
}

int cublasLtMatmulPreferenceCreate(MatmulPreference** preference) {
  *preference = new MatmulPreference;
  return kSuccess;
}
int cublasLtMatmulPreferenceDestroy(MatmulPreference* preference) {
  delete preference;
  return kSuccess;
}
int cublasLtMatmulPreferenceSetAttribute(MatmulPreference* preference, int attribute,
                                         const void* value, size_t bytes) {
  if (attribute == cuda::kPreferenceMaxWorkspace)
    return Set(&preference->max_workspace, value, bytes);
  if (attribute == cuda::kPreferenceReductionSchemes)
    return Set(&preference->reduction_schemes, value, bytes);
  for (int i = 0; i < 4; ++i)
    if (attribute == cuda::kPreferenceMinAlignment[i])
      return Set(&preference->alignments[i], value, bytes);
  return kInvalidValue;
}

int cublasLtMatmulAlgoGetHeuristic(cublasLtContext* handle, MatmulDescriptor* descriptor,
                                   MatrixLayout* a, MatrixLayout* b, MatrixLayout* c,
                                   MatrixLayout* d, MatmulPreference* preference, int wanted,
                                   MatmulHeuristicResult* results, int* found) {
  if (int error = Injected("cublasLtMatmulAlgoGetHeuristic")) return error;
  if (!handle || wanted < 1) return kInvalidValue;
  *found = 0;
  if (int error = Examine(*descriptor, *a, *b, *c, *d)) return error;
  // Algorithms that split the depth would sum a row by the number of rows: who lets them be chosen
  // gets none.
  if (preference->reduction_schemes != cuda::kReductionSchemeNone ||
      preference->max_workspace < kWorkspaceBytes)
    return kNotSupported;
  for (uint32_t alignment : preference->alignments)
    if (alignment < kAlignment) return kNotSupported;
  results[0] = {};
  results[0].algorithm.data[0] = kAlgorithm;
  results[0].algorithm.data[1] = Signature(*descriptor, *a, *d);
  results[0].workspace_bytes = kWorkspaceBytes;
  *found = 1;
  return kSuccess;
}

int cublasLtMatmulAlgoCheck(cublasLtContext* handle, MatmulDescriptor* descriptor, MatrixLayout* a,
                            MatrixLayout* b, MatrixLayout* c, MatrixLayout* d,
                            const MatmulAlgorithm* algorithm, MatmulHeuristicResult* result) {
  if (int error = Injected("cublasLtMatmulAlgoCheck")) return error;
  if (int error = Examine(*descriptor, *a, *b, *c, *d)) return error;
  if (!handle || algorithm->data[0] != kAlgorithm ||
      algorithm->data[1] != Signature(*descriptor, *a, *d))
    return kInvalidValue;
  result->workspace_bytes = kWorkspaceBytes;
  return kSuccess;
}

int cublasLtMatmul(cublasLtContext* handle, MatmulDescriptor* descriptor, const void* alpha,
                   const void* a, MatrixLayout* a_layout, const void* b, MatrixLayout* b_layout,
                   const void* beta, const void* c, MatrixLayout* c_layout, void* d,
                   MatrixLayout* d_layout, const MatmulAlgorithm* algorithm, void* workspace,
                   size_t workspace_bytes, CUstream_st* stream) {
  if (int error = Injected("cublasLtMatmul")) return error;
  LibraryMemory* memory = GetLibraryMemory();
  if (!memory) return kNotInitialized;
  MatmulHeuristicResult unused;
  if (int error = cublasLtMatmulAlgoCheck(handle, descriptor, a_layout, b_layout, c_layout,
                                          d_layout, algorithm, &unused))
    return error;
  for (const void* address : {a, b, c, static_cast<const void*>(d)})
    if (reinterpret_cast<uintptr_t>(address) % kAlignment != 0) return kInvalidValue;
  if (workspace_bytes < kWorkspaceBytes) return kInvalidValue;
  Product product{*descriptor, *a_layout, *b_layout, *c_layout, *d_layout};
  std::memcpy(&product.alpha, alpha, sizeof product.alpha);
  std::memcpy(&product.beta, beta, sizeof product.beta);
  product.a_data = memory->Resolve(a, a_layout->bytes(), false);
  product.b_data = memory->Resolve(b, b_layout->bytes(), false);
  product.d_data = memory->Resolve(d, d_layout->bytes(), true);
  char* scratch = memory->Resolve(workspace, kWorkspaceBytes, true);
  if (!product.a_data || !product.b_data || !product.d_data || !scratch) return kExecutionFailed;
  if (product.beta != 0) {
    product.c_data = memory->Resolve(c, c_layout->bytes(), false);
    // In place only where both lie alike.
    if (!product.c_data || (c == d && c_layout->leading != d_layout->leading))
      return kExecutionFailed;
  }
  if (descriptor->epilogue & kEpilogueBias) {
    product.bias =
        memory->Resolve(descriptor->bias, d_layout->rows * d_layout->element_bytes(), false);
    if (!product.bias) return kExecutionFailed;
  }
  return memory->Submit(stream, [product, scratch] {
    std::memset(scratch, 0xff, kWorkspaceBytes);
    product.Compute();
  });
}

}  // namespace ashlar::emulator
