// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/emulated_launcher.h"

#include <algorithm>

#include "runtime/base/math.h"
#include "runtime/base/status.h"

#ifdef ASHLAR_WITH_EMULATOR

#include "runtime/api/device_parameters.h"
#include "runtime/device/cpu/executable_image.h"
#include "runtime/device/cuda/library_products.h"
#include "runtime/device/emulator/emulated_cublaslt.h"
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

// What a library's product may touch: the operands of its launch, as they may be accessed, and its
// workspace.
class OperandMemory : public emulator::LibraryMemory {
 public:
  OperandMemory(const PreparedLaunch& prepared, std::vector<char>& workspace)
      : prepared_(prepared), workspace_(workspace), before_(emulator::SetLibraryMemory(this)) {}
  ~OperandMemory() override { emulator::SetLibraryMemory(before_); }

  char* Resolve(const void* address, size_t bytes, bool is_written) override {
    const auto begin = reinterpret_cast<uintptr_t>(address);
    auto lies_in = [&](const void* data, size_t size) {
      const auto from = reinterpret_cast<uintptr_t>(data);
      return begin >= from && RangeFits(begin - from, bytes, size);
    };
    if (lies_in(workspace_.data(), workspace_.size())) return workspace_.data();
    for (size_t i = 0; i < prepared_.buffers.size(); ++i) {
      const fb::Access access = prepared_.kernel->operands[i];
      if (access != fb::Access::ReadWrite && is_written != (access == fb::Access::Write)) continue;
      if (lies_in(prepared_.buffers[i], prepared_.bytes[i])) return reinterpret_cast<char*>(begin);
    }
    fault_ = StrCat(is_written ? "writes " : "reads ", bytes, " bytes at ", address,
                    ", which no operand has that may be accessed so");
    return nullptr;
  }
  int Submit(CUstream_st*, std::function<void()> work) override {
    work();
    return 0;
  }
  const std::string& fault() const { return fault_; }

 private:
  const PreparedLaunch& prepared_;
  std::vector<char>& workspace_;
  emulator::LibraryMemory* before_;
  std::string fault_;
};

class EmulatedLauncher : public Launcher {
 public:
  EmulatedLauncher(const fb::DeviceImageT& layout, std::shared_ptr<const ExecutableImage> image,
                   Executor& pool)
      : layout_(layout), image_(std::move(image)), emulator_(pool) {}

  // As on a device, with the emulated library.
  absl::Status PrepareProducts(const fb::ProgramT& program) {
    if (std::none_of(layout_.kernels.begin(), layout_.kernels.end(),
                     [](const auto& kernel) { return kernel->product != nullptr; }))
      return absl::OkStatus();
    std::shared_ptr<const cuda::CublasLt> library = emulator::EmulatedCublasLt();
    library_ = "the program's own kernels";
    if (!library) return absl::OkStatus();
    ASHLAR_ASSIGN_OR_RETURN(products_, cuda::LibraryProducts::Create(std::move(library), program,
                                                                     layout_, "the emulator"));
    workspace_.resize(products_->workspace_bytes());
    library_ = StrCat("emulated ", products_->Describe());
    return absl::OkStatus();
  }

  std::string library() const override { return library_; }

  absl::Status Run(PreparedLaunch& prepared, Tracer*) override {
    std::string what = StrCat(prepared.kernel->name, " (", prepared.schema->path, ")");
    if (products_ && products_->Makes(*prepared.schema)) {
      OperandMemory memory(prepared, workspace_);
      absl::Status status = products_->Run(*prepared.schema, prepared.buffers, prepared.extents,
                                           workspace_.data(), nullptr, what);
      return memory.fault().empty() ? status : Annotate(status, memory.fault());
    }
    const fb::DeviceKernelT& code = *layout_.kernels[prepared.schema->kernel];
    emulator::Launch launch;
    launch.kernel = std::move(what);
    launch.function = image_->Entry<emulator::KernelFunction>(code.offset + code.entry);
    if (!EvaluateGrid(code, prepared, launch.grid)) return absl::OkStatus();
    launch.threads = code.threads;
    launch.shared_bytes = code.shared_bytes;
    AddParameters(code, prepared, &launch);
    return emulator_.Run(launch);
  }

 private:
  // The parameters, and where in them the emulator finds addresses and tensor maps.
  static void AddParameters(const fb::DeviceKernelT& code, const PreparedLaunch& prepared,
                            emulator::Launch* launch) {
    size_t inputs = 0, outputs = 0;
    for (size_t i = 0; i < prepared.buffers.size(); ++i) {
      fb::Access access = prepared.kernel->operands[i];
      emulator::Operand operand;
      // As the kernel's text has it.
      operand.name =
          access == fb::Access::Write ? StrCat("out", outputs++) : StrCat("in", inputs++);
      operand.data = prepared.buffers[i];
      operand.bytes = prepared.bytes[i];
      operand.access = ToAccess(access);
      operand.keeps = prepared.schema->operands[i]->space == fb::Space::State;
      operand.parameter_offset = AddressOffset(code, i);
      launch->operands.push_back(std::move(operand));
    }
    launch->parameters = MakeParameters(code, prepared);
    for (const auto& map : code.tensor_maps) {
      emulator::TensorMapParameter parameter;
      parameter.parameter_offset = launch->tensor_maps.size() * kTensorMapBytes;
      parameter.operand = map->operand;
      parameter.rows = Evaluate(*map->rows, prepared.extents.data());
      parameter.columns = map->columns;
      parameter.row_stride = map->row_bytes;
      parameter.box_rows = map->box_rows;
      parameter.box_columns = map->box_columns;
      launch->tensor_maps.push_back(parameter);
    }
  }

  const fb::DeviceImageT& layout_;
  std::shared_ptr<const ExecutableImage> image_;
  emulator::Emulator emulator_;
  std::unique_ptr<cuda::LibraryProducts> products_;
  std::vector<char> workspace_;
  std::string library_;
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
    auto launcher = std::make_unique<EmulatedLauncher>(*layout, std::move(image), pool);
    ASHLAR_RETURN_IF_ERROR(launcher->PrepareProducts(program.metadata()));
    return launcher;
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
