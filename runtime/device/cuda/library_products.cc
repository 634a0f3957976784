// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cuda/library_products.h"

#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/program/extent.h"
#include "runtime/program/plain_products.h"

namespace ashlar::cuda {
namespace {

// What NVIDIA recommends for sm_90; algorithms that want less get less.
constexpr uint64_t kMaxWorkspaceBytes = uint64_t{32} << 20;
// Of every operand, as the artifact's verifier demands.
constexpr uint32_t kAlignment = 16;
constexpr int kNotSupported = 15;  // CUBLAS_STATUS_NOT_SUPPORTED
constexpr const char* kWithoutLibrary =
    "; the program's own kernels make the product where ASHLAR_CUBLASLT is set to an empty string, "
    "or where it was compiled with --cuda-products kernels";

int TypeOf(fb::DType dtype) {
  return dtype == fb::DType::F32 ? kTypeF32 : dtype == fb::DType::F16 ? kTypeF16 : kTypeBf16;
}

uint32_t EpilogueOf(const fb::LibraryProductT& product) {
  uint32_t epilogue = product.bias >= 0 ? kEpilogueBias : 0;
  if (product.activation == fb::Activation::Relu) epilogue |= kEpilogueRelu;
  if (product.activation == fb::Activation::GeluTanh) epilogue |= kEpilogueGelu;
  return epilogue ? epilogue : kEpilogueDefault;
}

}  // namespace

absl::Status LibraryProducts::Check(int error, std::string_view call, std::string_view what) const {
  return library_->ToStatus(error, StrCat(call, " of ", what, " on ", device_));
}

absl::StatusOr<std::unique_ptr<LibraryProducts>> LibraryProducts::Create(
    std::shared_ptr<const CublasLt> library, const fb::ProgramT& program,
    const fb::DeviceImageT& image, std::string device, Which which) {
  std::unique_ptr<LibraryProducts> products(
      new LibraryProducts(std::move(library), std::move(device), which));
  int error = products->library_->cublasLtCreate(&products->handle_);
  if (error != 0) {
    absl::Status status = products->library_->ToStatus(
        error, StrCat("cublasLtCreate of ", products->library_->name(), " on ", products->device_));
    return Annotate(status, StrCat("the library does not work here: ASHLAR_CUBLASLT may name "
                                   "another version (libcublasLt.so.12)",
                                   kWithoutLibrary));
  }
  for (const auto& entry : program.entries)
    ASHLAR_RETURN_IF_ERROR(products->AddEntry(program, image, *entry));
  return products;
}

LibraryProducts::~LibraryProducts() {
  plans_.clear();
  if (handle_) library_->cublasLtDestroy(handle_);
}

absl::Status LibraryProducts::AddEntry(const fb::ProgramT& program, const fb::DeviceImageT& image,
                                       const fb::EntryT& entry) {
  std::vector<int64_t> bounds;
  for (const auto& dim : program.dims) bounds.push_back(dim->maximum);
  for (const auto& launch : entry.launches) {
    const fb::DeviceKernelT& kernel = *image.kernels[launch->kernel];
    const fb::LibraryProductT* product = FindPlainProduct(kernel);
    if (!product) continue;
    std::vector<int64_t> extents;
    for (const auto& extent : launch->extents) extents.push_back(Evaluate(*extent, bounds.data()));
    const int64_t bound = Evaluate(*product->rows, extents.data());
    if (bound == 0) continue;
    std::unique_ptr<Plan>& plan = plans_[{product, bound}];
    if (which_ == Which::kChosen && !kernel.product) continue;
    if (!plan) {
      std::string what = StrCat(program.kernels[launch->kernel]->name, " (", launch->path, ")");
      ASHLAR_ASSIGN_OR_RETURN(plan, MakePlan(*product, bound, what));
    }
    if (plan->is_found) plans_of_[launch.get()] = plan.get();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<LibraryProducts::Plan>> LibraryProducts::MakePlan(
    const fb::LibraryProductT& product, int64_t bound, std::string_view what) {
  MatmulDescriptor* descriptor = nullptr;
  ASHLAR_RETURN_IF_ERROR(
      Check(library_->cublasLtMatmulDescCreate(
                &descriptor, product.tf32 ? kComputeFastTf32 : kComputeF32, kTypeF32),
            "cublasLtMatmulDescCreate", what));
  auto plan = std::unique_ptr<Plan>(new Plan{&product,
                                             bound,
                                             bound,
                                             {descriptor, library_->cublasLtMatmulDescDestroy},
                                             {nullptr, library_->cublasLtMatrixLayoutDestroy},
                                             {nullptr, library_->cublasLtMatrixLayoutDestroy},
                                             {nullptr, library_->cublasLtMatrixLayoutDestroy},
                                             false,
                                             {}});
  auto set = [&](int attribute, const auto& value) {
    return Check(
        library_->cublasLtMatmulDescSetAttribute(descriptor, attribute, &value, sizeof value),
        "cublasLtMatmulDescSetAttribute", what);
  };
  ASHLAR_RETURN_IF_ERROR(set(kDescriptorTransposeA, int32_t{kTransposed}));
  ASHLAR_RETURN_IF_ERROR(set(kDescriptorTransposeB, int32_t{kNotTransposed}));
  ASHLAR_RETURN_IF_ERROR(set(kDescriptorEpilogue, EpilogueOf(product)));
  if (product.bias >= 0)  // the search looks at its alignment alone
    ASHLAR_RETURN_IF_ERROR(set(kDescriptorBiasPointer, uintptr_t{kAlignment}));
  auto layout = [&](fb::DType dtype, uint64_t rows, uint64_t columns, uint64_t leading,
                    Owned<MatrixLayout>& to) {
    MatrixLayout* made = nullptr;
    int error = library_->cublasLtMatrixLayoutCreate(&made, TypeOf(dtype), rows, columns,
                                                     static_cast<int64_t>(leading));
    if (error == 0) to.reset(made);
    return Check(error, "cublasLtMatrixLayoutCreate", what);
  };
  const uint64_t rows = static_cast<uint64_t>(bound);
  ASHLAR_RETURN_IF_ERROR(
      layout(product.dtype, product.depth, product.columns, product.depth, plan->weight));
  ASHLAR_RETURN_IF_ERROR(
      layout(product.dtype, product.depth, rows, product.left_stride, plan->left));
  ASHLAR_RETURN_IF_ERROR(
      layout(product.result_dtype, product.columns, rows, product.columns, plan->result));
  ASHLAR_RETURN_IF_ERROR(FindAlgorithm(*plan, what));
  return plan;
}

absl::Status LibraryProducts::FindAlgorithm(Plan& plan, std::string_view what) {
  MatmulPreference* made = nullptr;
  ASHLAR_RETURN_IF_ERROR(Check(library_->cublasLtMatmulPreferenceCreate(&made),
                               "cublasLtMatmulPreferenceCreate", what));
  Owned<MatmulPreference> preference(made, library_->cublasLtMatmulPreferenceDestroy);
  auto set = [&](int attribute, const auto& value) {
    return Check(
        library_->cublasLtMatmulPreferenceSetAttribute(made, attribute, &value, sizeof value),
        "cublasLtMatmulPreferenceSetAttribute", what);
  };
  ASHLAR_RETURN_IF_ERROR(set(kPreferenceMaxWorkspace, kMaxWorkspaceBytes));
  ASHLAR_RETURN_IF_ERROR(set(kPreferenceReductionSchemes, kReductionSchemeNone));
  for (int attribute : kPreferenceMinAlignment) ASHLAR_RETURN_IF_ERROR(set(attribute, kAlignment));
  MatmulHeuristicResult best = {};
  int found = 0;
  int error = library_->cublasLtMatmulAlgoGetHeuristic(
      handle_, plan.descriptor.get(), plan.weight.get(), plan.left.get(), plan.result.get(),
      plan.result.get(), made, 1, &best, &found);
  if (error == kNotSupported || (error == 0 && (found == 0 || best.state != 0)))
    return absl::OkStatus();
  ASHLAR_RETURN_IF_ERROR(Check(error, "cublasLtMatmulAlgoGetHeuristic", what));
  plan.is_found = true;
  plan.algorithm = best.algorithm;
  workspace_bytes_ = std::max<uint64_t>(workspace_bytes_, best.workspace_bytes);
  return absl::OkStatus();
}

absl::Status LibraryProducts::SetRows(Plan& plan, int64_t rows, std::string_view what) {
  if (plan.rows == rows) return absl::OkStatus();
  plan.rows = -1;  // until both have them
  const uint64_t value = static_cast<uint64_t>(rows);
  for (MatrixLayout* layout : {plan.left.get(), plan.result.get()})
    ASHLAR_RETURN_IF_ERROR(Check(
        library_->cublasLtMatrixLayoutSetAttribute(layout, kLayoutColumns, &value, sizeof value),
        "cublasLtMatrixLayoutSetAttribute", what));
  MatmulHeuristicResult result = {};
  absl::Status status =
      Check(library_->cublasLtMatmulAlgoCheck(handle_, plan.descriptor.get(), plan.weight.get(),
                                              plan.left.get(), plan.result.get(), plan.result.get(),
                                              &plan.algorithm, &result),
            StrCat("cublasLtMatmulAlgoCheck, of the algorithm for ", plan.bound, " rows with ",
                   rows, ","),
            what);
  if (!status.ok()) return Annotate(status, StrCat("a product fails", kWithoutLibrary));
  if (result.workspace_bytes > workspace_bytes_)
    return absl::InternalError(StrCat(what, " on ", device_, ": ", rows, " rows want ",
                                      result.workspace_bytes, " bytes of workspace, ", plan.bound,
                                      " only ", workspace_bytes_, kWithoutLibrary));
  plan.rows = rows;
  return absl::OkStatus();
}

absl::Status LibraryProducts::Run(const fb::LaunchT& launch, const std::vector<void*>& operands,
                                  const std::vector<int64_t>& extents, void* workspace,
                                  CUstream_st* stream, std::string_view what) {
  Plan& plan = *plans_of_.at(&launch);
  const fb::LibraryProductT& product = *plan.product;
  const int64_t rows = Evaluate(*product.rows, extents.data());
  if (rows == 0) return absl::OkStatus();
  ASHLAR_RETURN_IF_ERROR(SetRows(plan, rows, what));
  if (product.bias >= 0)
    ASHLAR_RETURN_IF_ERROR(Check(
        library_->cublasLtMatmulDescSetAttribute(plan.descriptor.get(), kDescriptorBiasPointer,
                                                 &operands[product.bias], sizeof(void*)),
        "cublasLtMatmulDescSetAttribute", what));
  const float alpha = 1, beta = product.addend >= 0 ? 1 : 0;
  void* result = operands[product.result];
  const void* addend = product.addend >= 0 ? operands[product.addend] : result;
  return Check(
      library_->cublasLtMatmul(
          handle_, plan.descriptor.get(), &alpha, operands[product.weight], plan.weight.get(),
          static_cast<const char*>(operands[product.left]) + product.left_offset, plan.left.get(),
          &beta, addend, plan.result.get(), result, plan.result.get(), &plan.algorithm, workspace,
          workspace_bytes_, stream),
      "cublasLtMatmul", what);
}

std::string LibraryProducts::Describe() const {
  size_t found = 0;
  for (const auto& [key, plan] : plans_) found += plan && plan->is_found;
  return StrCat(library_->name(), ", ", found, " of ", plans_.size(),
                " plain products, a workspace of ", workspace_bytes_, " bytes");
}

absl::StatusOr<FoundProducts> FindProducts(
    const fb::ProgramT& program, const fb::DeviceImageT& image, const std::string& device,
    LibraryProducts::Which which,
    const std::function<absl::StatusOr<std::shared_ptr<const CublasLt>>()>& find_library) {
  FoundProducts found;
  const ProductCount count = CountProducts(image);
  if (count.plain == 0) return found;
  found.description = kOwnKernelsByChoice;
  if (which == LibraryProducts::Which::kChosen && count.librarys == 0) return found;
  found.description = kOwnKernels;
  ASHLAR_ASSIGN_OR_RETURN(auto library, find_library());
  if (!library) return found;
  ASHLAR_ASSIGN_OR_RETURN(
      found.products, LibraryProducts::Create(std::move(library), program, image, device, which));
  found.description = found.products->Describe();
  return found;
}

}  // namespace ashlar::cuda
