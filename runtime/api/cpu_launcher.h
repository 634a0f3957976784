// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs launches as grids on a thread pool.
#pragma once

#include <memory>

#include "runtime/api/launcher.h"
#include "runtime/device/cpu/executable_image.h"
#include "runtime/device/cpu/thread_pool.h"

namespace ashlar {

class CpuLauncher : public Launcher {
 public:
  // `layout` describes `image`; worker w of the pool uses the scratch at scratch + w *
  // scratch_stride. All outlive the launcher.
  CpuLauncher(const fb::ImageT& layout, std::shared_ptr<const ExecutableImage> image,
              ThreadPool& pool, char* scratch, uint64_t scratch_stride)
      : layout_(layout),
        image_(std::move(image)),
        pool_(pool),
        scratch_(scratch),
        scratch_stride_(scratch_stride) {}

  absl::Status Run(PreparedLaunch& launch) override;

 private:
  const fb::ImageT& layout_;
  std::shared_ptr<const ExecutableImage> image_;
  ThreadPool& pool_;
  char* scratch_;
  uint64_t scratch_stride_;
};

}  // namespace ashlar
