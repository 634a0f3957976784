// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stand-in for libcuda.so.1 that needs no GPU: it keeps the book that a driver keeps (what was
// allocated, loaded, captured) and refuses what contradicts it. Device memory is host memory at
// addresses that a host cannot use. Of kernels it knows two by name; it knows nothing of cubins,
// and of time only what FAKE_CUDA_MS="add=2,cublasLtMatmul=0.5" says that a launch takes, so a test
// on it says that the calls are made in a right order with right arguments, and no more.
// FAKE_CUDA_FAIL="cuLaunchKernel=700" makes a call fail.
//
// A stream does its work at once, unless what it has been given by fakeEnqueue (fake_nccl.cc) is
// not over: then it keeps the rest, and goes on whenever somebody asks how far it is. Streams and
// their events are used by one thread each.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "runtime/device/cuda/driver.h"
#include "runtime/device/cuda/testing/fake_handles.h"

using ashlar::cuda::DevicePointer;

namespace {

constexpr DevicePointer kOffset = DevicePointer{1} << 60;
constexpr int kInvalidValue = 1, kNotFound = 500, kNoContext = 201;

std::mutex g_mutex;  // of all that is not a stream's
std::map<DevicePointer, size_t> g_memory;
int g_contexts = 0;                      // that are retained
thread_local bool g_is_current = false;  // as the driver has it: by thread
int g_instantiated = 0;
std::set<DevicePointer> g_weights;  // that launches of `add` have read
thread_local double g_ms = 0;       // that launches have taken, as streams are a thread's

// What FAKE_CUDA_MS says of a kernel or of the library's call.
double MillisecondsOf(const std::string& name) {
  const char* text = std::getenv("FAKE_CUDA_MS");
  const std::string list = "," + std::string(text ? text : "");
  const size_t at = list.find("," + name + "=");
  return at == std::string::npos ? 0 : std::atof(list.c_str() + at + name.size() + 2);
}

int Injected(const char* call) {
  const char* fail = std::getenv("FAKE_CUDA_FAIL");
  size_t length = std::strlen(call);
  if (!fail || std::strncmp(fail, call, length) != 0 || fail[length] != '=') return 0;
  return std::atoi(fail + length + 1);
}

// The bytes behind a range of device memory, or null where it is not all in one allocation.
char* Find(DevicePointer memory, size_t bytes) {
  std::lock_guard<std::mutex> lock(g_mutex);
  auto it = g_memory.upper_bound(memory);
  if (it == g_memory.begin()) return nullptr;
  --it;
  if (memory - it->first > it->second || bytes > it->second - (memory - it->first)) return nullptr;
  return reinterpret_cast<char*>(memory - kOffset);
}

int Submit(CUstream_st* stream, std::function<void()> work) {
  if (stream->capture)
    stream->capture->push_back(std::move(work));
  else
    stream->Enqueue([work = std::move(work)] { return work(), true; });
  return 0;
}

}  // namespace

