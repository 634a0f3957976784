// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/inspect_products.h"

#include <algorithm>
#include <cstdio>

#include "compiler/CostModel/DevicePeaks.h"
#include "runtime/base/dtype.h"
#include "runtime/base/status.h"
#include "runtime/program/plain_products.h"

namespace ashlar {
namespace {

// Its least seconds there, by the roofline.
double SecondsAtLeast(const fb::LibraryProductT& product, int64_t rows, const DevicePeaks& device) {
  ProductShape shape;
  shape.rows = static_cast<double>(rows);
  shape.columns = static_cast<double>(product.columns);
  shape.depth = static_cast<double>(product.depth);
  shape.elementBytes = static_cast<double>(DTypeSize(static_cast<DType>(product.dtype)));
  shape.resultBytes = static_cast<double>(DTypeSize(static_cast<DType>(product.result_dtype)));
  shape.hasBias = product.bias >= 0;
  shape.hasAddend = product.addend >= 0;
  shape.usesTf32 = product.tf32;
  return predict(shape, device).getSeconds();
}

// Lines that say what computes a kernel's product, and why: one where all images agree.
std::string DescribeChoices(const fb::ProgramT& program, uint32_t kernel) {
  std::vector<std::pair<std::string, std::vector<std::string>>> choices;  // and by which images
  for (const auto& image : program.device_images) {
    const fb::DeviceKernelT& code = *image->kernels[kernel];
    const std::string choice = FindPlainProduct(code) ? DescribeChoice(code) : "its kernel";
    auto same = std::find_if(choices.begin(), choices.end(),
                             [&](const auto& other) { return other.first == choice; });
    if (same == choices.end()) same = choices.insert(same, {choice, {}});
    same->second.push_back(image->arch);
  }
  std::string text;
  for (const auto& [choice, archs] : choices)
    text += StrCat("           ", choices.size() > 1 ? StrCat(StrJoin(archs, ", "), ": ") : "",
                   choice, "\n");
  return text;
}

}  // namespace

std::string DescribeProducts(const fb::ProgramT& program, const fb::EntryT& entry,
                             const std::vector<int64_t>& dims) {
  if (program.device_images.empty()) return "";
  // Images differ in code, not in what it computes.
  const fb::DeviceImageT& image = *program.device_images[0];
  const std::vector<ProductUse> uses = FindProductUses(image, entry, dims);
  if (uses.empty()) return "";
  std::string text = "  plain products; what computes them, cuBLASLt only where it is found:\n";
  char line[400];
  std::snprintf(line, sizeof(line), "    %5s  %-24s %-13s %-16s %s\n", "count",
                "rows x columns x depth", "types", "epilogue", "kernel, and the least time");
  text += line;
  for (const ProductUse& use : uses) {
    const fb::LibraryProductT& product = *FindPlainProduct(*image.kernels[use.kernel]);
    std::snprintf(line, sizeof(line), "    %5d  %-24s %-13s %-16s %s", use.count,
                  DescribeShape(product, use.rows).c_str(), DescribeTypes(product).c_str(),
                  DescribeEpilogue(product).c_str(),
                  Printable(program.kernels[use.kernel]->name).c_str());
    text += line;
    for (const auto& device : program.device_images)
      if (const DevicePeaks* peaks = findDevicePeaks(device->arch)) {
        std::snprintf(line, sizeof(line), ", %.1f us on %s",
                      1e6 * SecondsAtLeast(product, use.rows, *peaks), device->arch.c_str());
        text += line;
      }
    text += StrCat("\n", DescribeChoices(program, use.kernel));
  }
  return text;
}

}  // namespace ashlar
