// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From an imported module to a program, for `ashlar compile`: distribution, fusion, memory.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "codegen/CPU/CpuModel.h"
#include "codegen/CUDA/CudaTarget.h"
#include "compiler/Distribution/Plan/MeshSearch.h"
#include "compiler/Import/HuggingFace.h"
#include "compiler/Pipelines/LowerToProgram.h"
#include "compiler/Pipelines/Pipelines.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/OwningOpRef.h"
#include "tools/ashlar/compile/compiler_context.h"

namespace ashlar {

// What the command line says.
struct CompileOptions {
  ImportOptions import;
  std::string output, emit, machineFile;
  std::vector<cpu::CpuModel> models;
  bool isCuda = false;
  cuda::CudaOptions cuda;
  std::vector<std::string> archs;
  bool embedWeights = false;
  std::optional<uint64_t> seed;
  LoweringOptions lowering;
  DistributionOptions distribution;
  int64_t devices = 0;                           // whose mesh is searched
  std::vector<distribution::MeshChoice> meshes;  // of them, as far as they are known
};

// Prints what takes long, with its time, to stderr.
class Progress {
 public:
  void operator()(llvm::StringRef step) {
    auto now = std::chrono::steady_clock::now();
    if (!current.empty())
      llvm::errs() << llvm::format("  %-22s %7.2f s\n", current.c_str(),
                                   std::chrono::duration<double>(now - since).count());
    current = step.str();
    since = now;
  }

 private:
  std::string current;
  std::chrono::steady_clock::time_point since;
};

// Brings the module onto its mesh, which it finds where only a number of devices is given, and
// lowers it for the target. Where the solver's plan makes a program that is too large it plans
// again, and where collectives that start early take too much memory they do not. Returns nothing,
// or the exit code where it ends here, after an error or what --emit asks for.
std::optional<int> Lower(mlir::OwningOpRef<mlir::ModuleOp>& module, CompileOptions& options,
                         const Target& target, CompilerContext& compiler, Progress& progress);

}  // namespace ashlar
