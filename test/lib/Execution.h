// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles graph modules for this machine and runs them with the runtime, on the interpreter's
// arrays: what the execute tests compare with the interpreter.

#ifndef ASHLAR_TEST_LIB_EXECUTION_H
#define ASHLAR_TEST_LIB_EXECUTION_H

#include "codegen/CPU/CpuTarget.h"
#include "codegen/CUDA/CudaTarget.h"
#include "compiler/Interpreter/Interpreter.h"
#include "runtime/api/session.h"
#include "test/lib/CaseWriter.h"

#include <optional>

namespace ashlar::test {

/// What code is made for and where it runs: an instruction set of this machine, or the CUDA
/// emulator.
struct Backend {
  std::string name;   // "x86-64-v4", "cuda-emulator"
  std::string device; // of the session
  std::shared_ptr<const Target> target;

  /// Whether left operands of products are rounded to the type of 16-bit weights.
  bool roundsLeft = false;

  bool isEmulated() const { return device == "cuda-emulator"; }
};

/// The instruction sets that this machine runs, with products of bf16 weights in f32 arithmetic;
/// tests go over all of them.
std::vector<Backend> getCpuBackends();
/// The kinds of code that round the left operands of such products to bf16, as far as this machine
/// runs them; the emulator among them.
std::vector<Backend> getRoundingBackends();
/// Both; what each test of ops, modules and models runs on. Extents are best kept small on the
/// emulator, where a thread's step takes some 100 ns.
std::vector<Backend> getBackends();

/// Where a module's parameters come from.
struct ParameterSource {
  std::string directory; // a checkpoint, or, where it is empty,
  uint64_t seed = 1;     // a seed
};

/// The emulator with the kernels that every GPU runs, and with those of sm_90a.
std::vector<Backend> getEmulators(const cuda::CudaOptions &options = {});

/// A module compiled for one backend, in a session.
class CompiledModule {
public:
  /// Compiles a copy of the module. Null, after a test failure that says why, where that does not
  /// work.
  static std::unique_ptr<CompiledModule> create(mlir::ModuleOp module, const Backend &backend,
                                                const ParameterSource &source, int threads = 2);
  ~CompiledModule();

  /// Runs a step; nothing, after a test failure, on an error.
  std::optional<std::vector<interpreter::NamedArray>>
  run(llvm::StringRef entry, llvm::ArrayRef<interpreter::NamedArray> inputs);
  Session &getSession() { return *session; }
  /// Hands the session over; nothing else is left to do with the module.
  std::unique_ptr<Session> takeSession() { return std::move(session); }

private:
  mlir::MLIRContext *context = nullptr;
  std::string path; // of the artifact, deleted at the end
  std::unique_ptr<Session> session;
  std::unique_ptr<CaseWriter> writer; // where cases are exported
};

/// An f32 result of sums of `length` products agrees with exact arithmetic to this, relative to the
/// largest value: each of them rounds, and errors of independent roundings grow as the square root
/// (Higham and Mary, 2019), with a factor for the few layers that tests stack.
double getTolerance(int64_t length);

/// The same where the backend rounds the left operands of some of the module's products: each is
/// off by up to 2^-9, and by four times that behind the few products that tests stack.
double widenTolerance(double tolerance, const Backend &backend, mlir::ModuleOp module);

/// Indices [from, from + count) of a dimension.
interpreter::Array take(const interpreter::Array &array, size_t dim, int64_t from, int64_t count);
std::vector<interpreter::NamedArray> take(llvm::ArrayRef<interpreter::NamedArray> arrays,
                                          size_t dim, int64_t from, int64_t count);

/// Expects equal shapes and equal elements, without any tolerance.
void expectSameBits(llvm::ArrayRef<interpreter::NamedArray> found,
                    llvm::ArrayRef<interpreter::NamedArray> expected, const std::string &what);

} // namespace ashlar::test

#endif
