// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A session's saved state: whatever the file holds, the session goes on with a state that a step
// accepts.
#include "runtime/api/session.h"
#include "runtime/testing/tiny_decoder.h"
#include "test/fuzz/fuzz.h"

namespace ashlar::fuzz {
namespace {

// A decoder with a counter, which the file may set.
class Decoder {
public:
  Decoder() {
    const std::string path = folder_.path() + "/decoder.ashlar";
    Require(testing::TinyDecoder().Write(path).ok(), "the decoder is written");
    auto program = Program::Load(path);
    Require(program.ok(), "the decoder is loaded");
    SessionOptions options;
    options.threads = 1;
    auto session = Session::Create(*program, options);
    Require(session.ok(), "the decoder has a session");
    session_ = *std::move(session);
  }
  Session &session() { return *session_; }
  const ScratchFolder &folder() const { return folder_; }

private:
  ScratchFolder folder_;
  std::unique_ptr<Session> session_;
};

Decoder &TheDecoder() {
  static Decoder decoder;
  return decoder;
}

absl::Status Step(Session &session) {
  const int64_t id = 3;
  std::vector<Tensor> outputs;
  return session.Run("decode", {{"input_ids", DType::kI64, {1, 1}, &id}}, &outputs);
}

} // namespace

std::vector<std::string> Seeds() {
  Decoder &decoder = TheDecoder();
  const std::string path = decoder.folder().path() + "/seed";
  std::vector<std::string> seeds;
  for (int steps = 0; steps < 2; ++steps) {
    Require(Step(decoder.session()).ok(), "a step runs");
    Require(decoder.session().SaveState(path, "a note").ok(), "the state is saved");
    seeds.push_back(ReadWhole(path));
  }
  return seeds;
}

} // namespace ashlar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace ashlar;
  fuzz::Decoder &decoder = fuzz::TheDecoder();
  const std::string path =
      decoder.folder().Write("state", {reinterpret_cast<const char *>(data), size});
  auto note = decoder.session().LoadState(path);
  absl::Status status = fuzz::Step(decoder.session());
  // Without room for another token it says so; nothing else may have come of the file.
  fuzz::Require(status.ok() || absl::IsOutOfRange(status), "a step runs");
  if (!status.ok())
    decoder.session().Reset();
  return 0;
}
