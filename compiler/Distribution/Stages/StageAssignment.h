// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which stage of a pipeline computes what, for all entry points of a partitioned module alike.
//
//   common   follows from arguments, counters and constants alone (positions, masks): every stage
//            that needs it computes it for itself, and every stage counts its own tokens
//   weight   follows from parameters alone (one that is gathered for its use): made where it is
//            used, so that a parameter of two stages (tied embeddings) is kept by both
//   staged   all else: computed by one stage, and sent to those behind it that need it
//
// The staged ops of one entry point, in their order, are the chain that is cut by modelled times
// (Schedule/StageCuts.h). That gives every parameter the first stage that reads it. Everywhere an
// op then belongs to the last of the stages of what it reads, so that data only flow forward; a
// cache belongs to the last stage that touches it.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_STAGES_STAGEASSIGNMENT_H
#define ASHLAR_COMPILER_DISTRIBUTION_STAGES_STAGEASSIGNMENT_H

#include "compiler/Distribution/Costs.h"

namespace ashlar::distribution {

/// The stages of a mesh. Each place along the axis has several chunks of the model where schedules
/// are interleaved: stage s lies on place s mod places, its chunk s / places.
struct Pipeline {
  dist::Axis axis;
  int64_t chunks = 1; // per place

  int64_t getStages() const { return axis.size * chunks; }
  int64_t getPlace(int64_t stage) const { return stage % axis.size; }
  /// The first of the stages that are the last ones of their places.
  int64_t getFirstLast() const { return getStages() - axis.size; }
};

/// Nothing where the mesh has no axis of stages, or only one place along it.
std::optional<Pipeline> findPipeline(dist::MeshOp mesh);

class StageAssignment {
public:
  enum class Kind { Common, Weight, Staged };

  StageAssignment(mlir::ModuleOp module, const dist::Mesh &mesh, const Pipeline &pipeline)
      : module(module), mesh(mesh), pipeline(pipeline), costs(module, mesh) {}

  const Pipeline &getPipeline() const { return pipeline; }

  /// Assigns the ops of all entry points. Fails, with an error, where there are more stages than
  /// ops, or where a state is written with what one stage computes although all keep it.
  mlir::LogicalResult run(llvm::ArrayRef<mlir::func::FuncOp> entries);

  Kind getKind(mlir::Value value) const;
  /// The stage of a staged op (or of a write of a staged value); nothing for others.
  std::optional<int64_t> findStage(mlir::Operation *op) const {
    auto found = stages.find(op);
    return found == stages.end() ? std::nullopt : std::optional(found->second);
  }
  /// Of a staged value.
  int64_t getStage(mlir::Value value) const { return stages.lookup(value.getDefiningOp()); }
  /// Seconds to bring a value to a neighbouring stage, and its bytes.
  double getTransferSeconds(mlir::Value value);
  double getBytes(mlir::Value value);
  /// Modelled seconds of a stage in an entry point: its staged ops, and what makes the weights that
  /// they read.
  double getSeconds(mlir::func::FuncOp entry, int64_t stage);
  /// For steps with another extent of a named dimension than its bound.
  void setExtent(mlir::StringAttr name, int64_t extent) { costs.setExtent(name, extent); }

private:
  mlir::LogicalResult classify(mlir::func::FuncOp entry);
  mlir::LogicalResult cut(mlir::func::FuncOp entry);
  /// One pass over an entry point; whether a stage changed.
  bool spread(mlir::func::FuncOp entry);
  /// The first stage that may read a value: its maker's, or its parameters'.
  int64_t getEarliest(mlir::Value value) const;
  double getSeconds(mlir::Operation *op);
  /// Of what makes the weights that an op reads, as far as it is not `made` yet, which it is then.
  double getWeightSeconds(mlir::Operation &op, llvm::DenseSet<mlir::Operation *> &made);

  mlir::ModuleOp module;
  const dist::Mesh &mesh;
  Pipeline pipeline;
  Costs costs;
  llvm::DenseMap<mlir::Value, Kind> kinds;
  llvm::DenseMap<mlir::Value, mlir::StringAttr> caches; // of values that are a cache's
  llvm::DenseMap<mlir::Attribute, int64_t> homes;       // per state: the first stage that has it
  llvm::DenseMap<mlir::Operation *, int64_t> stages;
};

} // namespace ashlar::distribution

#endif
