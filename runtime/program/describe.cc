// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/describe.h"

#include <set>

#include "runtime/base/dtype.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

std::string DimBounds(const fb::DimT& dim) {
  return dim.minimum == dim.maximum ? StrCat(dim.name, " ", dim.minimum)
                                    : StrCat(dim.name, " ", dim.minimum, "..", dim.maximum);
}

}  // namespace

std::string Describe(const fb::ProgramT& program, const fb::ExtentT& extent) {
  std::vector<std::string> factors;
  if (extent.scale != 1 || extent.dims.empty()) factors.push_back(StrCat(extent.scale));
  for (uint16_t dim : extent.dims) factors.push_back(program.dims[dim]->name);
  std::string product = StrJoin(factors, " * ");
  return extent.divisor == 1 ? product : StrCat("ceil(", product, " / ", extent.divisor, ")");
}

std::string Describe(const fb::ProgramT& program, const fb::ValueT& value) {
  std::vector<std::string> shape;
  for (const auto& extent : value.shape) shape.push_back(Describe(program, *extent));
  return StrCat(DTypeName(static_cast<DType>(value.dtype)), " [", StrJoin(shape, ", "), "]");
}

std::string DescribeDims(const fb::ProgramT& program) {
  std::vector<std::string> dims;
  for (const auto& dim : program.dims) dims.push_back(DimBounds(*dim));
  return StrJoin(dims, ", ");
}

std::string DescribeDims(const fb::ProgramT& program, const fb::ValueT& value) {
  std::set<uint16_t> used;
  for (const auto& extent : value.shape) used.insert(extent->dims.begin(), extent->dims.end());
  std::vector<std::string> dims;
  for (uint16_t dim : used) dims.push_back(DimBounds(*program.dims[dim]));
  return StrJoin(dims, ", ");
}

std::string DescribeInputs(const fb::ProgramT& program, const fb::EntryT& entry) {
  std::string text;
  for (const auto& input : entry.inputs) {
    text += StrCat("  ", input->name, ": ", Describe(program, *input));
    if (input->default_kind == fb::Default::Fill)
      text += StrCat(", ", Describe(program, *input->default_value), " where it is left out");
    else if (input->default_kind == fb::Default::Iota)
      text += ", the index where it is left out";
    else
      text += ", required";
    text += "\n";
  }
  return text;
}

}  // namespace ashlar
