// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/CostModel/Roofline.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace ashlar {

namespace {

/// A measured time of at most this many empty launches says nothing about the work.
constexpr double kNearLaunch = 4;

/// Of `items` on all threads, the threads that have work on average.
double getBusyThreads(int64_t items, int threads) {
  if (items <= 0)
    return 1;
  double rounds = std::ceil(static_cast<double>(items) / threads);
  return static_cast<double>(items) / rounds;
}

/// The rate of that many threads: they share what all cores have, and none exceeds one core's.
double getRate(const Rate &rate, double busy, int threads) {
  // A measurement may say that all cores together do a little more than that many single ones.
  double single = std::max(rate.one_core, rate.all_cores / threads);
  return std::min(rate.all_cores, single * busy);
}

std::string format(const char *pattern, double a, double b, double c = 0) {
  char text[200];
  std::snprintf(text, sizeof(text), pattern, a, b, c);
  return text;
}

} // namespace

double getSeconds(double flops, double bytes, const MachineConstants &machine) {
  return std::max(flops / (machine.f32.one_core / 2), bytes / machine.read.one_core) +
         machine.launch_seconds;
}

bool isRecomputingCheaper(double flops, double bytes, double repeats, double storedBytes,
                          const MachineConstants &machine) {
  double recompute = flops * repeats / (machine.f32.one_core / 2);
  double store = getSeconds(flops, bytes + storedBytes, machine) +
                 storedBytes * repeats / machine.read.one_core;
  return recompute < store;
}

Residency getResidency(double weightBytes, double arenaBytes, double stateBytes,
                       const MachineConstants &machine) {
  double room = machine.cache_bytes / 2;
  Residency residency;
  residency.arena = arenaBytes <= room;
  residency.state = arenaBytes + stateBytes <= room;
  residency.weights = arenaBytes + stateBytes + weightBytes <= room;
  return residency;
}

const char *getName(Limit limit) {
  return limit == Limit::Compute ? "compute" : limit == Limit::Memory ? "memory" : "launch";
}

double Prediction::getSeconds() const {
  return launchSeconds + std::max(computeSeconds, memorySeconds) +
         exposed * std::min(computeSeconds, memorySeconds);
}

Limit Prediction::getLimit() const {
  if (launchSeconds >= std::max(computeSeconds, memorySeconds))
    return Limit::Launch;
  return computeSeconds > memorySeconds ? Limit::Compute : Limit::Memory;
}

Prediction predict(const Work &work, const Residency &residency, const MachineConstants &machine,
                   const CodeShares &shares) {
  double busy = getBusyThreads(work.items, machine.threads);
  auto rate = [&](const Rate &both) { return getRate(both, busy, machine.threads); };
  auto bandwidth = [&](bool cached) { return rate(cached ? machine.cache : machine.read); };
  // Constants of another machine may know nothing of it.
  const Rate &bf16 = (machine.*shares.bf16).one_core > 0 ? machine.*shares.bf16 : machine.f32;
  double share = work.weight_read > 0 ? shares.weightProduct : shares.valueProduct;
  Prediction prediction;
  prediction.busy = busy / machine.threads;
  prediction.exposed = shares.exposed;
  prediction.computeSeconds = (work.product_flops - work.bf16_flops) / (share * rate(machine.f32)) +
                              work.bf16_flops / (shares.bf16Product * rate(bf16)) +
                              work.elementwise_flops / (rate(machine.f32) / 2) +
                              work.transcendentals / rate(machine.exp);
  prediction.memorySeconds = work.weight_read / bandwidth(residency.weights) +
                             (work.arena_read + work.arena_write) / bandwidth(residency.arena) +
                             (work.state_read + work.state_write) / bandwidth(residency.state);
  prediction.launchSeconds = machine.launch_seconds;
  return prediction;
}

CodeShares getShares(const std::vector<std::string> &features) {
  auto has = [&](const char *feature) {
    return std::find(features.begin(), features.end(), feature) != features.end();
  };
  CodeShares shares;
  if (has("amx-bf16")) {
    shares.bf16 = &MachineConstants::bf16_tile;
    shares.bf16Product = 0.45;
  } else if (has("avx512bf16")) {
    shares.bf16 = &MachineConstants::bf16_dot;
    shares.bf16Product = 0.85;
  }
  return shares;
}

std::string explain(const Work &work, const Residency &residency, double measuredSeconds,
                    const MachineConstants &machine, const CodeShares &shares) {
  double flops = work.flops(), bytes = work.bytes();
  if (flops + bytes == 0)
    return "nothing to do";
  Prediction prediction = predict(work, residency, machine, shares);
  if (measuredSeconds <= kNearLaunch * machine.launch_seconds)
    return format("launch: %.1f times an empty one of %.2f us",
                  measuredSeconds / machine.launch_seconds, machine.launch_seconds * 1e6);
  // What most of the arithmetic is held against.
  const bool isBf16 = 2 * work.bf16_flops > flops && shares.bf16 != &MachineConstants::f32 &&
                      (machine.*shares.bf16).one_core > 0;
  const double peak = (isBf16 ? machine.*shares.bf16 : machine.f32).all_cores;
  std::string reason;
  if (prediction.memorySeconds > prediction.computeSeconds) {
    double ridge = peak / machine.read.all_cores;
    double reached = bytes / measuredSeconds;
    reason = format("memory: %.1f flop/byte (ridge %.0f), ", flops / bytes, ridge) +
             format("%.1f GB/s, %.0f %% of the read bandwidth", reached * 1e-9,
                    100 * reached / machine.read.all_cores);
    if (reached > machine.read.all_cores)
      reason += ": from a cache";
  } else {
    reason = format("compute: %.0f GFLOP/s, %.0f %% of ", flops / measuredSeconds * 1e-9,
                    100 * flops / measuredSeconds / peak) +
             (isBf16 ? "the bf16 peak" : "the FMA peak");
    double waiting = prediction.exposed * prediction.memorySeconds / prediction.getSeconds();
    if (waiting > 0.1)
      reason +=
          format("; waiting for reads takes %.0f %% of the time by the model", 100 * waiting, 0);
  }
  if (prediction.busy < 0.9)
    reason += format("; imbalance: %.0f items keep %.0f %% of %.0f threads busy",
                     static_cast<double>(work.items), 100 * prediction.busy, machine.threads);
  return reason;
}

} // namespace ashlar
