// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// forward X.ashlar ID...: one step of `forward` on one sequence of token ids, through the C++
// classes.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "runtime/api/session.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

namespace {

absl::Status Forward(const char *path, const std::vector<int64_t> &ids) {
  ASHLAR_ASSIGN_OR_RETURN(auto program, ashlar::BoundProgram::Load(path, {}));
  ASHLAR_ASSIGN_OR_RETURN(auto session, ashlar::Session::Create(program, {}));
  std::vector<ashlar::Tensor> outputs;
  const int64_t length = static_cast<int64_t>(ids.size());
  ASHLAR_RETURN_IF_ERROR(session->Run(
      "forward", {{"input_ids", ashlar::DType::kI64, {1, length}, ids.data()}}, &outputs));
  for (const ashlar::Tensor &output : outputs) {
    std::printf("%s %s", output.name.c_str(), ashlar::ShapeToString(output.shape).c_str());
    for (int64_t i = 0; output.dtype == ashlar::DType::kF32 && i < 4 && i < output.elements(); ++i)
      std::printf(" %.6f", output.as<float>()[i]);
    std::printf("\n");
  }
  return absl::OkStatus();
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: forward X.ashlar ID...\n");
    return 2;
  }
  std::vector<int64_t> ids;
  for (int i = 2; i < argc; ++i)
    ids.push_back(std::atoll(argv[i]));
  absl::Status status = Forward(argv[1], ids);
  if (status.ok())
    return 0;
  std::fprintf(stderr, "forward: error: %s [%s]\n", ashlar::Message(status).c_str(),
               ashlar::ErrorName(ashlar::CodeOf(status)).c_str());
  return 1;
}
