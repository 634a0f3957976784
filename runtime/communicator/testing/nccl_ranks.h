// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A rank on a device of the fake driver, with a stream that NCCL's calls come behind.
#pragma once

#include <memory>
#include <vector>

#include "runtime/communicator/nccl.h"

namespace ashlar {

// Has the fake driver and the fake NCCL found, where nothing else is named yet (or in place of what
// is). Before there are threads, as the environment is everybody's.
void UseFakes(bool replaces = false);

// Made, used and ended on one thread. One at a time is that thread's (RankMemory).
class NcclRank {
 public:
  explicit NcclRank(std::shared_ptr<Communicator> control);
  ~NcclRank();

  const absl::Status& status() const { return status_; }
  Communicator& communicator() { return *communicator_; }
  void* Allocate(const std::vector<char>& bytes);
  void Read(const void* from, std::vector<char>* bytes) const;

 private:
  absl::Status Open(std::shared_ptr<Communicator> control);

  std::shared_ptr<const cuda::Driver> driver_;
  CUstream_st* stream_ = nullptr;
  std::vector<cuda::DevicePointer> memory_;
  std::unique_ptr<Communicator> communicator_;
  absl::Status status_;
};

}  // namespace ashlar
