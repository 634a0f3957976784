// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar check: runs cases that were made elsewhere, each an artifact with inputs and the outputs
// that are expected, on a device of this machine. What the execute tests are, where there is no
// compiler: they write the cases (test/lib/Execution.h).
//
//   FOLDER/NAME/model.ashlar
//   FOLDER/NAME/case.json     {"tolerance": 1e-4, "steps": [{"entry": "f", "inputs": {"x":
//                             "0.x.npy"}, "outputs": {"y": "0.y.npy"}}, ...]}
//
// The steps of a case run in one session, one after the other.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/device/cuda/device.h"
#include "runtime/npy/npy.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// An element of a type that IsComparable.
double ElementAt(DType dtype, const void* data, int64_t i) {
  switch (dtype) {
    case DType::kF32:
      return static_cast<const float*>(data)[i];
    case DType::kBF16:
      return BF16ToF32(static_cast<const uint16_t*>(data)[i]);
    case DType::kF16:
      return F16ToF32(static_cast<const uint16_t*>(data)[i]);
    case DType::kI64:
      return static_cast<double>(static_cast<const int64_t*>(data)[i]);
    case DType::kI32:
      return static_cast<const int32_t*>(data)[i];
    case DType::kBool:
      return static_cast<const uint8_t*>(data)[i];
    default:
      return std::nan("");
  }
}

bool IsComparable(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16 ||
         dtype == DType::kI64 || dtype == DType::kI32 || dtype == DType::kBool;
}

// Found and expected differ by at most the tolerance times the largest number that is expected;
// what is not a finite number is the same.
absl::Status Compare(const Tensor& found, const NpyArray& expected, double tolerance) {
  if (found.shape != expected.shape)
    return DataLoss("output '", found.name, "': found [", StrJoin(found.shape, ", "),
                    "], expected [", StrJoin(expected.shape, ", "), "]");
  DType stored = found.dtype == DType::kBF16 ? DType::kF32 : found.dtype;  // npy has no bf16
  if (stored != expected.dtype || !IsComparable(found.dtype))
    return DataLoss("output '", found.name, "': found ", DTypeName(found.dtype), ", the file has ",
                    DTypeName(expected.dtype), "; an output is compared with its own type: F32 ",
                    "(BF16 as F32), F16, I64, I32 or BOOL");
  double largest = 0, worst = 0;
  int64_t at = -1;
  for (int64_t i = 0; i < found.elements(); ++i) {
    double e = ElementAt(expected.dtype, expected.bytes.data(), i);
    if (std::isfinite(e)) largest = std::max(largest, std::abs(e));
  }
  for (int64_t i = 0; i < found.elements(); ++i) {
    double e = ElementAt(expected.dtype, expected.bytes.data(), i);
    double f = ElementAt(found.dtype, found.data, i);
    bool same = f == e || (f != f && e != e);
    double difference = same ? 0 : std::isfinite(f) && std::isfinite(e) ? std::abs(f - e) : 1e300;
    if (difference > worst) worst = difference, at = i;
  }
  if (worst <= tolerance * largest) return absl::OkStatus();
  return DataLoss(
      "output '", found.name, "', element ", at, ": found ", ElementAt(found.dtype, found.data, at),
      ", expected ", ElementAt(expected.dtype, expected.bytes.data(), at), "; off by ",
      worst / (largest > 0 ? largest : 1), " of the largest, ", tolerance, " is allowed");
}

// {"NAME": "FILE", ...}
bool IsNamedFiles(const json& files) {
  return files.is_object() &&
         std::all_of(files.begin(), files.end(), [](const json& file) { return file.is_string(); });
}

// Why a description is no case; empty where it is one.
std::string FindFault(const json& description) {
  if (!description.is_object() || !description.contains("tolerance") ||
      !description["tolerance"].is_number() || !description.contains("steps") ||
      !description["steps"].is_array() || description["steps"].empty())
    return "no case with a tolerance and at least one step";
  for (const json& step : description["steps"])
    if (!step.is_object() || !step.contains("entry") || !step["entry"].is_string() ||
        !step.contains("inputs") || !IsNamedFiles(step["inputs"]) || !step.contains("outputs") ||
        !IsNamedFiles(step["outputs"]) || step["outputs"].empty())
      return "a step has an entry, inputs and outputs: names with files, at least one output";
  return "";
}

