// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The values of compile's options. Each function returns nothing (an empty list) and sets `error`
// for text that makes no sense.

#ifndef ASHLAR_TOOLS_ASHLAR_COMPILE_PARSE_H
#define ASHLAR_TOOLS_ASHLAR_COMPILE_PARSE_H

#include <optional>
#include <string>
#include <vector>

#include "codegen/CPU/CpuTarget.h"
#include "codegen/CUDA/CudaOptions.h"
#include "compiler/Import/HuggingFace.h"

namespace ashlar {

/// "1..8", or "4" for exactly 4.
std::optional<DimBounds> parseBounds(const std::string& option, const std::string& text,
                                     std::string& error);
/// "auto", "f32", "bf16".
std::optional<WeightType> parseWeightType(const std::string& text, std::string& error);
/// "auto", "f32", "bf16", "f16".
std::optional<CacheElement> parseCacheElement(const std::string& text, std::string& error);
/// "native", or names of CPU models with commas between them.
std::vector<cpu::CpuModel> parseCpuModels(const std::string& text, std::string& error);
/// "emulator,sm_80,sm_90a", each once.
std::vector<std::string> parseCudaArchs(const std::string& text, std::string& error);
/// "auto", "library", "kernels".
cuda::LibraryUse parseLibraryUse(const std::string& text, std::string& error);
/// "4GiB", "512MiB", "1000000".
std::optional<int64_t> parseBytes(const std::string& option, const std::string& text,
                                  std::string& error);

}  // namespace ashlar

#endif
