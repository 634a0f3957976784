// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/workload.h"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/program/describe.h"
#include "runtime/program/extent.h"

namespace ashlar {

namespace {

// One line on what the cache did; nothing where it was not asked for.
void ReportCache(const CacheOutcome& outcome) {
  if (!outcome.note.empty()) std::cerr << "warning: " << outcome.note << "\n";
  if (outcome.use == CacheUse::kMapped)
    std::cerr << "weights: mapped from " << outcome.path << "\n";
  if (outcome.use == CacheUse::kStored)
    std::cerr << "weights: packed and kept in " << outcome.path << "\n";
}

}  // namespace

void SessionRequest::AddCacheTo(Options& options) {
  options.AddOptional("--cache", "DIR",
                      "keep packed weights in DIR and map them from there the next time (default:\n"
                      "no; --cache alone: $XDG_CACHE_HOME/ashlar or ~/.cache/ashlar)",
                      kUserCache, &cache);
}

void SessionRequest::AddDeviceTo(Options& options) {
  options.Add("--device", "cpu|cuda|cuda-emulator",
              "what runs the kernels: the CPU, the first GPU, or the CUDA emulator, which checks\n"
              "every access (default: cpu)",
              &device);
}

absl::StatusOr<std::unique_ptr<Session>> OpenSession(const SessionRequest& request) {
  constexpr uint64_t kNotable = uint64_t{512} << 20;
  ASHLAR_ASSIGN_OR_RETURN(auto program, Program::Load(request.artifact));
  const fb::ProgramT& metadata = program->metadata();
  bool packs =
      metadata.weight_source != fb::WeightSource::Embedded || !request.weights_directory.empty();
  if (packs && request.cache.empty() && metadata.weights_bytes >= kNotable)
    std::cerr << "packing " << HumanBytes(static_cast<double>(metadata.weights_bytes))
              << " of weights ...\n";
  SessionOptions options;
  options.threads =
      static_cast<int>(std::min<int64_t>(request.threads, ThreadPool::kMaxThreads + 1));
  options.weights_directory = request.weights_directory;
  options.device = request.device;
  options.profile = request.profile;
  options.cache.directory = request.cache == kUserCache ? UserCacheDirectory() : request.cache;
  options.cache.verify = request.verify_cache;
  if (!request.cache.empty() && options.cache.directory.empty())
    return InvalidArgument(
        "--cache: neither XDG_CACHE_HOME nor HOME is set; name a directory, --cache=DIR");
  ASHLAR_ASSIGN_OR_RETURN(auto session, Session::Create(program, options));
  ReportCache(session->weights()->cache());
  return session;
}

absl::StatusOr<std::vector<int64_t>> ChooseDims(const fb::ProgramT& program,
                                                const std::map<std::string, int64_t>& chosen) {
  std::map<std::string, int64_t> rest = chosen;
  std::vector<int64_t> dims;
  for (const auto& dim : program.dims) {
    auto it = rest.find(dim->name);
    if (it == rest.end()) {
      int64_t wish = dim->name == "seq" ? 128 : dim->name == "batch" ? 1 : dim->minimum;
      dims.push_back(std::clamp(wish, dim->minimum, dim->maximum));
      continue;
    }
    if (it->second < dim->minimum || it->second > dim->maximum)
      return OutOfRange("'", dim->name, "' is ", it->second, ", the artifact was compiled for ",
                        dim->minimum, "..", dim->maximum);
    dims.push_back(it->second);
    rest.erase(it);
  }
  if (!rest.empty())
    return InvalidArgument("the artifact has no dimension '", rest.begin()->first, "'; it has ",
                           program.dims.empty() ? "none" : DescribeDims(program));
  return dims;
}

SyntheticInputs::SyntheticInputs(const fb::EntryT& entry, const std::vector<int64_t>& dims) {
  for (const auto& value : entry.inputs) {
    if (value->default_kind != fb::Default::Required) continue;
    Tensor tensor;
    tensor.name = value->name;
    for (const auto& extent : value->shape) tensor.shape.push_back(Evaluate(*extent, dims.data()));
    size_t count = static_cast<size_t>(tensor.elements());
    if (IsInteger(static_cast<DType>(value->dtype))) {
      int64_t range = value->maximum ? Evaluate(*value->maximum, dims.data()) - value->minimum : 1;
      std::vector<int64_t> elements(count);
      for (size_t i = 0; i < count; ++i)
        elements[i] =
            value->minimum + static_cast<int64_t>(i * 7919 % (std::max<int64_t>(range, 0) + 1));
      integers_.push_back(std::move(elements));
      tensor.dtype = DType::kI64;
      tensor.data = integers_.back().data();
    } else {
      floats_.emplace_back(count);
      tensor.data = floats_.back().data();
    }
    tensors_.push_back(std::move(tensor));
  }
}

absl::Status SetContext(Session& session, const fb::EntryT& entry, const std::vector<int64_t>& dims,
                        int64_t context) {
  for (const auto& limit : entry.limits) {
    const fb::StateT& state = *session.program().metadata().states[limit->state];
    int64_t add = Evaluate(*limit->add, dims.data());
    if (context > limit->limit - add)
      return OutOfRange("a context of ", context, " and a step of ", add, " are more than '",
                        state.name, "' may hold, ", limit->limit);
    ASHLAR_RETURN_IF_ERROR(session.SetCounter(state.name, context));
  }
  return absl::OkStatus();
}

int64_t DefaultContext(const fb::EntryT& entry, const std::vector<int64_t>& dims) {
  int64_t context = entry.name == "decode" ? 128 : 0;
  for (const auto& limit : entry.limits)
    context = std::min(context, limit->limit - Evaluate(*limit->add, dims.data()));
  return std::max<int64_t>(context, 0);
}

namespace {

std::string Scaled(double value, double base, const char* const* units) {
  int unit = 0;
  while (value >= base && units[unit + 1]) value /= base, ++unit;
  char text[64];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f%s" : "%.2f%s", value, units[unit]);
  return text;
}

}  // namespace

double StateShare(const fb::EntryT& entry, const std::vector<int64_t>& dims, int64_t context) {
  double share = 1;
  for (const auto& limit : entry.limits)
    share = std::min(share, static_cast<double>(context + Evaluate(*limit->add, dims.data())) /
                                static_cast<double>(std::max<int64_t>(limit->limit, 1)));
  return share;
}

std::string HumanBytes(double bytes) {
  static const char* const kUnits[] = {" B", " KiB", " MiB", " GiB", " TiB", nullptr};
  return Scaled(bytes, 1024, kUnits);
}

std::string HumanCount(double count) {
  static const char* const kUnits[] = {"", " k", " M", " G", " T", " P", nullptr};
  return Scaled(count, 1000, kUnits);
}

}  // namespace ashlar
