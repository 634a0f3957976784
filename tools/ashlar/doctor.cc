// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar doctor: what this machine offers, and what is missing for what.
#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/communicator/nccl_library.h"
#include "runtime/device/cpu/cpu_cores.h"
#include "runtime/device/cpu/cpu_features.h"
#include "runtime/device/cuda/cublaslt.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

enum class State { kThere, kMissing, kUnusable };

// One line: a thing, what is known of it, and, where it is missing, what it would be good for.
void Say(State state, const std::string& what, const std::string& finding) {
  const char* mark = state == State::kThere ? "ok" : state == State::kMissing ? "--" : "!!";
  std::printf("%s  %-16s %s\n", mark, what.c_str(), finding.c_str());
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// A library that is opened only to ask it something; stays open for the process.
void* OpenLibrary(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (void* library = dlopen(name, RTLD_LAZY | RTLD_LOCAL)) return library;
  return nullptr;
}

template <typename F>
F* Symbol(void* library, const char* name) {
  return reinterpret_cast<F*>(dlsym(library, name));
}

// Returns whether compiled programs run here at all.
bool SayCpu() {
  const std::set<std::string>& host = HostFeatures();
  auto has = [&](std::initializer_list<const char*> features) {
    for (const char* feature : features)
      if (!host.count(feature)) return false;
    return true;
  };
  Say(State::kThere, "cpu", HostCpuName());
  Say(State::kThere, "cores",
      StrCat(AvailableCores(), " for this process, of ", sysconf(_SC_NPROCESSORS_ONLN),
             " hardware threads"));
  const bool base = has({"avx2", "fma"});
  Say(base ? State::kThere : State::kUnusable, "AVX2",
      base ? "x86-64-v3 code runs" : "missing: code of `ashlar compile` needs x86-64-v3");
  const bool wide = has({"avx512f", "avx512bw", "avx512vl"});
  Say(wide ? State::kThere : State::kMissing, "AVX-512",
      wide ? StrCat("x86-64-v4 code runs", has({"avx512bf16"}) ? ", with bf16 products" : "",
                    has({"avx512vnni"}) ? ", with int8 products" : "")
           : "missing: twice the f32 rate of AVX2");
  const bool amx = has({"amx-tile"});
  Say(amx ? State::kThere : State::kMissing, "AMX",
      amx ? StrCat("tiles", has({"amx-bf16"}) ? " of bf16" : "", has({"amx-int8"}) ? ", int8" : "",
                   has({"amx-fp16"}) ? ", f16" : "")
          : "missing: the fast products of bf16 weights (Sapphire Rapids and later)");
  return base;
}

void SayMemory() {
  std::ifstream file("/proc/meminfo");
  std::string word, total, available;
  double kib;
  while (file >> word) {
    if (word == "MemTotal:" && file >> kib) total = HumanBytes(kib * 1024);
    if (word == "MemAvailable:" && file >> kib) available = HumanBytes(kib * 1024);
  }
  if (!total.empty()) Say(State::kThere, "memory", StrCat(available, " free of ", total));
  const std::string group = FirstLine("/sys/fs/cgroup/memory.max");
  if (!group.empty() && group != "max")
    Say(State::kThere, "memory limit",
        StrCat(HumanBytes(std::strtod(group.c_str(), nullptr)), " (cgroup)"));
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    Say(State::kThere, "address space",
        StrCat(HumanBytes(static_cast<double>(limit.rlim_cur)), " (ulimit -v)"));
  const std::string huge = FirstLine("/sys/kernel/mm/transparent_hugepage/enabled");
  const bool off = huge.empty() || huge.find("[never]") != std::string::npos;
  Say(off ? State::kMissing : State::kThere, "huge pages",
      off ? "off: first steps over large arenas take longer" : StrCat("transparent, ", huge));
}

void SayGpu() {
  void* driver = OpenLibrary({"libcuda.so.1"});
  auto* init = driver ? Symbol<int(unsigned)>(driver, "cuInit") : nullptr;
  auto* count_of = driver ? Symbol<int(int*)>(driver, "cuDeviceGetCount") : nullptr;
  auto* name_of = driver ? Symbol<int(char*, int, int)>(driver, "cuDeviceGetName") : nullptr;
  int count = 0;
  if (!driver) {
    Say(State::kMissing, "GPU", "libcuda.so.1 is not here: no NVIDIA driver");
  } else if (!init || !count_of || !name_of || init(0) != 0 || count_of(&count) != 0 || !count) {
    Say(State::kMissing, "GPU", "the NVIDIA driver is here, but offers no device");
  }
  for (int device = 0; device < count; ++device) {
    char name[256] = "?";
    name_of(name, sizeof(name), device);
    Say(State::kThere, "GPU", StrCat(device, ": ", name));
  }
  auto library = [](const char* what, std::initializer_list<const char*> names,
                    const char* purpose) {
    const bool there = OpenLibrary(names) != nullptr;
    Say(there ? State::kThere : State::kMissing, what,
        there ? "found" : StrCat(*names.begin(), " is not here: ", purpose));
  };
  library("NVRTC", {"libnvrtc.so.12", "libnvrtc.so.13", "libnvrtc.so"},
          "compiles CUDA kernels (CUDA toolkit)");
  auto products = cuda::CublasLt::Find();
  Say(!products.ok() ? State::kUnusable
      : *products    ? State::kThere
                     : State::kMissing,
      "cuBLASLt",
      !products.ok() ? Message(products.status())
      : *products    ? StrCat("found, ", (*products)->name())
                     : "libcublasLt.so.13 or .12 is not here (or ASHLAR_CUBLASLT is empty): plain "
                       "products on GPUs are the programs' own kernels'");
  auto nccl = nccl::Library::Open();
  const int version = nccl.ok() ? (*nccl)->version : 0;
  Say(nccl.ok() ? State::kThere : State::kMissing, "NCCL",
      nccl.ok() ? StrCat(version / 10000, ".", version / 100 % 100, ".", version % 100)
                : StrCat(Message(nccl.status()), "; for several GPUs"));
  library("MPI", {"libmpi.so.40", "libmpi.so.12", "libmpi.so"}, "several hosts (Open MPI)");
}

void SayCache() {
  const std::string directory = UserCacheDirectory();
  if (directory.empty())
    return Say(State::kMissing, "cache", "neither XDG_CACHE_HOME nor HOME is set");
  absl::Status made = MakeDirectories(directory);
  if (made.ok()) made = AtomicFileWriter::Create(directory + "/doctor").status();
  Say(made.ok() ? State::kThere : State::kUnusable, "cache", made.ok() ? directory : Message(made));
}

}  // namespace

int DoctorMain(const Arguments& args) {
  Options options("doctor",
                  "Says what this machine offers, and what is missing for what: `ok` is there, "
                  "`--` is not and need\nnot be, `!!` has to be mended. Exit code 1 where compiled "
                  "programs do not run.");
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  std::printf("ashlar %s\n", ASHLAR_VERSION);
  const bool runs = SayCpu();
  SayMemory();
  SayGpu();
  SayCache();
  Say(InterpretHook() ? State::kThere : State::kMissing, "compiler",
      InterpretHook() ? "built in" : "not in this build: it runs artifacts only");
  std::fflush(stdout);
  return runs ? kOk : kFailed;
}

}  // namespace ashlar
