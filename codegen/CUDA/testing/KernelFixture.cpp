// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/testing/KernelFixture.h"

#include "codegen/CUDA/EmulatorCompiler.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/device/emulator/emulator_abi.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace ashlar {
namespace {

[[noreturn]] void giveUp(const std::string &message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::abort();
}

} // namespace

const LoadedKernels &LoadedKernels::get(const std::string &text) {
  static std::map<std::string, LoadedKernels> loaded;
  LoadedKernels &kernels = loaded[text];
  if (kernels.handle_)
    return kernels;
  auto object = compileForEmulator(text);
  if (!object.ok())
    giveUp(Message(object.status()));
  int file = memfd_create("ashlar-kernels", 0);
  if (write(file, object->data(), object->size()) != static_cast<ssize_t>(object->size()))
    giveUp("cannot write to a memory file");
  kernels.path_ = StrCat("/proc/", getpid(), "/fd/", file);
  kernels.handle_ = dlopen(kernels.path_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!kernels.handle_)
    giveUp(dlerror());
  auto abi = reinterpret_cast<unsigned (*)()>(dlsym(kernels.handle_, "ashlar_emulator_abi"));
  if (!abi || abi() != emulator::kAbiVersion)
    giveUp("kernels and emulator do not match");
  return kernels;
}

emulator::KernelFunction LoadedKernels::function(const std::string &name) const {
  return reinterpret_cast<emulator::KernelFunction>(dlsym(handle_, name.c_str()));
}

uint32_t LoadedKernels::threads(const std::string &name) const { return number(name + "_threads"); }

uint32_t LoadedKernels::sharedBytes(const std::string &name) const {
  return number(name + "_shared");
}

uint32_t LoadedKernels::number(const std::string &symbol) const {
  auto constant = static_cast<const unsigned *>(dlsym(handle_, symbol.c_str()));
  return constant ? *constant : 0;
}

std::string LoadedKernels::locate(const void *pc) const {
  std::string symbolizer = ASHLAR_SYMBOLIZER;
  Dl_info info;
  if (symbolizer.empty() || !dladdr(pc, &info))
    return "";
  // The instruction before the return address is the call.
  auto offset = static_cast<const char *>(pc) - static_cast<const char *>(info.dli_fbase) - 1;
  std::string command =
      StrCat(symbolizer, " --output-style=GNU --basenames --inlines --obj=", path_, " 0x", std::hex,
             offset);
  FILE *pipe = popen(command.c_str(), "r");
  if (!pipe)
    return "";
  // Pairs of lines, innermost inlined function first: its name, then file:line.
  char line[1024];
  std::string found;
  while (std::fgets(line, sizeof line, pipe)) {
    std::string text(line);
    text.erase(0, text.rfind('/') + 1); // --basenames leaves some directories
    bool place = text.find(".cuh:") != std::string::npos || text.rfind("kernel.cpp:", 0) == 0;
    if (found.empty() && place)
      found = text.substr(0, text.find_first_of(" \n"));
  }
  pclose(pipe);
  return found;
}

void TestLaunch::prepare(const std::string &text, const std::string &name) {
  const LoadedKernels &kernels = LoadedKernels::get(text);
  launch.kernel = name;
  launch.function = kernels.function(name);
  launch.threads = kernels.threads(name);
  launch.shared_bytes = kernels.sharedBytes(name);
  launch.locate = [&kernels](const void *pc) { return kernels.locate(pc); };
}

absl::Status TestLaunch::run() {
  static ThreadPool pool(2);
  static emulator::Emulator emulator(pool);
  return emulator.Run(launch);
}

Bf16::Bf16(float x) {
  // The difference to the truncated value decides.
  uint32_t all;
  std::memcpy(&all, &x, 4);
  uint32_t low = all & 0xffff;
  bits = static_cast<uint16_t>(all >> 16);
  if (low > 0x8000 || (low == 0x8000 && (bits & 1)))
    ++bits;
}

Bf16::operator float() const {
  uint32_t all = uint32_t{bits} << 16;
  float x;
  std::memcpy(&x, &all, 4);
  return x;
}

F16::F16(float x) {
  // In steps of the value's last place; nearbyint rounds to even.
  float magnitude = std::fabs(x);
  uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  int exponent = magnitude < 0x1p-14f ? -14 : std::ilogb(magnitude);
  if (std::isnan(x)) {
    bits = 0x7fff;
    return;
  }
  if (magnitude >= 65520.0f) {
    bits = sign | 0x7c00;
    return;
  }
  auto steps = static_cast<long>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  bits = static_cast<uint16_t>(sign | (((exponent + 14) << 10) + steps));
}

F16::operator float() const {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                    : exponent == 0 ? std::ldexp(float(fraction), -24)
                                    : std::ldexp(float(fraction + 1024), exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

} // namespace ashlar
