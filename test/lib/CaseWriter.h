// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes what an execute test runs as a case of `ashlar check` (tools/ashlar/check.cc), for
// machines that have a GPU and no compiler. With ASHLAR_EXPORT_CASES=FOLDER the tests run on one
// backend, the emulator with the kernels of sm_90a; each module that they compile, with code for
// ASHLAR_EXPORT_ARCHS (sm_80,sm_90a), the inputs of its steps and what the emulator gave, which the
// test compares with the interpreter, become a case.

#ifndef ASHLAR_TEST_LIB_CASEWRITER_H
#define ASHLAR_TEST_LIB_CASEWRITER_H

#include "runtime/api/tensor.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <memory>
#include <string>
#include <vector>

namespace ashlar::test {

class CaseWriter {
public:
  /// The archs to export for; empty where nothing is exported.
  static std::vector<std::string> getArchs();

  /// Where the artifact of a case is put while the test runs `artifact`.
  static std::string getArtifact(llvm::StringRef artifact) { return (artifact + ".case").str(); }

  /// A writer for a module of the test that runs; null where nothing is exported.
  static std::unique_ptr<CaseWriter> create(llvm::StringRef artifact, bool hasNarrowWeights);
  /// Writes the case, unless the test has failed.
  ~CaseWriter();

  void addStep(llvm::StringRef entry, llvm::ArrayRef<Tensor> inputs,
               llvm::ArrayRef<Tensor> outputs);

private:
  CaseWriter() = default;
  std::string writeArrays(llvm::ArrayRef<Tensor> tensors);

  std::string folder, steps;
  double tolerance = 0;
  int arrays = 0;
};

} // namespace ashlar::test

#endif