// A call fails where it is told to, or where there is no current context.
#define BEGIN(name) \
  if (int error = Injected(#name)) return error
#define BEGIN_IN_CONTEXT(name) \
  BEGIN(name);                 \
  if (!g_is_current) return kNoContext

extern "C" {

int cuInit(unsigned) {
  BEGIN(cuInit);
  return 0;
}
int cuGetErrorName(int error, const char** name) {
  *name = error == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : error == 2 ? "CUDA_ERROR_OUT_OF_MEMORY"
                       : "CUDA_ERROR_FAKE";
  return 0;
}
int cuGetErrorString(int, const char** text) {
  *text = "as it was told";
  return 0;
}
int cuDeviceGetCount(int* count) {
  const char* devices = std::getenv("FAKE_CUDA_DEVICES");
  *count = devices ? std::atoi(devices) : 1;
  return 0;
}
int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return 0;
}
int cuDeviceGetName(char* name, int length, int) {
  std::strncpy(name, "Fake", length);
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == ashlar::cuda::kComputeCapabilityMajor ? 8 : 6;
  return 0;
}
int cuDevicePrimaryCtxRetain(CUctx_st** context, int) {
  std::lock_guard<std::mutex> lock(g_mutex);
  *context = reinterpret_cast<CUctx_st*>(&g_contexts);
  ++g_contexts;
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(int) {
  std::lock_guard<std::mutex> lock(g_mutex);
  return --g_contexts > 0 || g_memory.empty() ? 0 : kInvalidValue;  // somebody has forgotten memory
}
int cuCtxSetCurrent(CUctx_st*) {
  g_is_current = true;
  return 0;
}
int cuModuleLoadData(CUmod_st** module, const void*) {
  BEGIN_IN_CONTEXT(cuModuleLoadData);
  *module = new CUmod_st;
  return 0;
}
int cuModuleUnload(CUmod_st* module) {
  delete module;
  return 0;
}
int cuModuleGetFunction(CUfunc_st** function, CUmod_st*, const char* name) {
  BEGIN_IN_CONTEXT(cuModuleGetFunction);
  static std::map<std::string, CUfunc_st> functions = {
      {"add", {"add"}}, {"count", {"count"}}, {"mapped", {"mapped"}}};
  auto known = functions.find(name);
  if (known == functions.end()) return kNotFound;
  *function = &known->second;
  return 0;
}
int cuFuncSetAttribute(CUfunc_st*, int attribute, int value) {
  return attribute == ashlar::cuda::kMaxDynamicSharedBytes && value > 48 * 1024 ? 0 : kInvalidValue;
}
int cuMemAlloc_v2(DevicePointer* memory, size_t bytes) {
  BEGIN_IN_CONTEXT(cuMemAlloc_v2);
  void* host = std::malloc(bytes);
  std::memset(host, 0xff, bytes);
  *memory = reinterpret_cast<DevicePointer>(host) + kOffset;
  std::lock_guard<std::mutex> lock(g_mutex);
  g_memory[*memory] = bytes;
  return 0;
}
int cuMemFree_v2(DevicePointer memory) {
  std::lock_guard<std::mutex> lock(g_mutex);
  if (g_memory.erase(memory) == 0) return kInvalidValue;
  std::free(reinterpret_cast<void*>(memory - kOffset));
  return 0;
}
int cuMemAllocHost_v2(void** memory, size_t bytes) {
  *memory = std::malloc(bytes);
  return 0;
}
int cuMemFreeHost(void* memory) {
  std::free(memory);
  return 0;
}
int cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, size_t bytes, CUstream_st* stream) {
  BEGIN_IN_CONTEXT(cuMemcpyHtoDAsync_v2);
  char* place = Find(to, bytes);
  if (!place || stream->capture) return kInvalidValue;
  const char* source = static_cast<const char*>(from);  // of memory that is not pinned, a copy
  auto copy = std::make_shared<std::vector<char>>(source, source + bytes);
  return Submit(stream, [=] { std::copy(copy->begin(), copy->end(), place); });
}
int cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, size_t bytes, CUstream_st* stream) {
  BEGIN_IN_CONTEXT(cuMemcpyDtoHAsync_v2);
  const char* place = Find(from, bytes);
  if (!place || stream->capture) return kInvalidValue;
  return Submit(stream, [=] { std::memcpy(to, place, bytes); });
}
int cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes, CUstream_st* stream) {
  BEGIN_IN_CONTEXT(cuMemcpyDtoDAsync_v2);
  const char* source = Find(from, bytes);
  char* place = Find(to, bytes);
  if (!source || !place) return kInvalidValue;
  return Submit(stream, [=] { std::memcpy(place, source, bytes); });
}
int cuMemcpy2DAsync_v2(const ashlar::cuda::RowsCopy* copy, CUstream_st* stream) {
  BEGIN_IN_CONTEXT(cuMemcpy2DAsync_v2);
  auto [from, to, row_bytes, rows] = *copy;
  if (from.stride < row_bytes || to.stride < row_bytes || from.x || from.y || to.x || to.y ||
      from.memory != 2 || to.memory != 2)
    return kInvalidValue;
  if (rows == 0 || row_bytes == 0) return 0;
  const char* source = Find(from.device, (rows - 1) * from.stride + row_bytes);
  char* place = Find(to.device, (rows - 1) * to.stride + row_bytes);
  if (!source || !place) return kInvalidValue;
  return Submit(stream, [=, copied = *copy] {
    for (size_t row = 0; row < copied.rows; ++row)
      std::memcpy(place + row * copied.to.stride, source + row * copied.from.stride,
                  copied.row_bytes);
  });
}
int cuMemsetD8Async(DevicePointer to, unsigned char value, size_t count, CUstream_st* stream) {
  BEGIN_IN_CONTEXT(cuMemsetD8Async);
  char* place = Find(to, count);
  if (!place) return kInvalidValue;
  return Submit(stream, [=] { std::memset(place, value, count); });
}
int cuMemsetD32Async(DevicePointer to, unsigned value, size_t count, CUstream_st* stream) {
  BEGIN_IN_CONTEXT(cuMemsetD32Async);
  auto* place = reinterpret_cast<unsigned*>(Find(to, 4 * count));
  if (!place || to % 4 != 0) return kInvalidValue;
  return Submit(stream, [=] { std::fill_n(place, count, value); });
}
int cuStreamCreate(CUstream_st** stream, unsigned) {
  *stream = new CUstream_st;
  return 0;
}
int cuStreamDestroy_v2(CUstream_st* stream) {
  stream->Progress();
  if (!stream->queue.empty()) return kInvalidValue;  // somebody has forgotten its work
  delete stream;
  return 0;
}
int cuStreamSynchronize(CUstream_st* stream) {
  BEGIN_IN_CONTEXT(cuStreamSynchronize);
  if (stream->capture) return kInvalidValue;
  while (!stream->queue.empty()) stream->Progress();
  return 0;
}
int cuStreamBeginCapture_v2(CUstream_st* stream, int) {
  BEGIN_IN_CONTEXT(cuStreamBeginCapture_v2);
  if (stream->capture) return kInvalidValue;
  stream->capture.emplace();
  return 0;
}
int cuStreamEndCapture(CUstream_st* stream, CUgraph_st** graph) {
  if (!stream->capture) return kInvalidValue;
  *graph = new CUgraph_st{std::move(*stream->capture)};
  stream->capture.reset();
  return 0;
}
int cuEventCreate(CUevent_st** event, unsigned) {
  *event = new CUevent_st;
  return 0;
}
int cuEventDestroy_v2(CUevent_st* event) {
  delete event;
  return 0;
}
int cuEventRecord(CUevent_st* event, CUstream_st* stream) {
  if (stream->capture) return kInvalidValue;
  *event = {stream, stream->enqueued, g_ms};
  return 0;
}
int cuEventQuery(CUevent_st* event) {
  BEGIN_IN_CONTEXT(cuEventQuery);
  return event->IsOver() ? 0 : ashlar::cuda::kNotReady;
}
int cuEventSynchronize(CUevent_st* event) {
  while (!event->IsOver()) continue;
  return 0;
}
int cuEventElapsedTime(float* milliseconds, CUevent_st* begin, CUevent_st* end) {
  BEGIN_IN_CONTEXT(cuEventElapsedTime);
  *milliseconds = std::getenv("FAKE_CUDA_MS") ? static_cast<float>(end->ms - begin->ms) : 0.25f;
  return begin && end ? 0 : kInvalidValue;
}
int cuGraphInstantiateWithFlags(CUgraphExec_st** exec, CUgraph_st* graph, unsigned long long) {
  BEGIN_IN_CONTEXT(cuGraphInstantiateWithFlags);
  *exec = new CUgraphExec_st{graph->work};
  std::lock_guard<std::mutex> lock(g_mutex);
  ++g_instantiated;
  return 0;
}
int cuGraphDestroy(CUgraph_st* graph) {
  delete graph;
  return 0;
}
int cuGraphExecDestroy(CUgraphExec_st* exec) {
  delete exec;
  return 0;
}
int cuGraphLaunch(CUgraphExec_st* exec, CUstream_st* stream) {
  BEGIN_IN_CONTEXT(cuGraphLaunch);
  if (stream->capture) return kInvalidValue;
  for (const auto& work : exec->work) Submit(stream, work);
  return 0;
}

