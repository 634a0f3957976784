// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/cuda_kernels.h"

#include <cstring>
#include <vector>

#include "runtime/api/device_parameters.h"
#include "runtime/base/status.h"
#include "runtime/program/extent.h"

namespace ashlar {

using cuda::DevicePointer;

absl::StatusOr<std::unique_ptr<CudaKernels>> CudaKernels::Create(const Program& program,
                                                                 cuda::Device& device) {
  const auto& images = program.metadata().device_images;
  ASHLAR_ASSIGN_OR_RETURN(int index, cuda::ChooseCubins(images, device.major(), device.minor()));
  const fb::DeviceImageT& image = *images[index];
  ASHLAR_RETURN_IF_ERROR(
      device.LoadKernels(image, program.code().substr(image.offset, image.size)));
  return std::unique_ptr<CudaKernels>(new CudaKernels(program, device, index));
}

absl::Status CudaKernels::FindProducts(cuda::LibraryProducts::Which which) {
  ASHLAR_ASSIGN_OR_RETURN(auto found,
                          cuda::FindProducts(program_.metadata(), image(), device_.name(), which,
                                             cuda::CublasLt::Find));
  products_ = std::move(found.products);
  library_ = std::move(found.description);
  if (!products_ || products_->workspace_bytes() == 0) return absl::OkStatus();
  ASHLAR_ASSIGN_OR_RETURN(DevicePointer workspace,
                          device_.Allocate(products_->workspace_bytes(), "cuBLASLt's workspace"));
  workspace_ = reinterpret_cast<void*>(workspace);
  return absl::OkStatus();
}

absl::Status CudaKernels::Launch(const PreparedLaunch& prepared, std::string_view what) {
  const fb::DeviceKernelT& code = *image().kernels[prepared.schema->kernel];
  uint32_t grid[3];
  if (!EvaluateGrid(code, prepared, grid)) return absl::OkStatus();
  std::vector<char> parameters = MakeParameters(code, prepared);
  ASHLAR_RETURN_IF_ERROR(EncodeMaps(code, prepared, parameters.data(), what));
  return device_.Launch(prepared.schema->kernel, grid, parameters.data(), what);
}

absl::Status CudaKernels::RunProduct(const PreparedLaunch& prepared, std::string_view what) {
  return products_->Run(*prepared.schema, prepared.buffers, prepared.extents, workspace_,
                        device_.stream(), what);
}

absl::Status CudaKernels::EncodeMaps(const fb::DeviceKernelT& code, const PreparedLaunch& prepared,
                                     char* to, std::string_view what) {
  for (const auto& map : code.tensor_maps) {
    cuda::Matrix matrix;
    matrix.data = reinterpret_cast<DevicePointer>(prepared.buffers[map->operand]);
    matrix.is_f16 = map->dtype == fb::DType::F16;
    matrix.rows = Evaluate(*map->rows, prepared.extents.data());
    matrix.columns = map->columns;
    matrix.row_bytes = map->row_bytes;
    matrix.box_rows = map->box_rows;
    matrix.box_columns = map->box_columns;
    cuda::TensorMap encoded;
    ASHLAR_RETURN_IF_ERROR(device_.Encode(matrix, &encoded, what));
    std::memcpy(to, &encoded, sizeof encoded);
    to += sizeof encoded;
  }
  return absl::OkStatus();
}

}  // namespace ashlar
