// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/CostModel/DevicePeaks.h"

#include <cstdlib>
#include <string>

namespace ashlar {
namespace {

// NVIDIA A100 Tensor Core GPU and NVIDIA H100 Tensor Core GPU, data sheets, the columns of the SXM
// modules; rates that the sheet gives with sparsity are halved. Caches (L2) are those of the white
// papers, NVIDIA A100 Tensor Core GPU Architecture and NVIDIA H100 Tensor Core GPU Architecture.
// Older ones first.
constexpr DevicePeaks kDevices[] = {
    {"sm_80", "A100 SXM 80GB", 19.5e12, 156e12, 312e12, 2.039e12, 40e6},
    {"sm_90a", "H100 SXM", 67e12, 494.5e12, 989.5e12, 3.35e12, 50e6},
};

/// 90 of "sm_90a"; 0 of what is no such name.
int getNumber(std::string_view arch) {
  return arch.substr(0, 3) == "sm_" ? std::atoi(std::string(arch.substr(3)).c_str()) : 0;
}

} // namespace

const DevicePeaks *findDevicePeaks(std::string_view arch) {
  for (const DevicePeaks &device : kDevices)
    if (arch == device.arch)
      return &device;
  return nullptr;
}

const DevicePeaks &getDevicePeaks(std::string_view arch) {
  const DevicePeaks *found = &kDevices[0];
  for (const DevicePeaks &device : kDevices)
    if (getNumber(device.arch) <= getNumber(arch))
      found = &device;
  return *found;
}

ProductTime predict(const ProductShape &shape, const DevicePeaks &device) {
  double peak = shape.elementBytes < 4 ? device.half : shape.usesTf32 ? device.tf32 : device.f32;
  double results = shape.rows * shape.columns;
  double bytes = shape.columns * shape.depth * shape.elementBytes +
                 (shape.hasBias ? shape.columns * shape.resultBytes : 0);
  double activations = shape.rows * shape.depth * shape.elementBytes +
                       results * shape.resultBytes * (shape.hasAddend ? 2 : 1);
  if (activations > device.cache / 2)
    bytes += activations;
  return {2 * results * shape.depth / peak, bytes / device.memory};
}

} // namespace ashlar
