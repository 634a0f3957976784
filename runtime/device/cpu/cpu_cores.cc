// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/cpu_cores.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <string>

namespace ashlar {
namespace {

// A file of the system's; where memory is used up, reading throws in place of finding nothing.
std::ifstream OpenSystemFile(const std::string& path) {
  std::ifstream file(path);
  file.exceptions(std::ios::badbit);
  return file;
}

// The list of hyper-threads that share the CPU's core names the core; empty when the system does
// not say.
std::string CoreOf(int cpu) {
  std::ifstream file = OpenSystemFile("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                      "/topology/core_cpus_list");
  std::string list;
  std::getline(file, list);
  return list.empty() ? "cpu" + std::to_string(cpu) : list;
}

// CPUs' worth of time that cgroup v2 allows; a large number when there is no limit.
int CgroupQuota() {
  std::ifstream file = OpenSystemFile("/sys/fs/cgroup/cpu.max");
  double quota, period;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0)
    return 1 << 20;  // "max 100000" is no number
  return static_cast<int>(std::min(std::ceil(quota / period), 1e6));
}

// Bytes that cgroup v2 allows; INT64_MAX when there is no limit.
int64_t CgroupMemory() {
  std::ifstream file = OpenSystemFile("/sys/fs/cgroup/memory.max");
  int64_t bytes;
  return file >> bytes && bytes > 0 ? bytes : INT64_MAX;  // "max" is no number
}

int CountCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cores.insert(CoreOf(cpu));
  return std::max(1, std::min(static_cast<int>(cores.size()), CgroupQuota()));
}

}  // namespace

int64_t AvailableMemory() {
  int64_t machine = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return std::min(machine, CgroupMemory());
}

int64_t CacheBytes(int level, const std::string& directory) {
  int64_t largest = 0;
  for (int index = 0;; ++index) {
    const std::string cache = directory + "/index" + std::to_string(index) + "/";
    int its_level;
    std::string type;
    if (!(OpenSystemFile(cache + "level") >> its_level)) return largest;
    int64_t size;
    char unit = 0;
    if (its_level != level || !(OpenSystemFile(cache + "type") >> type) || type == "Instruction" ||
        !(OpenSystemFile(cache + "size") >> size >> unit) || size < 0 || size > 1 << 30)
      continue;
    largest = std::max(largest, unit == 'K' ? size << 10 : unit == 'M' ? size << 20 : 0);
  }
}

// The C library adds up the caches of all groups of cores, of which a core has one.
int64_t SecondLevelCacheBytes() {
  const int64_t bytes = CacheBytes(2);
  return bytes > 0 ? bytes : std::max<int64_t>(sysconf(_SC_LEVEL2_CACHE_SIZE), 0);
}

int64_t LastLevelCacheBytes() {
  for (int level : {3, 2})
    if (const int64_t bytes = CacheBytes(level); bytes > 0) return bytes;
  return std::max<int64_t>({sysconf(_SC_LEVEL3_CACHE_SIZE), sysconf(_SC_LEVEL2_CACHE_SIZE), 0});
}

int AvailableCores() {
  static const int cores = CountCores();  // reads a file per CPU
  return cores;
}

}  // namespace ashlar
