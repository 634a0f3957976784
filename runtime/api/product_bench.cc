// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/product_bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "runtime/api/cuda_kernels.h"
#include "runtime/api/emulated_kernels.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/memory/random.h"

namespace ashlar {
namespace {

constexpr uint64_t kAlignment = 256;
// What copies of a weight take together, where that is more than one of them: twice the largest
// cache of a device.
constexpr uint64_t kColdBytes = uint64_t{256} << 20;
// Launches between two marks: enough to take this long.
constexpr int kMostLaunches = 64;
constexpr double kMilliseconds = 2;

uint64_t Copies(uint64_t weight_bytes, uint64_t most) {
  return std::clamp<uint64_t>(kColdBytes / std::max<uint64_t>(weight_bytes, 1) + 1, 1, most);
}

// Where the operands of a launch lie, from the beginnings of what is only read and of all else; the
// weight is the last of the former, and may be there several times.
struct Layout {
  std::vector<uint64_t> offsets;
  uint64_t read_bytes = 0, written_bytes = 0;
  uint64_t weight_stride = 0;

  Layout(const fb::KernelT& kernel, const fb::LibraryProductT& product, const fb::LaunchT& launch,
         uint64_t most_copies) {
    offsets.resize(launch.operands.size());
    for (size_t i = 0; i < offsets.size(); ++i) {
      uint64_t& end = kernel.operands[i] == fb::Access::Read ? read_bytes : written_bytes;
      if (i == product.weight) continue;
      offsets[i] = end;
      end += RoundUp(launch.operands[i]->bytes, kAlignment);
    }
    offsets[product.weight] = read_bytes;
    weight_stride = RoundUp(launch.operands[product.weight]->bytes, kAlignment);
    read_bytes += Copies(weight_stride, most_copies) * weight_stride;
  }
};

// Two bytes are a bf16 of 1/2 <= |x| < 2, an f16 of 7/4 <= |x| < 2, and four of them an f32 of
// about the first one's value: numbers in all types that there are.
void FillWithNumbers(char* to, uint64_t bytes) {
  for (uint64_t i = 0; i + 2 <= bytes; i += 2) {
    const uint64_t bits = RandomBits(0, i);
    const auto number = static_cast<uint16_t>(0x3f00 | (bits & 0x80ff));
    std::memcpy(to + i, &number, 2);
  }
}

class Bench : public ProductBench {
 public:
  explicit Bench(const Program& program) : program_(program) {}

  absl::Status Reserve(const std::vector<ProductUse>& uses) override {
    uint64_t read_bytes = 0, written_bytes = 0;
    for (const ProductUse& use : uses) {
      const Layout layout = LayoutOf(use);
      read_bytes = std::max(read_bytes, layout.read_bytes);
      written_bytes = std::max(written_bytes, layout.written_bytes);
    }
    return Allocate(read_bytes, written_bytes);
  }

  absl::Status Prepare(const ProductUse& use) override {
    Forget();
    const Layout layout = LayoutOf(use);
    const fb::KernelT& kernel = *program_.metadata().kernels[use.kernel];
    what_ = StrCat(kernel.name, " (", use.launch->path, ")");
    launch_.schema = use.launch;
    launch_.kernel = &kernel;
    launch_.extents = use.extents;
    launch_.extents.push_back(0);
    launch_.buffers.clear();
    launch_.bytes.clear();
    for (size_t i = 0; i < layout.offsets.size(); ++i) {
      launch_.buffers.push_back((kernel.operands[i] == fb::Access::Read ? read_ : written_) +
                                layout.offsets[i]);
      launch_.bytes.push_back(use.launch->operands[i]->bytes);
    }
    weight_index_ = FindPlainProduct(*kernels().kernels[use.kernel])->weight;
    weight_ = static_cast<char*>(launch_.buffers[weight_index_]);
    weight_stride_ = layout.weight_stride;
    return WarmUp();
  }

 protected:
  virtual const fb::DeviceImageT& kernels() const = 0;
  virtual uint64_t most_copies() const = 0;
  virtual absl::Status Allocate(uint64_t read_bytes, uint64_t written_bytes) = 0;
  virtual void Forget() {}
  virtual absl::Status WarmUp() = 0;

  // Makes the weight's copy with this number the one that is read.
  void ReadCopy(uint64_t number) {
    launch_.buffers[weight_index_] =
        weight_ + number % Copies(weight_stride_, most_copies()) * weight_stride_;
  }

  const Program& program_;
  char *read_ = nullptr, *written_ = nullptr;
  PreparedLaunch launch_;
  std::string what_;

