// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/CpuModel.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

using llvm::StringRef;

namespace ashlar::cpu {

static constexpr llvm::StringLiteral kAvx2[] = {"avx2", "fma", "f16c", "bmi2"};
static constexpr llvm::StringLiteral kAvx512[] = {"avx512f", "avx512bw", "avx512dq", "avx512vl",
                                                  "avx512cd"};
static constexpr llvm::StringLiteral kDot[] = {"avx512bf16"};
static constexpr llvm::StringLiteral kTile[] = {"amx-tile", "amx-bf16"};

static bool hasAll(const llvm::StringSet<> &features, llvm::ArrayRef<llvm::StringLiteral> wanted) {
  return llvm::all_of(wanted, [&](StringRef feature) { return features.contains(feature); });
}

/// The features of an x86-64 CPU, none where LLVM does not know it.
static llvm::StringSet<> getFeatures(StringRef cpu) {
  llvm::StringSet<> features;
  if (llvm::X86::parseArchX86(cpu, /*Only64Bit=*/true) == llvm::X86::CK_None)
    return features;
  llvm::SmallVector<StringRef> names;
  llvm::X86::getFeaturesForCPU(cpu, names);
  llvm::StringMap<bool> implied; // what others imply is not listed
  for (StringRef name : names) {
    features.insert(name);
    llvm::X86::updateImpliedFeatures(name, /*Enabled=*/true, implied);
  }
  for (const auto &feature : implied)
    if (feature.second)
      features.insert(feature.first());
  return features;
}

static llvm::StringSet<> getHostFeatures() {
  llvm::StringSet<> features;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    if (feature.second)
      features.insert(feature.first());
  return features;
}

/// The best use of `features` that there is code for, on a CPU that LLVM calls `tune`.
static std::optional<CpuModel> makeModel(StringRef name, StringRef tune,
                                         const llvm::StringSet<> &features) {
  if (!hasAll(features, kAvx2))
    return std::nullopt;
  // Of AVX-512's 32 registers 24 hold sums and 4 a row of B: six rows of 64 columns take fewer
  // loads than twelve of 32. Of AVX2's 16 registers 12 and 2.
  bool isWide = hasAll(features, kAvx512);
  CpuModel model;
  model.name = name;
  model.tune = tune;
  model.base = isWide ? "x86-64-v4" : "x86-64-v3";
  model.lanes = isWide ? 16 : 8;
  model.accumulators = isWide ? 24 : 12;
  model.tileRegisters = isWide ? 4 : 2;
  // What was measured, on a Zen 4: codegen/CPU/README.md.
  if (isWide && tune.starts_with("znver")) {
    model.readsOneStream = true;
    model.depthBlock = 768;
  }
  // Intel's dot product takes twice the time of a fused multiply-add, AMD's as long.
  if (isWide && hasAll(features, kTile)) {
    model.bf16 = Bf16Product::Tile;
    model.extensions.assign(std::begin(kTile), std::end(kTile));
  } else if (isWide && hasAll(features, kDot) && tune.starts_with("znver")) {
    model.bf16 = Bf16Product::Dot;
    model.extensions.assign(std::begin(kDot), std::end(kDot));
  }
  model.features.assign(std::begin(kAvx2), std::end(kAvx2));
  if (isWide)
    model.features.insert(model.features.end(), std::begin(kAvx512), std::end(kAvx512));
  model.features.insert(model.features.end(), model.extensions.begin(), model.extensions.end());
  return model;
}

/// The model of the CPU that `name` begins with, its extensions expanded into AVX-512.
static std::optional<CpuModel> makeEmulatedModel(StringRef name) {
  StringRef cpu = name.substr(0, name.find("-emulated"));
  auto real = makeModel(cpu, cpu, getFeatures(cpu));
  auto model = makeModel(name, "x86-64-v4", getFeatures("x86-64-v4"));
  model->bf16 = real->bf16;
  model->readsOneStream = real->readsOneStream;
  model->depthBlock = real->depthBlock;
  model->emulated = true;
  return model;
}

std::optional<CpuModel> findCpuModel(StringRef name, std::string &error) {
  if (llvm::is_contained(kEmulatedCpus, name))
    return makeEmulatedModel(name);
  bool isNative = name == "native";
  StringRef cpu = isNative ? llvm::sys::getHostCPUName() : name;
  llvm::StringSet<> features = isNative ? getHostFeatures() : getFeatures(cpu);
  auto model = makeModel(cpu, cpu, features);
  if (model)
    return model;
  if (isNative) {
    error = "native: this machine has no AVX2; name an instruction set to compile for another one";
  } else if (!features.empty()) {
    error = "'" + name.str() + "' has no AVX2; the least that there is code for is x86-64-v3";
  } else {
    error = "'" + name.str() + "' is not known; there are native, ";
    llvm::SmallVector<StringRef> known;
    llvm::X86::fillValidCPUArchList(known, /*Only64Bit=*/true);
    for (StringRef other : known)
      if (makeModel(other, other, getFeatures(other)))
        error += other.str() + ", ";
    error += llvm::join(std::begin(kEmulatedCpus), std::end(kEmulatedCpus), ", ");
  }
  return std::nullopt;
}

} // namespace ashlar::cpu
