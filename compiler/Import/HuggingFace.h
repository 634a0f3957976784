// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a Hugging Face directory (config.json, model.safetensors or its shards) to a graph module.
// Only the headers of the safetensors files are read, so importing costs the same for every size of
// model.
//
// Encoders (bert, distilbert, roberta) become one entry point `forward`. Decoders (gpt2, llama,
// mistral, qwen2, qwen3) become three over the same parameters and one cache: `forward` (logits of
// every position, no cache), `prefill` (appends prompts to the cache; the logits of each row's last
// token) and `decode` (appends one token per row). Inputs and outputs carry the names that
// transformers gives them. README.md says more.

#ifndef ASHLAR_COMPILER_IMPORT_HUGGINGFACE_H
#define ASHLAR_COMPILER_IMPORT_HUGGINGFACE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <optional>
#include <string>
#include <vector>

namespace ashlar {

/// The bounds of a named dimension.
struct DimBounds {
  int64_t minimum = 1;
  int64_t maximum = 1;
};

/// The element type of matrices and tables. Vectors (biases, norms) are always read as f32.
enum class WeightType {
  Auto, // bf16 where the checkpoint has BF16 (without one: where the config's dtype says so), f32
        // otherwise
  F32,
  BF16,
};

/// The element type of a decoder's caches. Appending rounds to it, to nearest even; attention reads
/// it and computes in f32.
enum class CacheElement {
  Auto, // bf16 where matrices are read as bf16, f32 otherwise
  F32,
  BF16,
  F16, // what lies beyond 65,504 becomes infinite
};

struct ImportOptions {
  std::string directory;
  /// The model's head in place of what config.json's `architectures` says; see getHeadNames().
  std::string head;
  /// In place of (or for want of) config.json's `model_type`.
  std::string modelType;
  DimBounds batch;
  /// By default 1 to what the model's positions allow, at most 512.
  std::optional<DimBounds> seq;
  /// Positions of a decoder's cache. By default the maximum of seq.
  std::optional<int64_t> context;
  WeightType weights = WeightType::Auto;
  CacheElement cache = CacheElement::Auto;
  /// Fields of config.json that are known (by the caller) to make no difference; an unknown one is
  /// an error otherwise.
  std::vector<std::string> ignoredFields;
  /// No checkpoint: shapes follow from the config alone.
  bool randomWeights = false;
};

/// The values of ImportOptions::head.
llvm::ArrayRef<llvm::StringRef> getHeadNames();
/// The model types that can be imported.
llvm::ArrayRef<llvm::StringRef> getSupportedModelTypes();

/// Loads the dialects that an imported module uses.
void loadImportDialects(mlir::MLIRContext &context);

/// Imports a model. Errors are diagnostics (at config.json where a field is their cause), and the
/// result is null.
mlir::OwningOpRef<mlir::ModuleOp> importHuggingFace(mlir::MLIRContext &context,
                                                    const ImportOptions &options);

} // namespace ashlar

#endif
