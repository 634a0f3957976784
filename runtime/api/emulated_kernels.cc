// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/emulated_kernels.h"

#include <algorithm>

#include "runtime/base/math.h"
#include "runtime/base/status.h"

#ifdef ASHLAR_WITH_EMULATOR

#include "runtime/api/device_parameters.h"
#include "runtime/device/emulator/emulated_cublaslt.h"
#include "runtime/device/emulator/emulator_abi.h"
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

// The parameters, and where in them the emulator finds addresses and tensor maps.
void AddParameters(const fb::DeviceKernelT& code, const PreparedLaunch& prepared,
                   emulator::Launch* launch) {
  size_t inputs = 0, outputs = 0;
  for (size_t i = 0; i < prepared.buffers.size(); ++i) {
    fb::Access access = prepared.kernel->operands[i];
    emulator::Operand operand;
    // As the kernel's text has it.
    operand.name = access == fb::Access::Write ? StrCat("out", outputs++) : StrCat("in", inputs++);
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

}  // namespace

absl::StatusOr<std::unique_ptr<EmulatedKernels>> EmulatedKernels::Create(const Program& program,
                                                                         Executor& pool) {
  const auto& images = program.metadata().device_images;
  for (size_t i = 0; i < images.size(); ++i) {
    const fb::DeviceImageT& image = *images[i];
    if (image.kind != fb::DeviceKind::Emulator) continue;
    if (image.abi != emulator::kAbiVersion)
      return FailedPrecondition(program.path(), ": compiled for version ", image.abi,
                                " of the CUDA emulator, this is version ", emulator::kAbiVersion,
                                "; compile the model again");
    ASHLAR_ASSIGN_OR_RETURN(
        auto code, ExecutableImage::Create(program.code().substr(image.offset, image.size)));
    return std::unique_ptr<EmulatedKernels>(
        new EmulatedKernels(program, static_cast<int>(i), std::move(code), pool));
  }
  return FailedPrecondition(program.path(),
                            ": no code for the CUDA emulator; compile the model with --target cuda "
                            "--cuda-arch emulator");
}

absl::Status EmulatedKernels::FindProducts(cuda::LibraryProducts::Which which) {
  ASHLAR_ASSIGN_OR_RETURN(auto found,
                          cuda::FindProducts(program_.metadata(), image(), "the emulator", which,
                                             emulator::EmulatedCublasLt));
  products_ = std::move(found.products);
  library_ = std::move(found.description);
  if (!products_) return absl::OkStatus();
  workspace_.resize(products_->workspace_bytes());
  library_ = "emulated " + library_;
  return absl::OkStatus();
}

absl::Status EmulatedKernels::Launch(const PreparedLaunch& prepared, const std::string& what) {
  const fb::DeviceKernelT& code = *image().kernels[prepared.schema->kernel];
  emulator::Launch launch;
  launch.kernel = what;
  launch.function = code_->Entry<emulator::KernelFunction>(code.offset + code.entry);
  if (!EvaluateGrid(code, prepared, launch.grid)) return absl::OkStatus();
  launch.threads = code.threads;
  launch.shared_bytes = code.shared_bytes;
  AddParameters(code, prepared, &launch);
  return emulator_.Run(launch);
}

absl::Status EmulatedKernels::RunProduct(const PreparedLaunch& prepared, const std::string& what) {
  OperandMemory memory(prepared, workspace_);
  absl::Status status = products_->Run(*prepared.schema, prepared.buffers, prepared.extents,
                                       workspace_.data(), nullptr, what);
  return memory.fault().empty() ? status : Annotate(status, memory.fault());
}

}  // namespace ashlar

#else

namespace ashlar {

absl::StatusOr<std::unique_ptr<EmulatedKernels>> EmulatedKernels::Create(const Program& program,
                                                                         Executor&) {
  return FailedPrecondition(program.path(), ": the CUDA emulator needs an x86-64 processor");
}

}  // namespace ashlar

#endif
