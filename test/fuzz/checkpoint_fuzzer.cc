// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A directory: the first file of the input is the index, the others are model-1.safetensors and so
// on. Without any others two good shards lie there, with "a" and "b", so that the index is what is
// fuzzed.
#include "runtime/checkpoint/safetensors.h"
#include "runtime/testing/checkpoint_builder.h"
#include "test/fuzz/fuzz.h"

namespace ashlar::fuzz {
namespace {

std::string Shard(const std::string &tensor) {
  testing::CheckpointBuilder builder;
  builder.Add(tensor, DType::kF32, {2}, std::vector<float>{1, 2});
  return builder.Build();
}

constexpr char kIndex[] =
    R"({"metadata": {"total_size": 16},
 "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})";

} // namespace

std::vector<std::string> Seeds() {
  return {kIndex, kIndex + ("\n----\n" + Shard("a")) + "\n----\n" + Shard("b")};
}

} // namespace ashlar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace ashlar;
  static const fuzz::ScratchFolder folder;
  auto files = fuzz::SplitFiles({reinterpret_cast<const char *>(data), size});
  const std::string a = fuzz::Shard("a"), b = fuzz::Shard("b");
  if (files.size() == 1)
    files.insert(files.end(), {a, b});
  folder.Write("model.safetensors.index.json", files[0]);
  for (size_t i = 1; i < files.size() && i < 4; ++i)
    folder.Write("model-" + std::to_string(i) + ".safetensors", files[i]);
  auto checkpoint = Checkpoint::Open(folder.path());
  if (!checkpoint.ok())
    return 0;
  for (const TensorInfo &tensor : (*checkpoint)->tensors()) {
    std::string_view bytes = (*checkpoint)->Data(tensor);
    const std::string copy(bytes); // reads all of them
    fuzz::Require(copy.size() == tensor.bytes, "a tensor has the bytes that it says");
  }
  fuzz::Require(!(*checkpoint)->Data("no such tensor").ok() ||
                    (*checkpoint)->Find("no such tensor") != nullptr,
                "what is not there is not found");
  return 0;
}
