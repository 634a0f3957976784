// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The products of a program that cuBLASLt computes in place of the program's own kernels.
//
// The library counts columns first. A matrix that lies row by row, [rows, columns] with `stride`
// elements from row to row, is to it a matrix of `columns` x `rows` with that leading dimension,
// its transpose. Ours is result = left weight^T, of left [rows, depth], weight [columns, depth] and
// result [rows, columns]; the library is asked for
//
//   D = result^T = weight left^T = op(A) op(B)
//     A = the weight,   depth x columns, leading dimension depth, transposed
//     B = left,         depth x rows, leading dimension left_stride, as it is
//     C = the addend,   columns x rows, leading dimension columns; beta 1, or 0 where there is none
//     D = the result,   columns x rows, leading dimension columns
//
// The bias has an element for each row of D, one for each of our columns, of D's type, and is
// added before the activation, as C is. alpha and beta are floats of the host, read by the call;
// sums are f32 (for f32 operands in tf32 where that is asked for).
//
// Which algorithm computes a product is asked for once, at the most rows that the launch can have,
// and without splitting the depth; fewer rows are computed by the same one. So a row is summed in
// the order that its algorithm has for its columns, whatever rows come with it. NVIDIA promises the
// same bits for the same problem only: that this makes them the same for other numbers of rows is
// how such kernels work, not what their documentation says.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/device/cuda/cublaslt.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar::cuda {

// Used by one thread at a time, with the device's context current.
class LibraryProducts {
 public:
  // Which launches: those of which the artifact says that the library computes them, or all that it
  // could compute (for measuring).
  enum class Which { kChosen, kAll };

  // Finds algorithms for the products of the launches. `program` and `image` outlive this; `device`
  // is for messages. Where the library has no algorithm for a product it stays the kernel's.
  static absl::StatusOr<std::unique_ptr<LibraryProducts>> Create(
      std::shared_ptr<const CublasLt> library, const fb::ProgramT& program,
      const fb::DeviceImageT& image, std::string device, Which which = Which::kChosen);
  ~LibraryProducts();

  // "cuBLASLt 13.0.2".
  std::string library_name() const { return library_->name(); }

  // Bytes of the device's memory that Run wants as workspace, at a multiple of 256.
  uint64_t workspace_bytes() const { return workspace_bytes_; }

  // Whether the library computes this launch.
  bool Makes(const fb::LaunchT& launch) const { return plans_of_.count(&launch) > 0; }

  // Puts the product of a launch into the stream, which may be in capture: operands by their
  // addresses, the kernel's extents. `what` names kernel and layer.
  absl::Status Run(const fb::LaunchT& launch, const std::vector<void*>& operands,
                   const std::vector<int64_t>& extents, void* workspace, CUstream_st* stream,
                   std::string_view what);

  // "cuBLASLt 13.0.2, 5 of 6 plain products, a workspace of 0 bytes"; of all that the program has.
  std::string Describe() const;

 private:
  template <typename T>
  using Owned = std::unique_ptr<T, int (*)(T*)>;
  // A product at the most rows that it can have, as the library sees it.
  struct Plan {
    const fb::LibraryProductT* product;
    int64_t bound, rows;  // rows: that the layouts have now
    Owned<MatmulDescriptor> descriptor;
    Owned<MatrixLayout> weight, left, result;
    bool is_found = false;
    MatmulAlgorithm algorithm;
  };

  LibraryProducts(std::shared_ptr<const CublasLt> library, std::string device, Which which)
      : library_(std::move(library)), device_(std::move(device)), which_(which) {}
  absl::Status AddEntry(const fb::ProgramT& program, const fb::DeviceImageT& image,
                        const fb::EntryT& entry);
  absl::StatusOr<std::unique_ptr<Plan>> MakePlan(const fb::LibraryProductT& product, int64_t bound,
                                                 std::string_view what);
  absl::Status FindAlgorithm(Plan& plan, std::string_view what);
  absl::Status SetRows(Plan& plan, int64_t rows, std::string_view what);
  absl::Status Check(int error, std::string_view call, std::string_view what) const;

  std::shared_ptr<const CublasLt> library_;
  std::string device_;
  Which which_;
  cublasLtContext* handle_ = nullptr;
  // By product and bound; null where the artifact has chosen the kernel.
  std::map<std::pair<const fb::LibraryProductT*, int64_t>, std::unique_ptr<Plan>> plans_;
  std::map<const fb::LaunchT*, Plan*> plans_of_;
  uint64_t workspace_bytes_ = 0;
};

// What computes the plain products of a program.
struct FoundProducts {
  std::unique_ptr<LibraryProducts> products;  // null: the program's own kernels compute all
  std::string description;                    // in words; empty where there is no plain product
};

// Finds the library by `find_library`, which is called only where the program has a product for it
// and gives null where there is none, and its products. Errors of both; the rest as for Create.
absl::StatusOr<FoundProducts> FindProducts(
    const fb::ProgramT& program, const fb::DeviceImageT& image, const std::string& device,
    LibraryProducts::Which which,
    const std::function<absl::StatusOr<std::shared_ptr<const CublasLt>>()>& find_library);

}  // namespace ashlar::cuda
