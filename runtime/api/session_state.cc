// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A session's state from outside: counters, sequences, and its file.
#include <algorithm>
#include <cstring>
#include <limits>

#include "runtime/api/session.h"
#include "runtime/api/state_file.h"
#include "runtime/base/error_code.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/program/cut.h"
#include "runtime/program/states.h"

namespace ashlar {
namespace {

int64_t Elements(const fb::StateT& counter) {
  return static_cast<int64_t>(counter.bytes / sizeof(int64_t));
}

}  // namespace

// What no entry lets the counter go beyond.
int64_t Session::CounterLimit(const fb::StateT& state) const {
  int64_t most = std::numeric_limits<int64_t>::max();
  for (const auto& entry : program().metadata().entries)
    for (const auto& limit : entry->limits)
      if (program().metadata().states[limit->state].get() == &state)
        most = std::min(most, limit->limit);
  return most;
}

absl::StatusOr<const fb::StateT*> Session::FindCounter(std::string_view name) const {
  std::vector<std::string_view> counters;
  for (const auto& state : program().metadata().states) {
    if (state->dtype != fb::DType::I64) continue;
    if (state->name == name) return state.get();
    counters.push_back(state->name);
  }
  return WithCode(ErrorCode::kNoSuchState,
                  NotFound("no I64 state '", name, "'; there are: ", StrJoin(counters, ", ")));
}

absl::Status Session::CheckCounter(const fb::StateT& state, int64_t value) const {
  const int64_t most = CounterLimit(state);
  if (value >= 0 && value <= most) return absl::OkStatus();
  return WithCode(ErrorCode::kBadCounter,
                  OutOfRange("'", state.name, "' cannot be ", value, ", only 0..", most));
}

// How the ranks share the sequences that the counter counts, as the limits on it have them.
const std::vector<fb::Cut>* Session::SequenceCuts(const fb::StateT& state) const {
  const fb::ProgramT& metadata = program().metadata();
  for (const auto& entry : metadata.entries)
    for (const auto& limit : entry->limits) {
      if (metadata.states[limit->state].get() != &state) continue;
      for (uint16_t dim : limit->rows->dims)
        if (metadata.dims[dim]->whole) return &metadata.dims[dim]->cuts;
    }
  return nullptr;
}

bool Session::shares_sequences() const {
  for (const auto& state : program().metadata().states)
    if (SequenceCuts(*state)) return true;
  return false;
}

absl::Status Session::SetCounter(std::string_view name, int64_t value) {
  ASHLAR_ASSIGN_OR_RETURN(const fb::StateT* state, FindCounter(name));
  ASHLAR_RETURN_IF_ERROR(CheckCounter(*state, value));
  for (const auto* sessions : {&peers_, &earlier_})
    for (const auto& each : *sessions) ASHLAR_RETURN_IF_ERROR(each->SetCounter(name, value));
  std::fill_n(reinterpret_cast<int64_t*>(state_ + state->offset), Elements(*state), value);
  interrupted_ = false;
  return absl::OkStatus();
}

absl::Status Session::SetCounters(std::string_view name, const std::vector<int64_t>& values) {
  ASHLAR_ASSIGN_OR_RETURN(const fb::StateT* state, FindCounter(name));
  for (int64_t value : values) ASHLAR_RETURN_IF_ERROR(CheckCounter(*state, value));
  CutRange own{0, static_cast<int64_t>(values.size())};
  if (const auto* cuts = SequenceCuts(*state))
    own = GetPart(own.size, *cuts, PartOf(*cuts, bound_->rank()));
  if (own.size > Elements(*state))
    return WithCode(ErrorCode::kBadCounter, OutOfRange("'", name, "' has ", Elements(*state),
                                                       " elements, ", own.size, " are given"));
  for (const auto* sessions : {&peers_, &earlier_})
    for (const auto& each : *sessions) ASHLAR_RETURN_IF_ERROR(each->SetCounters(name, values));
  std::copy_n(values.begin() + own.begin, own.size,
              reinterpret_cast<int64_t*>(state_ + state->offset));
  interrupted_ = false;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> Session::Counters(std::string_view name) const {
  ASHLAR_ASSIGN_OR_RETURN(const fb::StateT* state, FindCounter(name));
  if (SequenceCuts(*state))
    return Unimplemented("reading '", name, "', of which each rank has a part, is not supported");
  const int64_t* data = reinterpret_cast<const int64_t*>(state_ + state->offset);
  return std::vector<int64_t>(data, data + Elements(*state));
}

int64_t Session::sequences() const { return SequenceRoom(program().metadata()); }

absl::Status Session::CopySequence(int64_t from, int64_t to) {
  if (shares_sequences())
    return Unimplemented(
        "copying a sequence's state from one rank to another is not supported; compile with a "
        "--mesh without an axis that shares the sequences");
  const int64_t count = sequences();
  if (from < 0 || from >= count || to < 0 || to >= count)
    return OutOfRange("sequence ", from, " cannot be copied to ", to, ": there is room for ",
                      count);
  if (from == to) return absl::OkStatus();
  for (const auto& state : program().metadata().states) {
    const uint64_t bytes = state->bytes / static_cast<uint64_t>(count);
    const uint64_t source = state->offset + static_cast<uint64_t>(from) * bytes;
    const uint64_t target = state->offset + static_cast<uint64_t>(to) * bytes;
    if (launcher_->has_state() && state->dtype != fb::DType::I64) {
      absl::Status status = launcher_->CopyState(target, source, bytes);
      interrupted_ |= !status.ok();  // a part of the sequence may be the other's
      ASHLAR_RETURN_IF_ERROR(status);
    } else {
      std::memcpy(state_ + target, state_ + source, bytes);
    }
  }
  for (const auto* sessions : {&peers_, &earlier_})
    for (const auto& each : *sessions)
      if (each->sequences() > 0) ASHLAR_RETURN_IF_ERROR(each->CopySequence(from, to));
  return absl::OkStatus();
}

// The sessions of all ranks, this one first; of a process that is one rank among others only one.
std::vector<const Session*> Session::Ranks() const {
  std::vector<const Session*> ranks = {this};
  for (const auto& peer : peers_) ranks.push_back(peer.get());
  return ranks;
}

std::vector<const Session*> Session::Stages() const {
  std::vector<const Session*> stages;
  for (const Session* rank : Ranks()) {
    for (const auto& earlier : rank->earlier_) stages.push_back(earlier.get());
    stages.push_back(rank);
  }
  return stages;
}

bool Session::has_state() const {
  return planned_.state > 0 || std::any_of(earlier_.begin(), earlier_.end(),
                                           [](const auto& each) { return each->has_state(); });
}

absl::Status Session::CheckStateIsHere(const char* what) const {
  if (static_cast<int64_t>(Ranks().size()) == RankCount(program().metadata()))
    return absl::OkStatus();
  return Unimplemented(what,
                       " is not supported where ranks are processes of their own; run all of them "
                       "in one (--devices)");
}

// The programs of all ranks to the last extent, and some of their weights: those of two checkpoints
// with the same headers differ everywhere.
uint64_t Session::StateIdentity() const {
  Hasher hasher;
  for (const Session* rank : Stages()) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(fb::Program::Pack(builder, &rank->program().metadata()));
    hasher.Update({reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()});
    constexpr uint64_t kSamples = 256, kSampleBytes = 1024;
    const Weights& own = rank->weights();
    const uint64_t step = std::max<uint64_t>(own.bytes() / kSamples, kSampleBytes);
    for (uint64_t at = 0; at < own.bytes(); at += step)
      hasher.Update({own.data() + at, std::min(kSampleBytes, own.bytes() - at)});
  }
  return hasher.Digest();
}

absl::Status Session::SaveState(const std::string& path, std::string_view note) const {
  ASHLAR_RETURN_IF_ERROR(CheckStateIsHere("saving a session's state"));
  std::vector<std::string_view> states;
  for (const Session* rank : Stages()) {
    if (rank->interrupted_)
      return WithCode(ErrorCode::kInterrupted,
                      FailedPrecondition("the last step was stopped halfway; there is no state "
                                         "that could be saved"));
    ASHLAR_RETURN_IF_ERROR(rank->launcher_->ReadState());
    states.emplace_back(rank->state_, rank->planned_.state);
  }
  return WriteStateFile(path, StateIdentity(), note, states);
}

absl::StatusOr<std::string> Session::LoadState(const std::string& path) {
  ASHLAR_RETURN_IF_ERROR(CheckStateIsHere("restoring a session's state"));
  const std::vector<const Session*> ranks = Stages();
  std::vector<uint64_t> bytes;
  for (const Session* rank : ranks) bytes.push_back(rank->planned_.state);
  ASHLAR_ASSIGN_OR_RETURN(StateFile file, StateFile::Open(path, StateIdentity(), bytes));
  for (size_t i = 0; i < ranks.size(); ++i)
    for (const auto& state : ranks[i]->program().metadata().states) {
      if (state->dtype != fb::DType::I64) continue;
      std::vector<int64_t> values(Elements(*state));
      file.Read(state->offset, state->bytes, reinterpret_cast<char*>(values.data()), i);
      for (int64_t value : values)
        if (absl::Status status = ranks[i]->CheckCounter(*state, value); !status.ok())
          return Annotate(status, path);
    }
  interrupted_ = true;  // until all of it is there
  for (size_t i = 0; i < ranks.size(); ++i) {
    file.Read(0, bytes[i], ranks[i]->state_, i);
    ASHLAR_RETURN_IF_ERROR(ranks[i]->launcher_->WriteState());
  }
  interrupted_ = false;
  return std::string(file.note());
}

}  // namespace ashlar
