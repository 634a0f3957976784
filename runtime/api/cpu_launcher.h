// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs launches as grids on an executor, the thread pool where the caller has none.
#pragma once

#include <memory>

#include "runtime/api/launcher.h"
#include "runtime/device/cpu/executable_image.h"
#include "runtime/device/cpu/executor.h"

namespace ashlar {

class CpuLauncher : public Launcher {
 public:
  // `layout` describes `image`; worker w of the executor uses the scratch at scratch + w *
  // scratch_stride. All outlive the launcher.
  CpuLauncher(const fb::ImageT& layout, const ExecutableImage& image, Executor& executor,
              char* scratch, uint64_t scratch_stride)
      : layout_(layout),
        image_(image),
        executor_(executor),
        scratch_(scratch),
        scratch_stride_(scratch_stride) {}

  absl::Status Run(PreparedLaunch& launch, Tracer* tracer) override;
  bool traces_workers() const override { return true; }

 private:
  const fb::ImageT& layout_;
  const ExecutableImage& image_;
  Executor& executor_;
  char* scratch_;
  uint64_t scratch_stride_;
};

}  // namespace ashlar
