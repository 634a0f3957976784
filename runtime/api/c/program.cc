// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar.h: programs.
#include "runtime/api/c/handles.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/program/describe.h"
#include "runtime/program/extent.h"

namespace ashlar::c_api {
namespace {

ashlar_program::Value Show(const fb::ProgramT& program, const fb::ValueT& value,
                           const std::vector<int64_t>& maxima) {
  ashlar_program::Value shown;
  for (const auto& extent : value.shape) {
    shown.bound.push_back(Evaluate(*extent, maxima.data()));
    shown.dimensions.push_back(IsPlainDim(*extent) ? extent->dims[0] : -1);
  }
  shown.description = Describe(program, value);
  return shown;
}

std::vector<ashlar_program::Entry> ShowEntries(const fb::ProgramT& program) {
  std::vector<int64_t> maxima;
  for (const auto& dim : program.dims) maxima.push_back(dim->maximum);
  std::vector<ashlar_program::Entry> entries;
  for (const auto& entry : program.entries) {
    ashlar_program::Entry& shown = entries.emplace_back();
    for (const auto& input : entry->inputs) shown.inputs.push_back(Show(program, *input, maxima));
    for (const auto& output : entry->outputs)
      shown.outputs.push_back(Show(program, *output, maxima));
  }
  return entries;
}

// The input or output at `index`, where `values` and `shown` are what the entry has.
absl::Status WriteValue(const std::vector<std::unique_ptr<fb::ValueT>>& values,
                        const std::vector<ashlar_program::Value>& shown, size_t index,
                        ashlar_value* out) {
  if (index >= values.size())
    return BadCall("index ", index, " of ", values.size(), " inputs or outputs");
  const fb::ValueT& value = *values[index];
  ashlar_value full = {};
  full.name = value.name.c_str();
  full.dtype = static_cast<int32_t>(value.dtype);
  full.rank = static_cast<int32_t>(value.shape.size());
  full.bound = shown[index].bound.data();
  full.dimensions = shown[index].dimensions.data();
  full.bytes = value.bytes;
  full.required = value.default_kind == fb::Default::Required;
  full.description = shown[index].description.c_str();
  return WriteStruct(full, "ashlar_value", out);
}

absl::StatusOr<int> FindEntry(const ashlar_program* program, const char* entry) {
  if (!program || !entry) return BadCall("program or entry is null");
  return program->bound->program().FindEntry(entry);
}

}  // namespace
}  // namespace ashlar::c_api

using namespace ashlar;
using namespace ashlar::c_api;

ashlar_error* ashlar_program_load(const char* path, const ashlar_program_options* options,
                                  ashlar_program** program) try {
  ASHLAR_C_REQUIRE(path && program, "path or program is null");
  *program = nullptr;
  ashlar_program_options given;
  ASHLAR_C_RETURN_IF_ERROR(ReadStruct(options, "ashlar_program_options", &given));
  BindOptions bind;
  if (given.weights_directory) bind.weights_directory = given.weights_directory;
  if (given.cache_directory) bind.cache.directory = given.cache_directory;
  if (given.device) bind.device = given.device;
  if (given.sha256) bind.trust.sha256 = given.sha256;
  if (given.public_key) bind.trust.public_key = given.public_key;
  if (given.threads) bind.executor = given.threads->executor;
  if (given.log)
    bind.log = [log = given.log, context = given.log_context](LogLevel level,
                                                              const std::string& message) {
      log(context, level == LogLevel::kWarning ? 1 : 0, message.c_str());
    };
  auto bound = BoundProgram::Load(path, bind);
  if (!bound.ok()) return ToError(bound.status());
  auto entries = ShowEntries((*bound)->program().metadata());
  *program = new ashlar_program{*std::move(bound), std::move(entries)};
  return nullptr;
} catch (...) {
  return CaughtError();
}

void ashlar_program_release(ashlar_program* program) { delete program; }

const char* ashlar_program_property(const ashlar_program* program, const char* key) {
  if (!program || !key) return nullptr;
  for (const auto& property : program->bound->program().metadata().properties)
    if (property->key == key) return property->value.c_str();
  return nullptr;
}

size_t ashlar_program_dimensions(const ashlar_program* program) {
  return program ? program->bound->program().metadata().dims.size() : 0;
}

ashlar_error* ashlar_program_dimension(const ashlar_program* program, size_t index,
                                       ashlar_dimension* dimension) try {
  ASHLAR_C_REQUIRE(program, "program is null");
  const auto& dims = program->bound->program().metadata().dims;
  ASHLAR_C_REQUIRE(index < dims.size(), "index ", index, " of ", dims.size(), " dimensions");
  ashlar_dimension full = {};
  full.name = dims[index]->name.c_str();
  full.minimum = dims[index]->minimum;
  full.maximum = dims[index]->maximum;
  return ToError(WriteStruct(full, "ashlar_dimension", dimension));
} catch (...) {
  return CaughtError();
}

size_t ashlar_program_entries(const ashlar_program* program) {
  return program ? program->bound->program().metadata().entries.size() : 0;
}

const char* ashlar_program_entry(const ashlar_program* program, size_t index) {
  if (index >= ashlar_program_entries(program)) return nullptr;
  return program->bound->program().metadata().entries[index]->name.c_str();
}

ashlar_error* ashlar_program_values(const ashlar_program* program, const char* entry,
                                    size_t* inputs, size_t* outputs) try {
  auto index = FindEntry(program, entry);
  if (!index.ok()) return ToError(index.status());
  if (inputs) *inputs = program->entries[*index].inputs.size();
  if (outputs) *outputs = program->entries[*index].outputs.size();
  return nullptr;
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_program_input(const ashlar_program* program, const char* entry, size_t index,
                                   ashlar_value* value) try {
  auto found = FindEntry(program, entry);
  if (!found.ok()) return ToError(found.status());
  return ToError(WriteValue(program->bound->program().metadata().entries[*found]->inputs,
                            program->entries[*found].inputs, index, value));
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_program_output(const ashlar_program* program, const char* entry, size_t index,
                                    ashlar_value* value) try {
  auto found = FindEntry(program, entry);
  if (!found.ok()) return ToError(found.status());
  return ToError(WriteValue(program->bound->program().metadata().entries[*found]->outputs,
                            program->entries[*found].outputs, index, value));
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_program_memory(const ashlar_program* program, int32_t threads,
                                    ashlar_memory* memory) try {
  ASHLAR_C_REQUIRE(program, "program is null");
  ASHLAR_C_REQUIRE(threads >= 0 && threads <= ThreadPool::kMaxThreads, "threads: expected 0..",
                   ThreadPool::kMaxThreads, ", found ", threads);
  MemoryUse use = PlanMemory(program->bound->program().metadata(), ThreadPool(threads).size());
  return ToError(WriteStruct(ashlar_memory{0, use.arena, use.scratch, use.state, use.weights},
                             "ashlar_memory", memory));
} catch (...) {
  return CaughtError();
}
