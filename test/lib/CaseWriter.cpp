// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/lib/CaseWriter.h"

#include "runtime/npy/npy.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <cstdlib>

namespace ashlar::test {

std::vector<std::string> CaseWriter::getArchs() {
  if (!std::getenv("ASHLAR_EXPORT_CASES"))
    return {};
  const char *named = std::getenv("ASHLAR_EXPORT_ARCHS");
  llvm::SmallVector<llvm::StringRef> archs;
  llvm::StringRef(named ? named : "sm_80,sm_90a").split(archs, ',');
  return {archs.begin(), archs.end()};
}

std::unique_ptr<CaseWriter> CaseWriter::create(llvm::StringRef artifact, bool hasNarrowWeights) {
  const char *root = std::getenv("ASHLAR_EXPORT_CASES");
  if (!root)
    return nullptr;
  std::unique_ptr<CaseWriter> writer(new CaseWriter());
  const testing::TestInfo *test = testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + "." + test->name();
  for (char &c : name)
    if (!llvm::isAlnum(c) && c != '.')
      c = '-';
  int number = 0; // of the modules of a test
  do {
    writer->folder = std::string(root) + "/" + name + "." + std::to_string(number++);
  } while (llvm::sys::fs::exists(writer->folder));
  // A device sums in another order, and its exp is an approximation; rounding to 16 bits between
  // products can go either way.
  writer->tolerance = hasNarrowWeights ? 0x1p-6 : 2e-4;
  if (std::error_code error = llvm::sys::fs::create_directories(writer->folder))
    ADD_FAILURE() << writer->folder << ": " << error.message();
  const std::string own = getArtifact(artifact);
  if (std::error_code error = llvm::sys::fs::copy_file(own, writer->folder + "/model.ashlar"))
    ADD_FAILURE() << writer->folder << ": " << error.message();
  llvm::sys::fs::remove(own);
  return writer;
}

std::string CaseWriter::writeArrays(llvm::ArrayRef<Tensor> tensors) {
  std::string text;
  for (const Tensor &tensor : tensors) {
    std::string file = std::to_string(arrays++) + ".npy";
    absl::Status status = WriteNpy(folder + "/" + file, tensor.dtype, tensor.shape, tensor.data);
    EXPECT_TRUE(status.ok()) << status;
    text += (text.empty() ? "" : ", ") + ("\"" + tensor.name + "\": \"" + file + "\"");
  }
  return "{" + text + "}";
}

void CaseWriter::addStep(llvm::StringRef entry, llvm::ArrayRef<Tensor> inputs,
                         llvm::ArrayRef<Tensor> outputs) {
  steps += (steps.empty() ? "" : ",\n") + ("  {\"entry\": \"" + entry.str() + "\", \"inputs\": ") +
           writeArrays(inputs) + ", \"outputs\": " + writeArrays(outputs) + "}";
}

CaseWriter::~CaseWriter() {
  if (testing::Test::HasFailure() || steps.empty()) {
    llvm::sys::fs::remove_directories(folder);
    return;
  }
  std::error_code error;
  llvm::raw_fd_ostream out(folder + "/case.json", error);
  out << "{\"tolerance\": " << tolerance << ", \"steps\": [\n" << steps << "\n]}\n";
}

} // namespace ashlar::test
