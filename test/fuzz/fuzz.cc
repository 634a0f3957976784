// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace ashlar::fuzz {

ScratchFolder::ScratchFolder() {
  const std::filesystem::path memory = "/dev/shm";
  const std::filesystem::path parent =
      std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
  path_ = (parent / ("ashlar_fuzz_XXXXXX")).string();
  Require(mkdtemp(path_.data()) != nullptr, "a folder for files");
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ScratchFolder::Write(const std::string &name, std::string_view bytes) const {
  std::string path = path_ + "/" + name;
  // A new file each time: the old one may still be mapped.
  unlink(path.c_str());
  int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  Require(descriptor >= 0, "a file in the scratch folder");
  Require(write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
          "room in the scratch folder");
  close(descriptor);
  return path;
}

std::string ReadWhole(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> ReadTree(const std::string &folder, std::string_view suffix) {
  const std::filesystem::path root = std::filesystem::path(ASHLAR_SOURCE_DIR) / folder;
  std::vector<std::string> paths;
  if (std::filesystem::is_directory(root))
    for (const auto &file : std::filesystem::recursive_directory_iterator(root)) {
      const std::string path = file.path().string();
      if (file.is_regular_file() && path.size() >= suffix.size() &&
          path.compare(path.size() - suffix.size(), suffix.size(), suffix) == 0)
        paths.push_back(path);
    }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> contents;
  for (const std::string &path : paths)
    contents.push_back(ReadWhole(path));
  return contents;
}

std::vector<std::string_view> SplitFiles(std::string_view input) {
  constexpr std::string_view kSeparator = "\n----\n";
  std::vector<std::string_view> files;
  for (size_t at; (at = input.find(kSeparator)) != std::string_view::npos;) {
    files.push_back(input.substr(0, at));
    input.remove_prefix(at + kSeparator.size());
  }
  files.push_back(input);
  return files;
}

void Require(bool condition, const char *what) {
  if (condition)
    return;
  std::fprintf(stderr, "fuzzer: not true: %s\n", what);
  std::abort();
}

} // namespace ashlar::fuzz
