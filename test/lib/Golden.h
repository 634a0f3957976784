// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The models of test/goldens: a checkpoint each, with inputs and what PyTorch answered, as .npy
// files, and a case.json that says which head is asked for and whether the cache of a decoder
// answers as forward does.

#ifndef ASHLAR_TEST_LIB_GOLDEN_H
#define ASHLAR_TEST_LIB_GOLDEN_H

#include "compiler/Import/HuggingFace.h"
#include "compiler/Interpreter/Interpreter.h"
#include "gtest/gtest.h"

namespace ashlar::test {

/// What results may differ from PyTorch's by, relative to the largest: stored answers and rotation
/// angles are f32.
inline constexpr double kGoldenTolerance = 1e-5;

/// Whether the cases are those of the tree (the environment variable ASHLAR_GOLDENS names others).
bool isOwnGoldens();

/// The names of the cases, or of those whose cache can be compared.
std::vector<std::string> listGoldens(bool cachedOnly = false);

/// A case's name as GoogleTest takes it.
std::string getTestName(const testing::TestParamInfo<std::string> &info);

/// One case, imported for batches of 1 to 3, sequences of 1 to 12 and a context of 14.
class Golden : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override;

  std::vector<interpreter::NamedArray> loadInputs();
  std::shared_ptr<const interpreter::Array> loadInput(llvm::StringRef name);
  /// Holds every result against the stored answer, and that there is one for each.
  void expectAnswers(llvm::ArrayRef<interpreter::NamedArray> results,
                     double tolerance = kGoldenTolerance);

  WeightType weights = WeightType::Auto; // set before SetUp
  /// As it is: what `forward` makes without a cache is what the cached entries make.
  CacheElement cache = CacheElement::F32;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string directory;

private:
  std::shared_ptr<const interpreter::Array> load(const std::string &file);
};

} // namespace ashlar::test

#endif
