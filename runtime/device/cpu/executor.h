// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What runs the work items of a grid: a pool of threads (thread_pool.h), or an application's own
// threads behind this interface.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <type_traits>

namespace ashlar {

// IEEE arithmetic while it lives: round to nearest, subnormals kept, no traps. A thread that
// computes in a mode of its own (flush to zero, say) must not give other bits than the others.
class DefaultFloatMode {
 public:
  DefaultFloatMode() : found_(_mm_getcsr()) {
    if ((found_ & ~kFlags) != kDefault) _mm_setcsr(kDefault);
  }
  ~DefaultFloatMode() {
    if ((found_ & ~kFlags) != kDefault) _mm_setcsr(found_);
  }
  DefaultFloatMode(const DefaultFloatMode&) = delete;
  DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;

 private:
  static constexpr unsigned kDefault = 0x1f80;
  static constexpr unsigned kFlags = 0x3f;  // exceptions that have occurred
  unsigned found_;
};

class Executor {
 public:
  using RangeFunction = void (*)(void* context, int64_t begin, int64_t end, int worker);

  virtual ~Executor() = default;

  // Workers of a launch are in [0, size()). Constant.
  virtual int size() const = 0;

  // Calls f(begin, end, worker) on disjoint ranges that together make up [0, items); returns when
  // all have returned. No two calls of one launch with the same worker run at the same time. What
  // the calls wrote is visible to the caller. A launch inside a launch is not allowed.
  template <typename F>
  void ParallelFor(int64_t items, F&& f) {
    using Function = std::remove_reference_t<F>;
    if (items <= 0) return;
    Launch(
        items,
        [](void* context, int64_t begin, int64_t end, int worker) {
          DefaultFloatMode mode;
          (*static_cast<Function*>(context))(begin, end, worker);
        },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  // ParallelFor for at least one item. May be called from several threads at the same time.
  virtual void Launch(int64_t items, RangeFunction function, void* context) = 0;
};

}  // namespace ashlar
