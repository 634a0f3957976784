// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/plain_products.h"

#include <cstdio>
#include <utility>

#include "runtime/base/dtype.h"
#include "runtime/base/status.h"
#include "runtime/program/cut.h"
#include "runtime/program/describe.h"
#include "runtime/program/extent.h"

namespace ashlar {

void PinProduct(fb::DeviceKernelT& kernel, bool by_library, const fb::MeasurementT& measurement) {
  std::unique_ptr<fb::LibraryProductT> product =
      std::move(kernel.product ? kernel.product : kernel.own_product);
  kernel.product = nullptr;
  kernel.own_product = nullptr;
  product->chosen_by = fb::Chooser::Measurement;
  product->measurement = std::make_unique<fb::MeasurementT>(measurement);
  (by_library ? kernel.product : kernel.own_product) = std::move(product);
}

ProductCount CountProducts(const fb::DeviceImageT& image) {
  ProductCount count;
  for (const auto& kernel : image.kernels) {
    count.plain += FindPlainProduct(*kernel) != nullptr;
    count.librarys += kernel->product != nullptr;
  }
  return count;
}

std::vector<ProductUse> FindProductUses(const fb::DeviceImageT& image, const fb::EntryT& entry,
                                        const std::vector<int64_t>& dims) {
  std::map<std::pair<uint32_t, int64_t>, ProductUse> uses;
  for (const auto& launch : entry.launches) {
    const fb::LibraryProductT* product = FindPlainProduct(*image.kernels[launch->kernel]);
    if (!product) continue;
    std::vector<int64_t> extents;
    for (const auto& extent : launch->extents) extents.push_back(Evaluate(*extent, dims.data()));
    const int64_t rows = Evaluate(*product->rows, extents.data());
    if (rows == 0) continue;
    ProductUse& use = uses[{launch->kernel, rows}];
    if (use.count++ > 0) continue;
    use.kernel = launch->kernel;
    use.rows = rows;
    use.entry = &entry;
    use.launch = launch.get();
    use.extents = std::move(extents);
  }
  std::vector<ProductUse> found;
  for (auto& [key, use] : uses) found.push_back(std::move(use));
  return found;
}

absl::StatusOr<std::vector<int64_t>> LargestDims(const fb::ProgramT& program,
                                                 const fb::EntryT& entry,
                                                 const std::map<std::string, int64_t>& chosen) {
  std::map<std::string, int64_t> rest = chosen;
  std::vector<int64_t> dims;
  for (const auto& dim : program.dims) {
    if (dim->whole) {
      dims.push_back(GetPart(Evaluate(*dim->whole, dims.data()), dim->cuts, 0).size);
      continue;
    }
    int64_t value = dim->maximum;
    if (auto it = rest.find(dim->name); it != rest.end()) {
      value = it->second;
      rest.erase(it);
    }
    if (value < dim->minimum || value > dim->maximum)
      return OutOfRange("'", dim->name, "' is ", value, ", the artifact was compiled for ",
                        dim->minimum, "..", dim->maximum);
    // A part of the sequences, the first of which are the larger ones.
    const int64_t parts = dims.size() == entry.batch ? entry.microbatches : 1;
    dims.push_back(value / parts + (value % parts != 0));
  }
  if (!rest.empty())
    return InvalidArgument("the artifact has no dimension '", rest.begin()->first, "'; it has ",
                           program.dims.empty() ? "none" : DescribeDims(program));
  return dims;
}

std::string DescribeShape(const fb::LibraryProductT& product, int64_t rows) {
  return StrCat(rows, " x ", product.columns, " x ", product.depth);
}

std::string DescribeTypes(const fb::LibraryProductT& product) {
  return StrCat(DTypeName(static_cast<DType>(product.dtype)), product.tf32 ? " (tf32)" : "", " -> ",
                DTypeName(static_cast<DType>(product.result_dtype)));
}

std::string DescribeEpilogue(const fb::LibraryProductT& product) {
  std::vector<std::string> parts;
  if (product.bias >= 0) parts.push_back("bias");
  if (product.addend >= 0) parts.push_back("addend");
  if (product.activation == fb::Activation::Relu) parts.push_back("relu");
  if (product.activation == fb::Activation::GeluTanh) parts.push_back("gelu tanh");
  return parts.empty() ? "none" : StrJoin(parts, ", ");
}

std::string DescribeChoice(const fb::DeviceKernelT& kernel) {
  const fb::LibraryProductT& product = *FindPlainProduct(kernel);
  const bool by_library = kernel.product != nullptr;
  const std::string who = by_library ? "cuBLASLt" : "its kernel";
  switch (product.chosen_by) {
    case fb::Chooser::Unknown:
      return who;
    case fb::Chooser::Option:
      return StrCat(who, ", as asked for (--cuda-products)");
    case fb::Chooser::Model:
      return StrCat(who, ", by the cost model: it ",
                    by_library ? "computes longer than it waits for memory" : "waits for memory");
    case fb::Chooser::Measurement:
      break;
  }
  const fb::MeasurementT& measured = *product.measurement;
  char times[100];
  if (measured.library_us > 0)
    std::snprintf(times, sizeof(times), "cuBLASLt %.1f us, its kernel %.1f", measured.library_us,
                  measured.kernel_us);
  else
    std::snprintf(times, sizeof(times), "no algorithm of cuBLASLt, its kernel %.1f us",
                  measured.kernel_us);
  return StrCat(who, ", as measured ", measured.date, " (", measured.device, "; ", measured.library,
                "): ", times, " at ", measured.rows, " rows");
}

}  // namespace ashlar
