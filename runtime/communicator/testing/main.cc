// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mpirun -n 4 communicator_test (nccl_communicator_test): the conformance suite, each process a
// rank.
#include "gtest/gtest.h"
#include "runtime/communicator/testing/ranks.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!ashlar::JoinRanks()) return 1;
  int code = RUN_ALL_TESTS();
  ashlar::LeaveRanks();
  return code;
}
