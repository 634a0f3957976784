// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One value of a JSON file that is not trusted, and its name in messages:
//
//   tokenizer.json: model.unk_token: expected a string, found 7
#pragma once

#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar {

class JsonField {
 public:
  // Reads a file whose root is an object. Nesting beyond 32 and files beyond 64 MiB are errors.
  static absl::StatusOr<JsonField> ReadFile(const std::string& path);
  static absl::StatusOr<JsonField> Parse(const std::string& path, const std::string& text);

  // The member of that name, the item at that place; absent where there is none.
  JsonField operator[](const std::string& key) const;
  JsonField At(size_t index) const;
  // Items of an array, members of an object, else 0.
  size_t size() const;
  // Whether there is anything; null counts as nothing.
  bool present() const { return value_ && !value_->is_null(); }
  bool Is(const char* text) const;

  absl::StatusOr<std::string> String() const;
  absl::StatusOr<bool> Bool() const;
  // An integer in 0..2^31-1.
  absl::StatusOr<int64_t> Index() const;
  absl::StatusOr<int64_t> IndexOr(int64_t otherwise) const;
  // Any finite number.
  absl::StatusOr<double> Number() const;
  bool IsZero() const;
  absl::StatusOr<std::string> StringOr(const std::string& otherwise) const;
  absl::StatusOr<bool> BoolOr(bool otherwise) const;
  absl::Status CheckArray() const;
  // An object with no keys but these; the error names the one that is too many.
  absl::Status CheckObject(std::initializer_list<const char*> keys) const;

  // DataLoss "<path>: <name>: expected <what>, found <value>".
  absl::Status Expected(const std::string& what) const;
  // Unimplemented "<path>: <name>: ...": understood, but not supported.
  absl::Status Unsupported(const std::string& what) const;

  const std::string& path() const { return *path_; }
  // Where this is in the file, "model.merges[3]".
  const std::string& name() const { return name_; }
  const nlohmann::json* value() const { return value_; }

 private:
  std::string Found() const;

  std::shared_ptr<const std::string> path_;
  std::shared_ptr<const nlohmann::json> root_;
  const nlohmann::json* value_ = nullptr;
  std::string name_;
};

}  // namespace ashlar
