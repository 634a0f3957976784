// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar.h: errors, and what an application brings along.
#include "runtime/api/c/handles.h"
#include "runtime/base/mapped_file.h"
#include "runtime/device/cpu/thread_pool.h"

namespace ashlar::c_api {
namespace {

// An application's threads.
class CallerExecutor : public Executor {
 public:
  explicit CallerExecutor(const ashlar_executor& executor) : executor_(executor) {}
  int size() const override { return executor_.workers; }

 private:
  struct Call {
    RangeFunction function;
    void* context;
  };
  void Launch(int64_t items, RangeFunction function, void* context) override {
    Call call{function, context};
    executor_.run(
        executor_.context, items,
        [](void* launch, int64_t begin, int64_t end, int32_t worker) {
          auto* call = static_cast<Call*>(launch);
          call->function(call->context, begin, end, worker);
        },
        &call);
  }

  const ashlar_executor executor_;
};

// Made before memory is short, and never released.
ashlar_error* const kOutOfMemory =
    new ashlar_error{static_cast<int32_t>(ErrorCode::kOutOfMemory),
                     ErrorName(ErrorCode::kOutOfMemory), "the system gives no more memory"};

}  // namespace

ashlar_error* ToError(const absl::Status& status) {
  if (status.ok()) return nullptr;
  ErrorCode code = CodeOf(status);
  return new ashlar_error{static_cast<int32_t>(code), ErrorName(code), Message(status)};
}

ashlar_error* CaughtError() noexcept {
  try {
    try {
      throw;
    } catch (const std::bad_alloc&) {
      return kOutOfMemory;
    } catch (const std::exception& exception) {
      return ToError(absl::InternalError(exception.what()));
    } catch (...) {
      return ToError(absl::InternalError("an exception of a type that is not known"));
    }
  } catch (...) {
    return kOutOfMemory;  // not even for an error's text
  }
}

}  // namespace ashlar::c_api

using namespace ashlar;
using namespace ashlar::c_api;

int32_t ashlar_api_version() { return ASHLAR_API_VERSION; }
const char* ashlar_version() { return ASHLAR_VERSION; }

int32_t ashlar_error_code(const ashlar_error* error) { return error ? error->code : 0; }
const char* ashlar_error_name(const ashlar_error* error) {
  return error ? error->name.c_str() : "";
}
const char* ashlar_error_message(const ashlar_error* error) {
  return error ? error->message.c_str() : "";
}
void ashlar_error_release(ashlar_error* error) {
  if (error != kOutOfMemory) delete error;
}

const char* ashlar_explain(int32_t code) {
  for (const ErrorPage& page : ErrorPages())
    if (static_cast<int32_t>(page.code) == code) return page.page.data();  // a literal: ends in \0
  return nullptr;
}

void ashlar_guard_mapped_files() { GuardMappedFiles(); }

ashlar_error* ashlar_memory_pool_create(uint64_t limit, const ashlar_allocator* allocator,
                                        ashlar_memory_pool** pool) try {
  ASHLAR_C_REQUIRE(pool, "pool is null");
  *pool = nullptr;
  ashlar_allocator given;
  ASHLAR_C_RETURN_IF_ERROR(ReadStruct(allocator, "ashlar_allocator", &given));
  ASHLAR_C_REQUIRE(!given.allocate == !given.release,
                   "ashlar_allocator: allocate and release come together");
  MemoryPool::Options options;
  if (limit > 0) options.limit = limit;
  options.allocator = {given.context, given.allocate, given.release};
  *pool = new ashlar_memory_pool{std::make_shared<MemoryPool>(options)};
  return nullptr;
} catch (...) {
  return CaughtError();
}

uint64_t ashlar_memory_pool_in_use(const ashlar_memory_pool* pool) {
  return pool ? pool->pool->in_use() : 0;
}
void ashlar_memory_pool_release(ashlar_memory_pool* pool) { delete pool; }

ashlar_error* ashlar_thread_pool_create(int32_t threads, ashlar_thread_pool** pool) try {
  ASHLAR_C_REQUIRE(pool, "pool is null");
  *pool = nullptr;
  ASHLAR_C_REQUIRE(threads >= 0 && threads <= ThreadPool::kMaxThreads, "threads: expected 0..",
                   ThreadPool::kMaxThreads, ", found ", threads);
  *pool = new ashlar_thread_pool{std::make_shared<ThreadPool>(threads)};
  return nullptr;
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_thread_pool_wrap(const ashlar_executor* executor,
                                      ashlar_thread_pool** pool) try {
  ASHLAR_C_REQUIRE(pool && executor, "executor or pool is null");
  *pool = nullptr;
  ashlar_executor given;
  ASHLAR_C_RETURN_IF_ERROR(ReadStruct(executor, "ashlar_executor", &given));
  ASHLAR_C_REQUIRE(given.run, "ashlar_executor: run is null");
  ASHLAR_C_REQUIRE(given.workers >= 1 && given.workers <= ThreadPool::kMaxThreads,
                   "ashlar_executor: workers: expected 1..", ThreadPool::kMaxThreads, ", found ",
                   given.workers);
  *pool = new ashlar_thread_pool{std::make_shared<CallerExecutor>(given)};
  return nullptr;
} catch (...) {
  return CaughtError();
}

int32_t ashlar_thread_pool_size(const ashlar_thread_pool* pool) {
  return pool ? pool->executor->size() : 0;
}
void ashlar_thread_pool_release(ashlar_thread_pool* pool) { delete pool; }

ashlar_error* ashlar_cancellation_create(ashlar_cancellation** cancellation) try {
  ASHLAR_C_REQUIRE(cancellation, "cancellation is null");
  *cancellation = nullptr;
  *cancellation = new ashlar_cancellation;
  return nullptr;
} catch (...) {
  return CaughtError();
}
void ashlar_cancellation_cancel(ashlar_cancellation* cancellation) {
  if (cancellation) cancellation->cancellation.Cancel();
}
void ashlar_cancellation_reset(ashlar_cancellation* cancellation) {
  if (cancellation) cancellation->cancellation.Reset();
}
void ashlar_cancellation_release(ashlar_cancellation* cancellation) { delete cancellation; }