// What it was told, as text: a kernel of sm_90a is none that this driver knows.
int cuTensorMapEncodeTiled(void* map, int type, unsigned rank, void* address,
                           const unsigned long long* sizes, const unsigned long long* strides,
                           const unsigned* box, const unsigned* steps, int, int swizzle, int, int) {
  BEGIN_IN_CONTEXT(cuTensorMapEncodeTiled);
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0 || rank != 2 || strides[0] % 16 != 0 ||
      steps[0] != 1 || steps[1] != 1 || swizzle != ashlar::cuda::kTensorMapSwizzle128 ||
      !Find(reinterpret_cast<DevicePointer>(address), sizes[1] * strides[0]))
    return kInvalidValue;
  std::snprintf(static_cast<char*>(map), 128, "%d: %llu x %llu, rows of %llu bytes, boxes %u x %u",
                type, sizes[1], sizes[0], strides[0], box[1], box[0]);
  return 0;
}

// Host memory behind device memory; null where it is not all in one allocation.
void* fakeHostMemory(DevicePointer memory, size_t bytes) { return Find(memory, bytes); }
// The stream's next work, which is over once `poll` returns true; then `forget` is called.
int fakeEnqueue(CUstream_st* stream, bool (*poll)(void*), void (*forget)(void*), void* state) {
  if (stream->capture) return kInvalidValue;
  std::shared_ptr<void> kept(state, forget);
  stream->Enqueue([poll, kept] { return poll(kept.get()); });
  return 0;
}
int fakeInstantiatedGraphs() { return g_instantiated; }
// The second operands that launches of `add` were given since the last call: how many, and the
// first so many of them.
int fakeWeights(DevicePointer* to, int most) {
  const int count = static_cast<int>(g_weights.size());
  for (DevicePointer weight : g_weights)
    if (most-- > 0) *to++ = weight;
  g_weights.clear();
  return count;
}

