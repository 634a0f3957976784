// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/ashlar/compile/parse.h"

#include "codegen/CUDA/KernelCompiler.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MathExtras.h"

using llvm::StringRef;

namespace ashlar {

std::optional<DimBounds> parseBounds(const std::string& option, const std::string& text,
                                     std::string& error) {
  auto [low, high] = StringRef(text).split("..");
  DimBounds bounds;
  bool isPair = StringRef(text).contains("..");
  if (!low.getAsInteger(10, bounds.minimum) &&
      !(isPair ? high : low).getAsInteger(10, bounds.maximum) && bounds.minimum >= 1 &&
      bounds.minimum <= bounds.maximum)
    return bounds;
  error = option + " takes MIN..MAX or N with 1 <= MIN <= MAX, found '" + text + "'";
  return std::nullopt;
}

std::optional<WeightType> parseWeightType(const std::string& text, std::string& error) {
  if (text == "auto") return WeightType::Auto;
  if (text == "f32") return WeightType::F32;
  if (text == "bf16") return WeightType::BF16;
  error = "--dtype takes auto, f32 or bf16, found '" + text + "'";
  return std::nullopt;
}

std::optional<CacheElement> parseCacheElement(const std::string& text, std::string& error) {
  if (text == "auto") return CacheElement::Auto;
  if (text == "f32") return CacheElement::F32;
  if (text == "bf16") return CacheElement::BF16;
  if (text == "f16") return CacheElement::F16;
  error = "--cache-type takes auto, f32, bf16 or f16, found '" + text + "'";
  return std::nullopt;
}

std::vector<cpu::CpuModel> parseCpuModels(const std::string& text, std::string& error) {
  std::vector<cpu::CpuModel> models;
  llvm::SmallVector<StringRef> names;
  StringRef(text).split(names, ',');
  for (StringRef name : names) {
    std::string reason;
    auto model = cpu::findCpuModel(name, reason);
    // "native" may name the CPU of another model with fewer instructions: a virtual machine's.
    auto isSame = [&](const cpu::CpuModel& other) {
      return other.name == model->name && other.features == model->features;
    };
    if (!model)
      error = "--cpu: " + reason;
    else if (llvm::none_of(models, isSame))
      models.push_back(std::move(*model));
  }
  return models;
}

std::vector<std::string> parseCudaArchs(const std::string& text, std::string& error) {
  std::vector<std::string> archs;
  llvm::SmallVector<StringRef> names;
  StringRef(text).split(names, ',');
  for (StringRef name : names) {
    if (!cuda::isArch(name.str()))
      error = "--cuda-arch takes emulator, sm_80, sm_90a and the like, found '" + name.str() + "'";
    else if (!llvm::is_contained(archs, name))
      archs.push_back(name.str());
  }
  return archs;
}

cuda::LibraryUse parseLibraryUse(const std::string& text, std::string& error) {
  if (text == "library") return cuda::LibraryUse::Always;
  if (text == "kernels") return cuda::LibraryUse::Never;
  if (text != "auto")
    error = "--cuda-products takes auto, library or kernels, found '" + text + "'";
  return cuda::LibraryUse::Auto;
}

std::optional<int64_t> parseBytes(const std::string& option, const std::string& text,
                                  std::string& error) {
  static constexpr std::pair<StringRef, int> units[] = {
      {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  StringRef number = text;
  int shift = 0;
  for (auto [unit, bits] : units)
    if (number.consume_back(unit)) {
      shift = bits;
      break;
    }
  int64_t value;
  if (!number.trim().getAsInteger(10, value) && value >= 0 && value <= (INT64_MAX >> shift))
    return value << shift;
  error = option + " takes bytes, e.g. 4GiB, 512MiB or 1000000, found '" + text + "'";
  return std::nullopt;
}

}  // namespace ashlar
