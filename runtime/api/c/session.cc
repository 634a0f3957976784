// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar.h: sessions and their steps.
#include "runtime/api/c/handles.h"

namespace ashlar::c_api {
namespace {

constexpr int32_t kMaxRank = 64;

absl::Status ReadInputs(const ashlar_tensor* inputs, size_t count, std::vector<Tensor>* tensors) {
  if (count > 0 && !inputs) return BadCall("inputs is null");
  tensors->resize(count);
  for (size_t i = 0; i < count; ++i) {
    ashlar_tensor given;
    ASHLAR_RETURN_IF_ERROR(ReadElement(inputs, i, "ashlar_tensor", &given));
    if (!given.name) return BadCall("input ", i, " has no name");
    if (given.dtype < 0 || given.dtype > ASHLAR_U64)
      return BadCall("input '", given.name, "': dtype ", given.dtype, " is none of ashlar_dtype");
    if (given.rank < 0 || given.rank > kMaxRank || (given.rank > 0 && !given.shape))
      return BadCall("input '", given.name, "': rank ", given.rank, ", or shape is null");
    // ashlar_dtype goes on after Bool as DType does.
    Tensor& tensor = (*tensors)[i];
    tensor.name = given.name;
    tensor.dtype = static_cast<DType>(given.dtype);
    tensor.shape.assign(given.shape, given.shape + given.rank);
    tensor.data = given.data;
  }
  return absl::OkStatus();
}

// Which of the entry's outputs the caller's `index`th is.
absl::StatusOr<size_t> ChooseOutput(const fb::EntryT& entry, const ashlar_tensor& given,
                                    size_t index) {
  if (!given.name && index < entry.outputs.size()) return index;
  for (size_t i = 0; i < entry.outputs.size() && given.name; ++i)
    if (entry.outputs[i]->name == given.name) return i;
  std::vector<std::string_view> names;
  for (const auto& output : entry.outputs) names.push_back(output->name);
  return BadCall("entry '", entry.name, "' has no output ",
                 given.name ? std::string_view(given.name) : "in this place", "; it has ",
                 StrJoin(names, ", "));
}

absl::Status CheckOutputs(const fb::EntryT& entry, ashlar_tensor* outputs, size_t count) {
  if (count > 0 && !outputs) return BadCall("outputs is null");
  for (size_t i = 0; i < count; ++i) {
    ashlar_tensor given;
    ASHLAR_RETURN_IF_ERROR(ReadElement(outputs, i, "ashlar_tensor", &given));
    if (auto chosen = ChooseOutput(entry, given, i); !chosen.ok()) return chosen.status();
  }
  return absl::OkStatus();
}

absl::Status WriteOutputs(const Session& session, const fb::EntryT& entry,
                          const std::vector<Tensor>& tensors, ashlar_tensor* outputs,
                          size_t count) {
  for (size_t i = 0; i < count; ++i) {
    ashlar_tensor given;
    ASHLAR_RETURN_IF_ERROR(ReadElement(outputs, i, "ashlar_tensor", &given));
    const size_t output = *ChooseOutput(entry, given, i);
    const Tensor& tensor = tensors[output];
    const uint64_t bytes = static_cast<uint64_t>(tensor.elements()) * DTypeSize(tensor.dtype);
    if (given.data && !session.Owns(given.data)) {
      if (given.bytes < bytes)
        return WithCode(ErrorCode::kBadBuffer,
                        InvalidArgument("output '", tensor.name, "' has ", bytes,
                                        " bytes at these extents, its buffer ", given.bytes,
                                        "; the step is done, and its outputs are in the session"));
      std::memcpy(given.data, tensor.data, bytes);
    } else {
      given.data = const_cast<void*>(tensor.data);
    }
    given.name = entry.outputs[output]->name.c_str();
    given.dtype = static_cast<int32_t>(tensor.dtype);
    given.rank = static_cast<int32_t>(tensor.shape.size());
    given.shape = tensor.shape.data();
    given.bytes = bytes;
    ASHLAR_RETURN_IF_ERROR(WriteStruct(given, "ashlar_tensor", Element(outputs, i)));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<std::chrono::steady_clock::time_point> DeadlineIn(int64_t timeout_us) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point now = Clock::now();
  const auto most =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::time_point::max() - now);
  if (timeout_us == 0 || timeout_us >= most.count()) return std::nullopt;
  return now + std::chrono::microseconds(timeout_us);
}

absl::StatusOr<std::unique_ptr<Session>> CreateSession(const ashlar_program& program,
                                                       const ashlar_session_options* options) {
  ashlar_session_options given;
  ASHLAR_RETURN_IF_ERROR(ReadStruct(options, "ashlar_session_options", &given));
  SessionOptions wanted;
  wanted.threads = given.threads;
  if (given.thread_pool) wanted.executor = given.thread_pool->executor;
  if (given.memory_pool) wanted.memory_pool = given.memory_pool->pool;
  wanted.buffer = given.buffer;
  wanted.buffer_bytes = given.buffer_bytes;
  return Session::Create(program.bound, wanted);
}

}  // namespace ashlar::c_api

using namespace ashlar;
using namespace ashlar::c_api;

ashlar_error* ashlar_session_create(const ashlar_program* program,
                                    const ashlar_session_options* options,
                                    ashlar_session** session) try {
  ASHLAR_C_REQUIRE(program && session, "program or session is null");
  *session = nullptr;
  auto made = CreateSession(*program, options);
  if (!made.ok()) return ToError(made.status());
  auto handle = std::make_unique<ashlar_session>();
  handle->session = *std::move(made);
  handle->entries.resize(program->entries.size());
  *session = handle.release();
  return nullptr;
} catch (...) {
  return CaughtError();
}

void ashlar_session_release(ashlar_session* session) { delete session; }

ashlar_error* ashlar_session_memory(const ashlar_session* session, ashlar_memory* memory) try {
  ASHLAR_C_REQUIRE(session, "session is null");
  MemoryUse use = session->session->memory();
  return ToError(WriteStruct(ashlar_memory{0, use.arena, use.scratch, use.state, use.weights},
                             "ashlar_memory", memory));
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_session_run(ashlar_session* session, const char* entry,
                                 const ashlar_tensor* inputs, size_t input_count,
                                 ashlar_tensor* outputs, size_t output_count,
                                 const ashlar_run_options* options) try {
  ASHLAR_C_REQUIRE(session && entry, "session or entry is null");
  Claim claim(session->busy);
  ASHLAR_C_REQUIRE(claim, "session: ", kInUse);
  ashlar_run_options given;
  ASHLAR_C_RETURN_IF_ERROR(ReadStruct(options, "ashlar_run_options", &given));
  ASHLAR_C_REQUIRE(given.timeout_us >= 0, "timeout_us is ", given.timeout_us);
  const Program& program = session->session->program();
  auto index = program.FindEntry(entry);
  if (!index.ok()) return ToError(index.status());
  const fb::EntryT& schema = *program.metadata().entries[*index];
  ashlar_session::Views& views = session->entries[*index];
  ASHLAR_C_RETURN_IF_ERROR(ReadInputs(inputs, input_count, &views.inputs));
  ASHLAR_C_RETURN_IF_ERROR(CheckOutputs(schema, outputs, output_count));
  RunOptions run;
  if (given.cancellation) run.cancellation = &given.cancellation->cancellation;
  run.deadline = DeadlineIn(given.timeout_us);
  ASHLAR_C_RETURN_IF_ERROR(session->session->Run(entry, views.inputs, &views.outputs, run));
  return ToError(WriteOutputs(*session->session, schema, views.outputs, outputs, output_count));
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_session_reset(ashlar_session* session) try {
  ASHLAR_C_REQUIRE(session, "session is null");
  Claim claim(session->busy);
  ASHLAR_C_REQUIRE(claim, "session: ", kInUse);
  session->session->Reset();
  return nullptr;
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_session_set_counter(ashlar_session* session, const char* state,
                                         int64_t value) try {
  ASHLAR_C_REQUIRE(session && state, "session or state is null");
  Claim claim(session->busy);
  ASHLAR_C_REQUIRE(claim, "session: ", kInUse);
  return ToError(session->session->SetCounter(state, value));
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_session_save(ashlar_session* session, const char* path) try {
  ASHLAR_C_REQUIRE(session && path, "session or path is null");
  Claim claim(session->busy);
  ASHLAR_C_REQUIRE(claim, "session: ", kInUse);
  return ToError(session->session->SaveState(path));
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_session_load(ashlar_session* session, const char* path) try {
  ASHLAR_C_REQUIRE(session && path, "session or path is null");
  Claim claim(session->busy);
  ASHLAR_C_REQUIRE(claim, "session: ", kInUse);
  return ToError(session->session->LoadState(path).status());
} catch (...) {
  return CaughtError();
}
