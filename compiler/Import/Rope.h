// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rotary position embeddings (Su et al., 2021) and the scalings that stretch them: which
// frequencies a config asks for.

#ifndef ASHLAR_COMPILER_IMPORT_ROPE_H
#define ASHLAR_COMPILER_IMPORT_ROPE_H

#include "compiler/Import/ModelBuilder.h"

namespace ashlar {

struct Rope {
  std::vector<float> frequencies; // one per pair of a head's elements
  double scale = 1.0;             // of cosines and sines
  /// "dynamic" scaling: beyond `positions`, the base grows with the longest sequence of the step.
  bool isDynamic = false;
  double factor = 1.0;
  int64_t positions = 0;

  /// Reads rope_parameters (newer) or rope_theta and rope_scaling (older). `width` is a head's.
  static Rope read(Config &config, int64_t width, int64_t maxPositions);

  /// Builds the tables for positions [batch, seq]; returns (cosines, sines), each [batch, seq,
  /// pairs].
  std::pair<mlir::Value, mlir::Value> build(ModelBuilder &b, const Path &path,
                                            mlir::Value positions) const;

private:
  mlir::Value buildFrequencies(ModelBuilder &b, const Path &path, mlir::Value positions) const;
};

} // namespace ashlar

#endif
