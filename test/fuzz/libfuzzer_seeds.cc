// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// With libFuzzer: writes the seeds that the build makes where ASHLAR_FUZZ_SEEDS says.
#include <cstdlib>
#include <fstream>

#include "test/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int *, char ***) {
  const char *folder = std::getenv("ASHLAR_FUZZ_SEEDS");
  if (folder == nullptr)
    return 0;
  int number = 0;
  for (const std::string &seed : ashlar::fuzz::Seeds()) {
    std::ofstream file(std::string(folder) + "/seed" + std::to_string(number++), std::ios::binary);
    file << seed;
    ashlar::fuzz::Require(file.good(), "the folder of ASHLAR_FUZZ_SEEDS can be written");
  }
  return 0;
}
