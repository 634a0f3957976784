// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/inspect_products.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "runtime/base/dtype.h"
#include "runtime/base/status.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

// A device's peaks by NVIDIA's data sheets (dense, SXM): operations and bytes a second.
struct Peaks {
  std::string_view arch;
  double f32, tf32, half, memory;
};
constexpr Peaks kPeaks[] = {
    {"sm_80", 19.5e12, 156e12, 312e12, 2.039e12},  // A100 80GB
    {"sm_90a", 67e12, 494.5e12, 989e12, 3.35e12},  // H100
};

double SecondsAtLeast(const fb::LibraryProductT& product, double rows, const Peaks& peaks) {
  const double columns = static_cast<double>(product.columns),
               depth = static_cast<double>(product.depth),
               size = DTypeSize(static_cast<DType>(product.dtype)),
               result = DTypeSize(static_cast<DType>(product.result_dtype));
  const double rate = product.dtype != fb::DType::F32 ? peaks.half
                      : product.tf32                  ? peaks.tf32
                                                      : peaks.f32;
  const double bytes = (rows + columns) * depth * size +
                       rows * columns * result * (product.addend >= 0 ? 2 : 1) +
                       (product.bias >= 0 ? columns * result : 0);
  return std::max(2 * rows * columns * depth / rate, bytes / peaks.memory);
}

std::string EpilogueOf(const fb::LibraryProductT& product) {
  std::vector<std::string> parts;
  if (product.bias >= 0) parts.push_back("bias");
  if (product.addend >= 0) parts.push_back("addend");
  if (product.activation == fb::Activation::Relu) parts.push_back("relu");
  if (product.activation == fb::Activation::GeluTanh) parts.push_back("gelu tanh");
  return parts.empty() ? "none" : StrJoin(parts, ", ");
}

}  // namespace

std::string DescribeProducts(const fb::ProgramT& program, const fb::EntryT& entry,
                             const std::vector<int64_t>& dims) {
  if (program.device_images.empty()) return "";
  // Images differ in code, not in what it computes.
  const fb::DeviceImageT& image = *program.device_images[0];
  std::map<std::pair<uint32_t, int64_t>, int> counts;  // of launches, by kernel and rows
  for (const auto& launch : entry.launches) {
    const auto& product = image.kernels[launch->kernel]->product;
    if (!product) continue;
    std::vector<int64_t> extents;
    for (const auto& extent : launch->extents) extents.push_back(Evaluate(*extent, dims.data()));
    ++counts[{launch->kernel, Evaluate(*product->rows, extents.data())}];
  }
  if (counts.empty()) return "";
  std::string text = "  plain products, which cuBLASLt computes where it is found:\n";
  char line[400];
  std::snprintf(line, sizeof(line), "    %5s  %-24s %-13s %-16s %s\n", "count",
                "rows x columns x depth", "types", "epilogue", "kernel, and the least time");
  text += line;
  for (const auto& [key, count] : counts) {
    const auto& [kernel, rows] = key;
    const fb::LibraryProductT& product = *image.kernels[kernel]->product;
    std::string types =
        StrCat(DTypeName(static_cast<DType>(product.dtype)), product.tf32 ? " (tf32)" : "", " -> ",
               DTypeName(static_cast<DType>(product.result_dtype)));
    std::snprintf(line, sizeof(line), "    %5d  %-24s %-13s %-16s %s", count,
                  StrCat(rows, " x ", product.columns, " x ", product.depth).c_str(), types.c_str(),
                  EpilogueOf(product).c_str(), Printable(program.kernels[kernel]->name).c_str());
    text += line;
    for (const auto& device : program.device_images)
      for (const Peaks& peaks : kPeaks)
        if (device->arch == peaks.arch) {
          std::snprintf(line, sizeof(line), ", %.1f us on %s",
                        1e6 * SecondsAtLeast(product, static_cast<double>(rows), peaks),
                        device->arch.c_str());
          text += line;
        }
    text += "\n";
  }
  return text;
}

}  // namespace ashlar