// For fake_cublaslt.cc: where bytes of the device's memory lie, and work for a stream.
char* fakeFind(const void* memory, size_t bytes) {
  return Find(reinterpret_cast<DevicePointer>(memory), bytes);
}
int fakeSubmit(CUstream_st* stream, std::function<void()> work) {
  if (!g_is_current) return kNoContext;
  return Submit(stream, [work = std::move(work), ms = MillisecondsOf("cublasLtMatmul")] {
    work();
    g_ms += ms;
  });
}

// add(x, w, y; n): y[i] = x[i] + w[i], a block of 32 threads for 32 elements; mapped has a tensor
// map in front. count(state): ++*state.
int cuLaunchKernel(CUfunc_st* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned,
                   CUstream_st* stream, void** parameters, void** extra) {
  BEGIN_IN_CONTEXT(cuLaunchKernel);
  if (grid_x == 0 || grid_y != 1 || grid_z != 1 || block_x != 32 || block_y != 1 || block_z != 1 ||
      extra)
    return kInvalidValue;
  const auto* block = static_cast<const uint64_t*>(parameters[0]);
  if (function->name == "count") {
    auto* counter = reinterpret_cast<int64_t*>(Find(block[0], 8));
    return counter ? Submit(stream, [counter] { ++*counter; }) : kInvalidValue;
  }
  if (function->name == "mapped") {  // as add, behind a map of x
    if (std::strncmp(static_cast<const char*>(parameters[0]), "9: ", 3) != 0) return kInvalidValue;
    block += 16;
  }
  uint64_t n = block[3];
  auto* x = reinterpret_cast<const float*>(Find(block[0], n * 4));
  auto* w = reinterpret_cast<const float*>(Find(block[1], n * 4));
  auto* y = reinterpret_cast<float*>(Find(block[2], n * 4));
  if (!x || !w || !y || (n + 31) / 32 != grid_x) return kInvalidValue;
  {
    std::lock_guard<std::mutex> lock(g_mutex);
    g_weights.insert(block[1]);
  }
  return Submit(stream, [=, ms = MillisecondsOf(function->name)] {
    for (uint64_t i = 0; i < n; ++i) y[i] = x[i] + w[i];
    g_ms += ms;
  });
}

}  // extern "C"
