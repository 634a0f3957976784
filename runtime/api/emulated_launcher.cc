// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/emulated_launcher.h"

#include "runtime/api/emulated_kernels.h"
#include "runtime/base/status.h"

namespace ashlar {

#ifdef ASHLAR_WITH_EMULATOR

namespace {

class EmulatedLauncher : public Launcher {
 public:
  explicit EmulatedLauncher(std::unique_ptr<EmulatedKernels> kernels)
      : kernels_(std::move(kernels)) {}

  std::string library() const override { return kernels_->library(); }

  absl::Status Run(PreparedLaunch& prepared, Tracer*) override {
    const std::string what = StrCat(prepared.kernel->name, " (", prepared.schema->path, ")");
    return kernels_->HasProduct(*prepared.schema) ? kernels_->RunProduct(prepared, what)
                                                  : kernels_->Launch(prepared, what);
  }

 private:
  std::unique_ptr<EmulatedKernels> kernels_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Launcher>> CreateEmulatedLauncher(const Program& program,
                                                                 Executor& pool) {
  ASHLAR_ASSIGN_OR_RETURN(auto kernels, EmulatedKernels::Create(program, pool));
  ASHLAR_RETURN_IF_ERROR(kernels->FindProducts(cuda::LibraryProducts::Which::kChosen));
  return std::make_unique<EmulatedLauncher>(std::move(kernels));
}

#else

absl::StatusOr<std::unique_ptr<Launcher>> CreateEmulatedLauncher(const Program& program,
                                                                 Executor& pool) {
  return EmulatedKernels::Create(program, pool).status();
}

#endif

}  // namespace ashlar
