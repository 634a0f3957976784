// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a family of models is to the importer, and what all families ask of it: the head, the bounds
// of the dimensions.

#ifndef ASHLAR_COMPILER_IMPORT_FAMILY_H
#define ASHLAR_COMPILER_IMPORT_FAMILY_H

#include "compiler/Import/ModelBuilder.h"

namespace ashlar {

enum class Head {
  Base, // no head: last_hidden_state (and pooler_output)
  MaskedLM,
  CausalLM,
  SequenceClassification,
  TokenClassification,
  QuestionAnswering,
  SentenceEmbedding,
};

/// What one import works with.
struct ImportContext {
  Config &config;
  const ImportOptions &options;
  mlir::ModuleOp module;
  std::shared_ptr<const Checkpoint> checkpoint; // null for random weights

  /// The parameters of a model whose base lies under `basePrefix` in a checkpoint with a head.
  ImportedWeights makeWeights(llvm::StringRef basePrefix, double stddev);

  /// Reads the head from the options or the config's `architectures`; an error unless it is among
  /// `supported`.
  mlir::FailureOr<Head> readHead(llvm::ArrayRef<Head> supported, Head otherwise);
  /// Reads id2label or num_labels.
  int64_t readNumLabels();
  /// The bounds of seq. `positions` is how many the model's table has (nothing: no limit but the
  /// default's).
  mlir::FailureOr<DimBounds> readSeqBounds(std::optional<int64_t> positions, int64_t usual);
  /// The room of a decoder's cache: at least seq's maximum, at most `positions`.
  mlir::FailureOr<int64_t> readContext(const DimBounds &seq, std::optional<int64_t> positions);
  /// Checks that `whole` is a multiple of `parts`; both are config fields.
  void requireMultiple(llvm::StringRef whole, int64_t wholeValue, llvm::StringRef parts,
                       int64_t partsValue);
};

struct Family {
  llvm::StringRef modelType;
  /// Builds the module's entry points; errors are diagnostics.
  mlir::LogicalResult (*import)(ImportContext &);
};

mlir::LogicalResult importBert(ImportContext &context);
mlir::LogicalResult importRoberta(ImportContext &context);
mlir::LogicalResult importDistilBert(ImportContext &context);
mlir::LogicalResult importGpt2(ImportContext &context);
mlir::LogicalResult importLlama(ImportContext &context);
mlir::LogicalResult importMistral(ImportContext &context);
mlir::LogicalResult importQwen2(ImportContext &context);
mlir::LogicalResult importQwen3(ImportContext &context);

} // namespace ashlar

#endif