 private:
  Layout LayoutOf(const ProductUse& use) const {
    return Layout(*program_.metadata().kernels[use.kernel],
                  *FindPlainProduct(*kernels().kernels[use.kernel]), *use.launch, most_copies());
  }

  size_t weight_index_ = 0;
  char* weight_ = nullptr;
  uint64_t weight_stride_ = 0;
};

class CudaBench : public Bench {
 public:
  CudaBench(const Program& program, std::unique_ptr<cuda::Device> device)
      : Bench(program), device_(std::move(device)) {}
  ~CudaBench() override {
    if (device_->MakeCurrent().ok()) Forget();
  }

  absl::Status Load() {
    ASHLAR_ASSIGN_OR_RETURN(kernels_, CudaKernels::Create(program_, *device_));
    ASHLAR_RETURN_IF_ERROR(kernels_->FindProducts(cuda::LibraryProducts::Which::kAll));
    if (kernels_->has_library() || CountProducts(kernels_->image()).plain == 0)
      return absl::OkStatus();
    return NotFound(
        "no cuBLASLt to measure: libcublasLt.so.13 and libcublasLt.so.12 are not here, or "
        "ASHLAR_CUBLASLT is empty; install the CUDA toolkit 12.0 or later, or set ASHLAR_CUBLASLT "
        "to the library's path");
  }

  int image() const override { return kernels_->index(); }
  std::string device() const override { return device_->model(); }
  std::string library() const override { return kernels_->library_name(); }
  bool HasAlgorithm() const override { return kernels_->HasProduct(*launch_.schema); }

  absl::StatusOr<double> Time(bool by_library) override {
    ASHLAR_RETURN_IF_ERROR(device_->MakeCurrent());
    CUgraphExec_st*& graph = graphs_[by_library];
    if (!graph) {
      ASHLAR_ASSIGN_OR_RETURN(graph, Record(by_library));
      ASHLAR_RETURN_IF_ERROR(device_->Replay(graph, what_));  // the first one takes longer
    }
    ASHLAR_RETURN_IF_ERROR(device_->Mark(/*end=*/false));
    ASHLAR_RETURN_IF_ERROR(device_->Replay(graph, what_));
    ASHLAR_ASSIGN_OR_RETURN(double milliseconds, EndTime());
    return milliseconds / launches_;
  }

 protected:
  const fb::DeviceImageT& kernels() const override { return kernels_->image(); }
  uint64_t most_copies() const override { return kMostLaunches; }

  absl::Status Allocate(uint64_t read_bytes, uint64_t written_bytes) override {
    constexpr uint64_t kPiece = uint64_t{8} << 20;
    ASHLAR_RETURN_IF_ERROR(device_->MakeCurrent());
    ASHLAR_ASSIGN_OR_RETURN(cuda::DevicePointer read, device_->Allocate(read_bytes, "operands"));
    ASHLAR_ASSIGN_OR_RETURN(cuda::DevicePointer written,
                            device_->Allocate(written_bytes, "results"));
    ASHLAR_RETURN_IF_ERROR(device_->Clear(written, written_bytes));
    std::vector<char> numbers(std::min(read_bytes, kPiece));
    FillWithNumbers(numbers.data(), numbers.size());
    ASHLAR_RETURN_IF_ERROR(device_->Upload(read, numbers.data(), numbers.size()));
    for (uint64_t at = kPiece; at < read_bytes; at += kPiece)
      ASHLAR_RETURN_IF_ERROR(device_->Copy(read + at, read, std::min(kPiece, read_bytes - at)));
    read_ = reinterpret_cast<char*>(read);
    written_ = reinterpret_cast<char*>(written);
    return device_->Synchronize("filling operands");
  }

  void Forget() override {
    for (CUgraphExec_st*& graph : graphs_)
      if (graph) device_->Forget(std::exchange(graph, nullptr));
  }

