// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Modules that a person might write and no importer does.

#ifndef ASHLAR_TEST_EXECUTE_MODULECASES_H
#define ASHLAR_TEST_EXECUTE_MODULECASES_H

#include <cstdint>
#include <string>
#include <vector>

namespace ashlar::test {

struct ModuleCase {
  std::string name;
  std::string declarations; // next to the dimensions batch (1 to 3) and seq (1 to 40)
  std::string signature;    // arguments and results
  std::string body;
  int64_t steps = 1; // runs of the entry point, over the same states
};

/// One parameter read in several ways, operands that are views, states smaller than what they
/// serve.
std::vector<ModuleCase> getModuleCases();

/// Those with caches, which hold 16-bit elements: of one type, or keys of one and values of
/// another.
std::vector<ModuleCase> getNarrowCacheCases();

/// Values of a product or of a row that are also read at other positions than their own.
std::vector<ModuleCase> getMovedCases();

} // namespace ashlar::test

#endif
