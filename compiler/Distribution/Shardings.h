// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All tensors of a module and their shardings, read from the attributes and written back: values,
// states and results of functions, each with the relations that tie it to others. An op relates
// its operands and results by its sharding rule; a reading its state, a return the function's
// results, dimension by dimension.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_SHARDINGS_H
#define ASHLAR_COMPILER_DISTRIBUTION_SHARDINGS_H

#include "compiler/Distribution/Factors.h"
#include "dialects/Dist/LocalTypes.h"

namespace ashlar::distribution {

class Shardings {
public:
  struct Tensor {
    std::string function; // empty: a state's
    std::string path;
    mlir::Type type;
    dist::Sharding sharding;         // open everywhere where nothing is said
    std::optional<int64_t> priority; // of the pin, 0 first; nothing: not pinned
    bool isState = false;
    std::string reason = {}; // why propagation has cut it so; empty: it has not
  };
  /// Tensors related by a rule.
  struct Relation {
    graph::ShardingRule rule;
    llvm::SmallVector<unsigned> operands, results; // numbers of tensors
    bool passesThrough;                            // no factor is reduced or specially cut
    mlir::Operation *op = nullptr;                 // null between a state, or a result, and a value
  };

  /// Reads a module, which has a mesh.
  explicit Shardings(mlir::ModuleOp module);

  const dist::Mesh &getMesh() const { return mesh; }
  mlir::ModuleOp getModule() const { return module; }
  std::vector<Tensor> tensors;
  std::vector<Relation> relations;

  dist::Sharding &operator[](mlir::Value value) { return tensors[ofValue.lookup(value)].sharding; }
  dist::Sharding &ofState(graph::StateOp state) { return tensors[states.lookup(state)].sharding; }
  dist::Sharding &ofResult(mlir::func::FuncOp function, unsigned index) {
    return tensors[results.lookup({function, index})].sharding;
  }
  /// Writes all that is neither open and empty nor pinned alike back to attributes.
  void write();

private:
  unsigned add(llvm::StringRef function, std::string path, mlir::Type type,
               mlir::Attribute sharding, mlir::Attribute priority);
  void addFunction(mlir::func::FuncOp function);
  void relate(unsigned a, unsigned b);

  mlir::ModuleOp module;
  dist::MeshOp meshOp;
  dist::Mesh mesh;
  llvm::DenseMap<mlir::Value, unsigned> ofValue;
  llvm::DenseMap<mlir::Operation *, unsigned> states;
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, unsigned> results;
};

} // namespace ashlar::distribution

#endif
