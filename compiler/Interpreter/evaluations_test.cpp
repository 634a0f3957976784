// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle knows every op: a new one without an evaluation is found here and not by a user.

#include "compiler/Interpreter/Evaluation.h"
#include "gtest/gtest.h"

#include <set>

using namespace mlir;

namespace ashlar::interpreter {
namespace {

TEST(Evaluations, CoverTheGraphDialect) {
  MLIRContext context;
  context.loadDialect<graph::GraphDialect>();
  // Declarations and structure, which the interpreter itself handles.
  const std::set<std::string> structure = {"graph.dim", "graph.state", "graph.fused",
                                           "graph.yield"};
  int covered = 0;
  for (RegisteredOperationName name : context.getRegisteredOperations()) {
    if (name.getDialectNamespace() != "graph" || structure.count(name.getStringRef().str()))
      continue;
    EXPECT_NE(Evaluations::all().find(name), nullptr) << name.getStringRef().str();
    ++covered;
  }
  EXPECT_GT(covered, 30);
}

} // namespace
} // namespace ashlar::interpreter
