// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/tensor_source.h"

#include <algorithm>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/memory/random.h"

namespace ashlar {
namespace {

// Conversions between dtypes that the verifier has allowed (equal, or both floats) cannot fail.
void Convert(DType from, const void* source, DType to, void* out, int64_t count) {
  if (to == DType::kF32 && IsFloat(from)) {
    ToFloats(from, source, count, static_cast<float*>(out));
  } else {
    (void)ConvertElements(from, source, to, out, count);
  }
}

// Elements that lie in memory; `owner` keeps them there.
class MemoryReader : public TensorReader {
 public:
  MemoryReader(std::shared_ptr<const Checkpoint> owner, DType dtype, const char* data)
      : owner_(std::move(owner)), dtype_(dtype), data_(data) {}

  void Read(int64_t begin, int64_t count, DType to, void* out) const override {
    Convert(dtype_, data_ + begin * DTypeSize(dtype_), to, out, count);
  }
  const void* Data(DType to) const override { return to == dtype_ ? data_ : nullptr; }

 private:
  std::shared_ptr<const Checkpoint> owner_;
  DType dtype_;
  const char* data_;
};

class FromMemory : public TensorSource {
 public:
  explicit FromMemory(const void* data) : data_(static_cast<const char*>(data)) {}
  absl::StatusOr<std::unique_ptr<TensorReader>> Open(const fb::WeightPartT& part) const override {
    return std::unique_ptr<TensorReader>(
        new MemoryReader(nullptr, static_cast<DType>(part.dtype), data_));
  }

 private:
  const char* data_;
};

class FromCheckpoint : public TensorSource {
 public:
  explicit FromCheckpoint(std::shared_ptr<const Checkpoint> checkpoint)
      : checkpoint_(std::move(checkpoint)) {}

  absl::StatusOr<std::unique_ptr<TensorReader>> Open(const fb::WeightPartT& part) const override {
    const TensorInfo* tensor = checkpoint_->Find(part.tensor);
    if (!tensor) return checkpoint_->MissingTensorError(part.tensor);
    DType expected = static_cast<DType>(part.dtype);
    if (tensor->shape != part.shape || tensor->dtype != expected)
      return WithCode(
          ErrorCode::kTensorMismatch,
          InvalidArgument(checkpoint_->files()[tensor->file]->path(), ": tensor '", part.tensor,
                          "': expected ", DTypeName(expected), " ", ShapeToString(part.shape),
                          ", found ", DTypeName(tensor->dtype), " ", ShapeToString(tensor->shape)));
    return std::unique_ptr<TensorReader>(
        new MemoryReader(checkpoint_, tensor->dtype, checkpoint_->Data(*tensor).data()));
  }

 private:
  std::shared_ptr<const Checkpoint> checkpoint_;
};

class RandomReader : public TensorReader {
 public:
  RandomReader(uint64_t seed, const fb::WeightPartT& part)
      : key_(RandomKey(seed, part.tensor)),
        dtype_(static_cast<DType>(part.dtype)),
        init_(part.init),
        scale_(part.scale) {}

  void Read(int64_t begin, int64_t count, DType to, void* out) const override {
    constexpr int64_t kBlock = 256;
    float values[kBlock];
    char stored[kBlock * 8];
    for (int64_t done = 0; done < count; done += kBlock) {
      int64_t size = std::min(kBlock, count - done);
      char* place = static_cast<char*>(out) + done * DTypeSize(to);
      if (IsFloat(dtype_)) {
        for (int64_t i = 0; i < size; ++i) values[i] = Value(begin + done + i);
        Convert(DType::kF32, values, dtype_, stored, size);
        Convert(dtype_, stored, to, place, size);
      } else {
        int64_t ones[kBlock];
        std::fill(ones, ones + size, init_ == fb::Init::Ones ? 1 : 0);
        (void)ConvertElements(DType::kI64, ones, to, place, size);
      }
    }
  }

 private:
  float Value(int64_t index) const {
    if (init_ == fb::Init::Normal) return RandomNormal(key_, index) * scale_;
    return init_ == fb::Init::Ones ? 1.0f : 0.0f;
  }

  uint64_t key_;
  DType dtype_;
  fb::Init init_;
  float scale_;
};

class FromSeed : public TensorSource {
 public:
  explicit FromSeed(uint64_t seed) : seed_(seed) {}
  absl::StatusOr<std::unique_ptr<TensorReader>> Open(const fb::WeightPartT& part) const override {
    return std::unique_ptr<TensorReader>(new RandomReader(seed_, part));
  }

 private:
  uint64_t seed_;
};

}  // namespace

std::unique_ptr<TensorSource> CheckpointSource(std::shared_ptr<const Checkpoint> checkpoint) {
  return std::make_unique<FromCheckpoint>(std::move(checkpoint));
}

std::unique_ptr<TensorSource> MemorySource(const void* data) {
  return std::make_unique<FromMemory>(data);
}

std::unique_ptr<TensorSource> RandomSource(uint64_t seed) {
  return std::make_unique<FromSeed>(seed);
}

}  // namespace ashlar
