// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stand-in for libcublasLt.so beside that for the driver (fake_cuda.cc): the emulated functions,
// exported under their names, over that driver's memory and into its streams, captured ones too.
// FAKE_CUDA_FAIL="cublasLtMatmul=13" makes a call fail.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "runtime/device/emulator/emulated_cublaslt.h"

namespace ashlar::emulator {
namespace {

class FakeMemory : public LibraryMemory {
 public:
  char* Resolve(const void* address, size_t bytes, bool) override {
    return Driver<char* (*)(const void*, size_t)>("fakeFind")(address, bytes);
  }
  int Submit(CUstream_st* stream, std::function<void()> work) override {
    return Driver<int (*)(CUstream_st*, std::function<void()>)>("fakeSubmit")(stream,
                                                                              std::move(work));
  }
  int GetFailure(const char* call) override {
    const char* fail = std::getenv("FAKE_CUDA_FAIL");
    size_t length = std::strlen(call);
    if (!fail || std::strncmp(fail, call, length) != 0 || fail[length] != '=') return 0;
    return std::atoi(fail + length + 1);
  }

 private:
  template <typename F>
  static F Driver(const char* function) {
    static void* driver = dlopen(std::getenv("ASHLAR_CUDA_DRIVER"), RTLD_NOW | RTLD_NOLOAD);
    return reinterpret_cast<F>(dlsym(driver, function));
  }
};

}  // namespace

LibraryMemory* GetLibraryMemory() {
  static FakeMemory memory;
  return &memory;
}

}  // namespace ashlar::emulator
