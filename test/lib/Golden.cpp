// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/lib/Golden.h"

#include "compiler/Interpreter/Npy.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace ashlar::test {

using interpreter::Array;
using interpreter::NamedArray;

static std::string getGoldens() {
  const char *elsewhere = std::getenv("ASHLAR_GOLDENS");
  return elsewhere ? elsewhere : ASHLAR_GOLDENS;
}

bool isOwnGoldens() { return getGoldens() == ASHLAR_GOLDENS; }

static std::vector<std::string> listFiles(StringRef directory) {
  std::vector<std::string> names;
  std::error_code code;
  for (llvm::sys::fs::directory_iterator it(directory, code), end; it != end && !code;
       it.increment(code))
    names.push_back(llvm::sys::path::filename(it->path()).str());
  llvm::sort(names);
  return names;
}

static std::optional<llvm::json::Object> readCase(const std::string &name) {
  auto text = llvm::MemoryBuffer::getFile(getGoldens() + "/" + name + "/case.json");
  if (!text)
    return std::nullopt;
  return *llvm::cantFail(llvm::json::parse((*text)->getBuffer())).getAsObject();
}

std::vector<std::string> listGoldens(bool cachedOnly) {
  std::vector<std::string> cases;
  for (const std::string &name : listFiles(getGoldens()))
    if (auto about = readCase(name);
        about && (!cachedOnly || about->getBoolean("cached").value_or(false)))
      cases.push_back(name);
  return cases;
}

std::string getTestName(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

void Golden::SetUp() {
  directory = getGoldens() + "/" + GetParam();
  auto about = readCase(GetParam());
  ASSERT_TRUE(about);
  ImportOptions options;
  options.directory = directory;
  options.head = about->getString("head").value_or("").str();
  options.batch = {1, 3};
  options.seq = DimBounds{1, 12};
  options.context = 14;
  options.weights = weights;
  options.cache = cache;
  module = importHuggingFace(context, options);
  ASSERT_TRUE(module);
}

std::shared_ptr<const Array> Golden::load(const std::string &file) {
  auto array = interpreter::readNpy(&context, directory + "/" + file);
  EXPECT_TRUE(bool(array)) << llvm::toString(array.takeError());
  return std::make_shared<const Array>(array ? std::move(*array)
                                             : Array(IntegerType::get(&context, 64), {0}));
}

std::shared_ptr<const Array> Golden::loadInput(StringRef name) {
  return load("inputs/" + name.str() + ".npy");
}

std::vector<NamedArray> Golden::loadInputs() {
  std::vector<NamedArray> inputs;
  for (const std::string &file : listFiles(directory + "/inputs"))
    inputs.push_back({llvm::sys::path::stem(file).str(), load("inputs/" + file)});
  return inputs;
}

void Golden::expectAnswers(ArrayRef<NamedArray> results, double tolerance) {
  std::vector<std::string> expected = listFiles(directory + "/expected");
  EXPECT_EQ(results.size(), expected.size());
  for (const NamedArray &result : results) {
    SCOPED_TRACE(result.name);
    ASSERT_TRUE(llvm::is_contained(expected, result.name + ".npy"));
    EXPECT_EQ(
        interpreter::compare(*result.array, *load("expected/" + result.name + ".npy"), tolerance),
        "");
  }
}

} // namespace ashlar::test
