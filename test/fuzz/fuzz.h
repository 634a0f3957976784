// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a fuzzer is: one function that reads hostile bytes, and inputs to begin with. The same
// sources become a test that replays corpus, seeds and mutations of both, and, with libFuzzer, a
// program that looks for more (README.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Reads the bytes as the reader under test would; must return 0, whatever they are. A defect ends
// the process.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace ashlar::fuzz {

// Good inputs, beside those in the corpus: what is made by the build rather than kept.
std::vector<std::string> Seeds();

// A folder of this process in memory, for readers that want files.
class ScratchFolder {
public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder &) = delete;
  ScratchFolder &operator=(const ScratchFolder &) = delete;

  const std::string &path() const { return path_; }
  // Replaces the file; returns its path.
  std::string Write(const std::string &name, std::string_view bytes) const;

private:
  std::string path_;
};

// The contents of a file.
std::string ReadWhole(const std::string &path);

// The contents of all files below a folder of the checkout whose names end so, in the order of
// their paths.
std::vector<std::string> ReadTree(const std::string &folder, std::string_view suffix);

// An input that stands for several files: they are separated by lines of "----".
std::vector<std::string_view> SplitFiles(std::string_view input);

// Ends the process unless the condition holds: for what no input may bring about.
void Require(bool condition, const char *what);

} // namespace ashlar::fuzz