absl::Status RunStep(Session& session, const fs::path& folder, const json& step, double tolerance) {
  std::vector<NpyArray> arrays;
  std::vector<Tensor> inputs, outputs;
  arrays.reserve(step.at("inputs").size());
  for (const auto& [name, file] : step.at("inputs").items()) {
    ASHLAR_ASSIGN_OR_RETURN(auto array, ReadNpy(folder / file.get<std::string>()));
    arrays.push_back(std::move(array));
    const NpyArray& kept = arrays.back();
    inputs.push_back({name, kept.dtype, kept.shape, kept.bytes.data()});
  }
  ASHLAR_RETURN_IF_ERROR(session.Run(step.at("entry").get<std::string>(), inputs, &outputs));
  for (const auto& [name, file] : step.at("outputs").items()) {
    ASHLAR_ASSIGN_OR_RETURN(auto expected, ReadNpy(folder / file.get<std::string>()));
    auto found = std::find_if(outputs.begin(), outputs.end(),
                              [&, &name = name](const Tensor& t) { return t.name == name; });
    if (found == outputs.end()) return DataLoss("no output '", name, "'");
    ASHLAR_RETURN_IF_ERROR(Compare(*found, expected, tolerance));
  }
  return absl::OkStatus();
}

absl::Status RunCase(const fs::path& folder, const SessionRequest& request) {
  ASHLAR_ASSIGN_OR_RETURN(std::string text,
                          ReadFile((folder / "case.json").string(), uint64_t{1} << 20));
  const json description = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (std::string fault = FindFault(description); !fault.empty())
    return DataLoss((folder / "case.json").string(), ": ", fault);
  SessionRequest own = request;
  own.artifact = (folder / "model.ashlar").string();
  ASHLAR_ASSIGN_OR_RETURN(auto session, OpenSession(own));
  for (size_t i = 0; i < description["steps"].size(); ++i) {
    absl::Status status =
        RunStep(*session, folder, description["steps"][i], description["tolerance"].get<double>());
    if (!status.ok()) return Annotate(status, StrCat("step ", i));
  }
  return absl::OkStatus();
}

}  // namespace

int CheckMain(const Arguments& args) {
  SessionRequest request;
  std::string folder, filter;
  Options options("check",
                  "Runs cases, artifacts with inputs and expected outputs, and compares; prints\n"
                  "\"N passed, N failed\", or \"unsupported\" where the device is not there.",
                  "example:\n  ashlar check cases --device cuda");
  options.Positional("FOLDER", "the cases, a folder each", &folder);
  options.Add("--filter", "TEXT", "only cases with this in their name", &filter);
  options.AddThreads(&request.threads);
  request.AddDeviceTo(options);
  if (std::optional<int> code = options.Parse(args)) return *code;
  if (request.device == "cuda")
    if (auto device = cuda::Device::Open(0); !device.ok()) {
      std::cout << "unsupported: " << Message(device.status()) << "\n";
      return kOk;
    }
  std::set<fs::path> cases;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (fs::exists(entry.path() / "case.json") &&
        entry.path().filename().string().find(filter) != std::string::npos)
      cases.insert(entry.path());
  if (cases.empty())
    return Fail(NotFound("no cases in ", folder, "; the execute tests write them"));
  int passed = 0, failed = 0;
  for (const fs::path& path : cases) {
    absl::Status status = RunCase(path, request);
    ++(status.ok() ? passed : failed);
    if (!status.ok())
      std::cout << "FAILED " << path.filename().string() << ": " << Message(status) << std::endl;
  }
  std::cout << passed << " passed, " << failed << " failed\n";
  return failed ? kFailed : kOk;
}

}  // namespace ashlar
