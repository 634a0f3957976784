// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/workload.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/communicator/mpi.h"
#include "runtime/communicator/mpi_library.h"
#include "runtime/communicator/tcp.h"
#include "runtime/device/cpu/cpu_cores.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/program/cut.h"
#include "runtime/program/describe.h"
#include "runtime/program/extent.h"

namespace ashlar {

namespace {

void PrintLog(LogLevel level, const std::string& message) {
  std::cerr << (level == LogLevel::kWarning ? "warning: " : "") << message << "\n";
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
              "what runs the kernels: the CPU, the first GPU (of several ranks each has one, and\n"
              "NCCL), or the CUDA emulator, which checks every access (default: cpu)",
              &device);
}

void SessionRequest::AddTrustTo(Options& options) {
  options.Add("--sha256", "HEX", "refuse an artifact with another hash (as sha256sum prints it)",
              &trust.sha256);
  options.Add(
      "--public-key", "FILE",
      "refuse an artifact that is not signed with this key, as `minisign -Sm ARTIFACT`\ndoes",
      &public_key_file);
}

absl::StatusOr<std::string> SessionRequest::CacheDirectory() const {
  std::string directory = cache == kUserCache ? UserCacheDirectory() : cache;
  if (!cache.empty() && directory.empty())
    return InvalidArgument(
        "--cache: neither XDG_CACHE_HOME nor HOME is set; name a directory, --cache=DIR");
  return directory;
}

void SessionRequest::AddRanksTo(Options& options) {
  options.Add(
      "--devices", "N",
      "the ranks of an artifact that was compiled for several (--mesh): an error where it\n"
      "is for another number (default: as many as it is for). They run in this process, or\n"
      "one in each of those that `mpirun -n N` or `torchrun --no-python` has started",
      &devices);
  options.Add("--deadline", "SECONDS",
              "how long a rank may show no sign of life before all end (default: 4)", &deadline,
              /*most=*/86400);
}

namespace {

std::shared_ptr<Communicator>& Processes() {
  static std::shared_ptr<Communicator> processes;
  return processes;
}

// Joins the processes that mpirun or another launcher has started, where the program is for several
// ranks.
absl::Status JoinRanks(int ranks, SessionOptions* options, BindOptions* bind) {
  const bool mpi = mpi::IsUnderMpirun();
  if (ranks == 1 || (!mpi && !IsUnderLauncher())) return absl::OkStatus();
  const auto deadline = options->deadline.count() > 0 ? options->deadline : kRankDeadline;
  ASHLAR_ASSIGN_OR_RETURN(Processes(), mpi ? JoinMpi(deadline) : JoinTcp(deadline));
  if (Processes()->size() != ranks)
    return InvalidArgument(mpi ? "mpirun" : "the launcher", " has started ", Processes()->size(),
                           " processes, and the artifact is for ", ranks, " ranks");
  ReportTermination();
  options->communicator = Processes();
  bind->rank = Processes()->rank();
  if (const char* local = std::getenv(mpi ? "OMPI_COMM_WORLD_LOCAL_RANK" : "LOCAL_RANK"))
    options->gpu = std::atoi(local);
  if (const char* local = std::getenv(mpi ? "OMPI_COMM_WORLD_LOCAL_SIZE" : "LOCAL_WORLD_SIZE");
      local && options->threads == 0)
    options->threads = std::max(1, AvailableCores() / std::max(1, std::atoi(local)));
  if (IsFollower() && !std::freopen("/dev/null", "w", stdout))
    return absl::InternalError("cannot write to /dev/null");
  return absl::OkStatus();
}

}  // namespace

bool IsFollower() { return Processes() && Processes()->rank() > 0; }
void LeaveRanks() { Processes().reset(); }

absl::StatusOr<std::unique_ptr<Session>> OpenSession(const SessionRequest& request) {
  TrustPolicy trust = request.trust;
  if (!request.public_key_file.empty()) {
    ASHLAR_ASSIGN_OR_RETURN(trust.public_key, ReadPublicKey(request.public_key_file));
  }
  ASHLAR_ASSIGN_OR_RETURN(auto program, Program::Load(request.artifact, trust));
  SessionOptions options;
  options.threads = static_cast<int>(request.threads);
  options.profile = request.profile;
  BindOptions bind;
  bind.log = PrintLog;
  bind.device = request.device;
  bind.weights_directory = request.weights_directory;
  ASHLAR_ASSIGN_OR_RETURN(bind.cache.directory, request.CacheDirectory());
  const int ranks = RankCount(program->metadata());
  if (request.devices > 0 && request.devices != ranks)
    return InvalidArgument("--devices ", request.devices, ": ", request.artifact, " is for ", ranks,
                           ranks == 1 ? " device" : " devices",
                           "; `ashlar compile --mesh` says for how many");
  options.deadline = std::chrono::seconds(request.deadline);
  ASHLAR_RETURN_IF_ERROR(JoinRanks(ranks, &options, &bind));
  ASHLAR_ASSIGN_OR_RETURN(auto session, Session::Create(program, options, bind));
  if (!session->library().empty())
    PrintLog(LogLevel::kInfo, StrCat("plain products: ", session->library()));
  return session;
}

absl::StatusOr<std::vector<int64_t>> ChooseDims(const fb::ProgramT& program,
                                                const std::map<std::string, int64_t>& chosen) {
  std::map<std::string, int64_t> rest = chosen;
  std::vector<int64_t> dims;
  for (const auto& dim : program.dims) {
    if (dim->whole) {  // what the first rank holds
      dims.push_back(GetPart(Evaluate(*dim->whole, dims.data()), dim->cuts, 0).size);
      continue;
    }
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

double StateShare(const fb::ProgramT& program, const fb::EntryT& entry,
                  const std::vector<int64_t>& dims, int64_t context) {
  double share = 1, sequences = 1;
  for (size_t i = 0; i < dims.size(); ++i)
    if (program.dims[i]->name == "batch")
      sequences = static_cast<double>(dims[i]) / static_cast<double>(program.dims[i]->maximum);
  for (const auto& limit : entry.limits)
    share = std::min(share, static_cast<double>(context + Evaluate(*limit->add, dims.data())) /
                                static_cast<double>(std::max<int64_t>(limit->limit, 1)));
  return share * sequences;
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
