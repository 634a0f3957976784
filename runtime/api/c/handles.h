// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is behind the handles of ashlar.h, and how its structs and errors are read and written.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/api/ashlar.h"
#include "runtime/api/session.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

struct ashlar_error {
  int32_t code;
  std::string name, message;
};

struct ashlar_memory_pool {
  std::shared_ptr<ashlar::MemoryPool> pool;
};

struct ashlar_thread_pool {
  std::shared_ptr<ashlar::Executor> executor;
};

struct ashlar_program {
  // What ashlar_value shows of an input or output.
  struct Value {
    std::vector<int64_t> bound;
    std::vector<int32_t> dimensions;
    std::string description;
  };
  struct Entry {
    std::vector<Value> inputs, outputs;
  };
  std::shared_ptr<const ashlar::BoundProgram> bound;
  std::vector<Entry> entries;
};

struct ashlar_session {
  // Kept between steps, so that a step allocates nothing.
  struct Views {
    std::vector<ashlar::Tensor> inputs, outputs;
  };
  std::unique_ptr<ashlar::Session> session;
  std::vector<Views> entries;
  std::atomic<bool> busy{false};  // a call is under way
};

struct ashlar_cancellation {
  ashlar::Cancellation cancellation;
};

namespace ashlar::c_api {

// Null for OK, else an error that the caller of the C function releases.
ashlar_error* ToError(const absl::Status& status);

// The error for an exception that is being handled, which no C caller may meet: E0401 for
// std::bad_alloc, and that without taking memory.
ashlar_error* CaughtError() noexcept;

// An error of the call itself (E0801).
template <typename... Parts>
absl::Status BadCall(const Parts&... parts) {
  return WithCode(ErrorCode::kBadCall, InvalidArgument(parts...));
}

#define ASHLAR_C_REQUIRE(condition, ...) \
  if (!(condition)) return ::ashlar::c_api::ToError(::ashlar::c_api::BadCall(__VA_ARGS__))
#define ASHLAR_C_RETURN_IF_ERROR(expression)                          \
  if (absl::Status ashlar_status = (expression); !ashlar_status.ok()) \
  return ::ashlar::c_api::ToError(ashlar_status)

// Copies the fields that the caller knows; the others are zero. A null struct is all zero.
template <typename T>
absl::Status ReadStruct(const T* given, const char* name, T* out) {
  *out = {};
  if (!given) return absl::OkStatus();
  if (given->struct_size < sizeof(size_t))
    return BadCall(name, ": struct_size is ", given->struct_size, ", expected sizeof(", name, "), ",
                   sizeof(T), " in this version");
  std::memcpy(out, given, std::min(given->struct_size, sizeof(T)));
  return absl::OkStatus();
}

// Writes the fields that the caller knows.
template <typename T>
absl::Status WriteStruct(T full, const char* name, T* out) {
  if (!out) return BadCall(name, " is null");
  if (out->struct_size < sizeof(size_t))
    return BadCall(name, ": struct_size is ", out->struct_size, ", expected sizeof(", name, "), ",
                   sizeof(T), " in this version");
  full.struct_size = out->struct_size;
  std::memcpy(out, &full, std::min(out->struct_size, sizeof(T)));
  return absl::OkStatus();
}

// The element of an array of structs of the size that the first one says.
template <typename T>
T* Element(T* first, size_t index) {
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
  return reinterpret_cast<T*>(reinterpret_cast<Byte*>(first) + index * first->struct_size);
}

// Nothing for none; what is farther than the clock can count is none, too.
std::optional<std::chrono::steady_clock::time_point> DeadlineIn(int64_t timeout_us);

// The session's options, for its owner.
absl::StatusOr<std::unique_ptr<Session>> CreateSession(const ashlar_program& program,
                                                       const ashlar_session_options* options);

// Claims a handle for a call, so that two threads in one are an error.
class Claim {
 public:
  explicit Claim(std::atomic<bool>& busy)
      : busy_(busy), claimed_(!busy.exchange(true, std::memory_order_acquire)) {}
  ~Claim() {
    if (claimed_) busy_.store(false, std::memory_order_release);
  }
  explicit operator bool() const { return claimed_; }

 private:
  std::atomic<bool>& busy_;
  const bool claimed_;
};
inline constexpr char kInUse[] = "it is in use by another thread; give each thread its own";

// ReadStruct of an element, which must be as large as the first one says.
template <typename T>
absl::Status ReadElement(const T* first, size_t index, const char* name, T* out) {
  ASHLAR_RETURN_IF_ERROR(ReadStruct(first, name, out));
  if (index == 0) return absl::OkStatus();
  const size_t size = first->struct_size;
  if (size % alignof(T) != 0)
    return BadCall(name, ": struct_size is ", size, ", no multiple of ", alignof(T));
  if (const size_t found = Element(first, index)->struct_size; found != size)
    return BadCall(name, " ", index, " of an array: struct_size is ", found, ", that of the first ",
                   size);
  return ReadStruct(Element(first, index), name, out);
}

}  // namespace ashlar::c_api
