// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The types of a rank's part of a tensor. A dimension that its axes divide is a smaller number; any
// other local extent differs between ranks, or runs, and is a name made from what is cut and the
// axes: `batch/dp`, `61/tp`. Two tensors cut alike thus have equal dimensions.
//
//   tensor<?x61x64xf32, #graph.dims<[batch, _, _]>> under [{dp}, {tp}, {tp2}]
//     -> tensor<?x?x32xf32, #graph.dims<["batch/dp", "61/tp", _]>>

#ifndef ASHLAR_DIALECTS_DIST_LOCALTYPES_H
#define ASHLAR_DIALECTS_DIST_LOCALTYPES_H

#include "dialects/Dist/Dist.h"
#include "dialects/Graph/Graph.h"

namespace ashlar::dist {

class LocalTypes {
public:
  explicit LocalTypes(MeshOp mesh) : meshOp(mesh), mesh(mesh.getMesh()) {}

  const Mesh &getMesh() const { return mesh; }
  mlir::FlatSymbolRefAttr getMeshName() { return mlir::FlatSymbolRefAttr::get(meshOp); }

  /// What is left of a dimension on a rank; declares its name (graph.dim) where it needs one.
  graph::Dim getLocal(const graph::Dim &whole, llvm::ArrayRef<Axis> axes);
  mlir::RankedTensorType getLocal(mlir::RankedTensorType whole, const Sharding &sharding);
  /// What a rank keeps of a state: every dimension padded to that of the largest part.
  mlir::Type getStored(mlir::Type whole, const Sharding &sharding);

  /// The inverses: what a local dimension or type is a part of.
  graph::Dim getWhole(const graph::Dim &local, llvm::ArrayRef<Axis> axes);
  mlir::RankedTensorType getWhole(mlir::RankedTensorType local, const Sharding &sharding);

  /// The numbers among the dimensions, -1 for names.
  static llvm::SmallVector<int64_t> getNumbers(mlir::RankedTensorType type);

private:
  MeshOp meshOp;
  Mesh mesh;
};

} // namespace ashlar::dist

#endif
