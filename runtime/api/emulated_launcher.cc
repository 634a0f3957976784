// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/emulated_launcher.h"

#include "runtime/base/status.h"

#ifdef ASHLAR_WITH_EMULATOR

#include <cstring>

#include "runtime/device/cpu/executable_image.h"
#include "runtime/device/emulator/emulator_abi.h"
#include "runtime/device/emulator/launch.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

emulator::OperandAccess ToAccess(fb::Access access) {
  return access == fb::Access::Read    ? emulator::OperandAccess::kRead
         : access == fb::Access::Write ? emulator::OperandAccess::kWrite
                                       : emulator::OperandAccess::kReadWrite;
}

class EmulatedLauncher : public Launcher {
 public:
  EmulatedLauncher(const fb::DeviceImageT& layout, std::shared_ptr<const ExecutableImage> image,
                   Executor& pool)
      : layout_(layout), image_(std::move(image)), emulator_(pool) {}

  absl::Status Run(PreparedLaunch& prepared, Tracer*) override {
    const fb::DeviceKernelT& code = *layout_.kernels[prepared.schema->kernel];
    emulator::Launch launch;
    launch.kernel = StrCat(prepared.kernel->name, " (", prepared.schema->path, ")");
    launch.function = image_->Entry<emulator::KernelFunction>(code.offset + code.entry);
    for (size_t d = 0; d < code.grid.size(); ++d) {
      int64_t blocks = Evaluate(*code.grid[d], prepared.extents.data());
      if (blocks == 0) return absl::OkStatus();  // nothing to do
      launch.grid[d] = static_cast<uint32_t>(blocks);
    }
    launch.threads = code.threads;
    launch.shared_bytes = code.shared_bytes;
    AddParameters(prepared, &launch);
    return emulator_.Run(launch);
  }

 private:
  // The addresses of the operands, which the emulator fills in, and the extents.
  static void AddParameters(const PreparedLaunch& prepared, emulator::Launch* launch) {
    size_t inputs = 0, outputs = 0, extents = prepared.schema->extents.size();
    for (size_t i = 0; i < prepared.buffers.size(); ++i) {
      fb::Access access = prepared.kernel->operands[i];
      emulator::Operand operand;
      // As the kernel's text has it.
      operand.name =
          access == fb::Access::Write ? StrCat("out", outputs++) : StrCat("in", inputs++);
      operand.data = prepared.buffers[i];
      operand.bytes = prepared.schema->operands[i]->bytes;
      operand.access = ToAccess(access);
      operand.parameter_offset = i * sizeof(void*);
      launch->operands.push_back(std::move(operand));
    }
    launch->parameters.resize((prepared.buffers.size() + extents) * 8);
    std::memcpy(launch->parameters.data() + prepared.buffers.size() * 8, prepared.extents.data(),
                extents * 8);
  }

  const fb::DeviceImageT& layout_;
  std::shared_ptr<const ExecutableImage> image_;
  emulator::Emulator emulator_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Launcher>> CreateEmulatedLauncher(const Program& program,
                                                                 Executor& pool) {
  for (const auto& layout : program.metadata().device_images) {
    if (layout->kind != fb::DeviceKind::Emulator) continue;
    if (layout->abi != emulator::kAbiVersion)
      return FailedPrecondition(program.path(), ": compiled for version ", layout->abi,
                                " of the CUDA emulator, this is version ", emulator::kAbiVersion,
                                "; compile the model again");
    ASHLAR_ASSIGN_OR_RETURN(
        auto image, ExecutableImage::Create(program.code().substr(layout->offset, layout->size)));
    return std::make_unique<EmulatedLauncher>(*layout, std::move(image), pool);
  }
  return FailedPrecondition(program.path(),
                            ": no code for the CUDA emulator; compile the model with --target cuda "
                            "--cuda-arch emulator");
}

}  // namespace ashlar

#else

namespace ashlar {

absl::StatusOr<std::unique_ptr<Launcher>> CreateEmulatedLauncher(const Program& program,
                                                                 Executor&) {
  return FailedPrecondition(program.path(), ": the CUDA emulator needs an x86-64 processor");
}

}  // namespace ashlar

#endif
