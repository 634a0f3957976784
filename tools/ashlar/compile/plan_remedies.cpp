// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <functional>

#include "llvm/Support/Format.h"
#include "tools/ashlar/compile/plan.h"

using namespace mlir;

namespace ashlar {
namespace {

// Changes the options, made again and again until the plan fits, and says how they are given; empty
// where there is no more to change.
using Remedy = std::function<std::string(PlanOptions&)>;

// "1..4" after halving the most.
std::string Halve(const char* option, DimBounds& bounds) {
  if (bounds.maximum < 2) return "";
  bounds.maximum /= 2;
  bounds.minimum = std::min(bounds.minimum, bounds.maximum);
  return std::string(option) + " " + std::to_string(bounds.minimum) + ".." +
         std::to_string(bounds.maximum);
}

// The mesh with twice as many ranks along tp.
std::string DoubleMesh(std::string& mesh) {
  const size_t at = mesh.find("tp=");
  if (at == std::string::npos) {
    mesh += ",tp=2";
  } else {
    const size_t end = std::min(mesh.find(',', at), mesh.size());
    const int64_t ranks = std::atoll(mesh.c_str() + at + 3);
    mesh.replace(at, end - at, "tp=" + std::to_string(2 * ranks));
  }
  return "--mesh " + mesh;
}

std::vector<Remedy> GetRemedies(const PlanOptions& options) {
  std::vector<Remedy> remedies;
  remedies.push_back([](PlanOptions& o) { return Halve("--batch", o.import.batch); });
  if (options.import.seq)
    remedies.push_back([](PlanOptions& o) { return Halve("--seq", *o.import.seq); });
  if (options.import.context)
    remedies.push_back([](PlanOptions& o) -> std::string {
      if (*o.import.context < 2) return "";
      *o.import.context /= 2;
      std::string option = "--context " + std::to_string(*o.import.context);
      if (!o.import.seq || o.import.seq->maximum <= *o.import.context) return option;
      o.import.seq->maximum = *o.import.context;
      o.import.seq->minimum = std::min(o.import.seq->minimum, o.import.seq->maximum);
      return option + " --seq " + std::to_string(o.import.seq->minimum) + ".." +
             std::to_string(o.import.seq->maximum);
    });
  if (options.import.weights != WeightType::BF16)
    remedies.push_back([](PlanOptions& o) -> std::string {
      if (o.import.weights == WeightType::BF16) return "";
      o.import.weights = WeightType::BF16;
      return "--dtype bf16";
    });
  if (options.import.cache == CacheElement::Auto || options.import.cache == CacheElement::F32)
    remedies.push_back([](PlanOptions& o) -> std::string {
      if (o.import.cache == CacheElement::BF16) return "";
      o.import.cache = CacheElement::BF16;
      return "--cache-type bf16";
    });
  if (!options.distribution.isAutomatic)
    remedies.push_back([](PlanOptions& o) -> std::string {
      if (o.distribution.isAutomatic) return "";
      o.distribution.isAutomatic = true;
      return "--auto";
    });
  if (options.devices > 0)
    remedies.push_back([](PlanOptions& o) {
      o.devices *= 2;
      return "--devices " + std::to_string(o.devices);
    });
  else if (!options.distribution.mesh.empty())
    remedies.push_back([](PlanOptions& o) { return DoubleMesh(o.distribution.mesh); });
  return remedies;
}

}  // namespace

void PrintRemedies(const PlanOptions& options) {
  constexpr int kMostSteps = 3;
  // A remedy's price is that of a plan made with a part of the work, since there are many to make.
  constexpr int64_t kRemedyShare = 20;
  llvm::errs() << "what would fit, one change at a time:\n";
  bool any = false;
  for (const Remedy& remedy : GetRemedies(options)) {
    PlanOptions changed = options;
    changed.says_how = false;
    changed.work_limit /= kRemedyShare;
    std::string option;
    for (int step = 0; step < kMostSteps; ++step) {
      option = remedy(changed);
      if (option.empty()) break;
      CompilerContext compiler;
      compiler.is_quiet = true;
      auto planned = MakePlan(changed, compiler);
      if (failed(planned) && compiler.codes.getLast() == ErrorCode::kOverMemory) continue;
      if (failed(planned)) break;  // the model does not allow it
      any = true;
      llvm::errs() << llvm::format(
          "  %-24s %10.2f MiB a device", option.c_str(),
          static_cast<double>(planned->memory.getTotal(options.threads)) / (1 << 20));
      for (const distribution::StepReport& step : planned->steps)
        llvm::errs() << llvm::format(", %s %.1f us", step.entry.c_str(), step.seconds * 1e6);
      llvm::errs() << "\n";
      break;
    }
  }
  if (!any) llvm::errs() << "  none of them up to a factor of " << (1 << kMostSteps) << "\n";
}

}  // namespace ashlar