  // Both ways once, for what is done at a first launch only, then one for how long that takes.
  absl::Status WarmUp() override {
    ASHLAR_RETURN_IF_ERROR(device_->MakeCurrent());
    ReadCopy(0);
    if (HasAlgorithm()) ASHLAR_RETURN_IF_ERROR(kernels_->RunProduct(launch_, what_));
    ASHLAR_RETURN_IF_ERROR(kernels_->Launch(launch_, what_));
    ASHLAR_RETURN_IF_ERROR(device_->Mark(/*end=*/false));
    ASHLAR_RETURN_IF_ERROR(kernels_->Launch(launch_, what_));
    ASHLAR_ASSIGN_OR_RETURN(double milliseconds, EndTime());
    launches_ = static_cast<int>(std::clamp<double>(
        std::ceil(kMilliseconds / std::max(milliseconds, 1e-6)), 1, kMostLaunches));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<double> EndTime() {
    ASHLAR_RETURN_IF_ERROR(device_->Mark(/*end=*/true));
    ASHLAR_RETURN_IF_ERROR(device_->Synchronize(what_));
    return device_->MillisecondsBetweenMarks();
  }

  absl::StatusOr<CUgraphExec_st*> Record(bool by_library) {
    ASHLAR_RETURN_IF_ERROR(device_->BeginCapture());
    for (int i = 0; i < launches_; ++i) {
      ReadCopy(i);
      absl::Status status =
          by_library ? kernels_->RunProduct(launch_, what_) : kernels_->Launch(launch_, what_);
      if (status.ok()) continue;
      device_->AbandonCapture();
      return status;
    }
    return device_->EndCapture();
  }

  std::unique_ptr<cuda::Device> device_;
  std::unique_ptr<CudaKernels> kernels_;
  CUgraphExec_st* graphs_[2] = {};
  int launches_ = 1;
};

#ifdef ASHLAR_WITH_EMULATOR

class EmulatedBench : public Bench {
 public:
  EmulatedBench(const Program& program, std::unique_ptr<EmulatedKernels> kernels)
      : Bench(program), kernels_(std::move(kernels)) {}

  absl::Status Load() {
    ASHLAR_RETURN_IF_ERROR(kernels_->FindProducts(cuda::LibraryProducts::Which::kAll));
    if (kernels_->has_library() || CountProducts(kernels_->image()).plain == 0)
      return absl::OkStatus();
    return NotFound(
        "no cuBLASLt to measure: ASHLAR_CUBLASLT is empty, which takes the emulated one away; "
        "unset it");
  }

  int image() const override { return kernels_->index(); }
  std::string device() const override { return "the CUDA emulator"; }
  std::string library() const override { return kernels_->library_name(); }
  bool HasAlgorithm() const override { return kernels_->HasProduct(*launch_.schema); }

  absl::StatusOr<double> Time(bool by_library) override {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    ASHLAR_RETURN_IF_ERROR(by_library ? kernels_->RunProduct(launch_, what_)
                                      : kernels_->Launch(launch_, what_));
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  }

 protected:
  const fb::DeviceImageT& kernels() const override { return kernels_->image(); }
  uint64_t most_copies() const override { return 1; }

  absl::Status Allocate(uint64_t read_bytes, uint64_t written_bytes) override {
    const uint64_t read = RoundUp(read_bytes, kAlignment);
    memory_.reset(static_cast<char*>(
        std::aligned_alloc(kAlignment, RoundUp(read + written_bytes + 1, kAlignment))));
    if (!memory_)
      return absl::ResourceExhaustedError(
          StrCat("cannot allocate ", read + written_bytes, " bytes for a product's operands"));
    FillWithNumbers(memory_.get(), read);
    std::memset(memory_.get() + read, 0, written_bytes);
    read_ = memory_.get();
    written_ = read_ + read;
    return absl::OkStatus();
  }

  absl::Status WarmUp() override {
    ReadCopy(0);
    if (HasAlgorithm()) ASHLAR_RETURN_IF_ERROR(kernels_->RunProduct(launch_, what_));
    return kernels_->Launch(launch_, what_);
  }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  std::unique_ptr<EmulatedKernels> kernels_;
  std::unique_ptr<char, Free> memory_;
};

#endif

absl::StatusOr<std::unique_ptr<ProductBench>> OpenEmulated(const Program& program, Executor& pool) {
  ASHLAR_ASSIGN_OR_RETURN(auto kernels, EmulatedKernels::Create(program, pool));
#ifdef ASHLAR_WITH_EMULATOR
  auto bench = std::make_unique<EmulatedBench>(program, std::move(kernels));
  ASHLAR_RETURN_IF_ERROR(bench->Load());
  return bench;
#else
  return absl::InternalError("an emulator in a build that has none");
#endif
}

absl::StatusOr<std::unique_ptr<ProductBench>> OpenCuda(const Program& program, int gpu) {
  ASHLAR_ASSIGN_OR_RETURN(auto device, cuda::Device::Open(gpu));
  auto bench = std::make_unique<CudaBench>(program, std::move(device));
  if (absl::Status status = bench->Load(); !status.ok()) return Annotate(status, program.path());
  return bench;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProductBench>> ProductBench::Open(const Program& program,
                                                                 const std::string& device,
                                                                 Executor& pool, int gpu) {
  if (device == "cuda") return OpenCuda(program, gpu);
  if (device == "cuda-emulator") return OpenEmulated(program, pool);
  return InvalidArgument("products are measured on cuda or cuda-emulator, found '",
                         Printable(device), "'");
}

}  // namespace ashlar
