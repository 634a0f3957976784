// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/json_field.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr uint64_t kMaxBytes = 64 << 20;
constexpr int kMaxDepth = 32;

}  // namespace

absl::StatusOr<JsonField> JsonField::ReadFile(const std::string& path) {
  ASHLAR_ASSIGN_OR_RETURN(std::string text, ashlar::ReadFile(path, kMaxBytes));
  return Parse(path, text);
}

absl::StatusOr<JsonField> JsonField::Parse(const std::string& path, const std::string& text) {
  bool too_deep = false;
  auto check = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep |= depth > kMaxDepth;
    return !too_deep;  // what is refused is not kept
  };
  auto root = std::make_shared<nlohmann::json>(
      nlohmann::json::parse(text, check, /*allow_exceptions=*/false));
  if (too_deep) return DataLoss(path, ": nested more than ", kMaxDepth, " levels deep");
  if (root->is_discarded()) return DataLoss(path, ": malformed JSON");
  JsonField field;
  field.path_ = std::make_shared<const std::string>(path);
  field.root_ = root;
  field.value_ = root.get();
  if (!root->is_object()) return field.Expected("an object");
  return field;
}

JsonField JsonField::operator[](const std::string& key) const {
  JsonField member = *this;
  member.name_ = name_.empty() ? key : name_ + "." + key;
  member.value_ = nullptr;
  if (!value_ || !value_->is_object()) return member;
  auto it = value_->find(key);
  if (it != value_->end()) member.value_ = &*it;
  return member;
}

JsonField JsonField::At(size_t index) const {
  JsonField item = *this;
  item.name_ = StrCat(name_, "[", index, "]");
  item.value_ =
      value_ && value_->is_array() && index < value_->size() ? &(*value_)[index] : nullptr;
  return item;
}

size_t JsonField::size() const {
  return value_ && (value_->is_array() || value_->is_object()) ? value_->size() : 0;
}

bool JsonField::Is(const char* text) const {
  return value_ && value_->is_string() && value_->get_ref<const std::string&>() == text;
}

absl::StatusOr<std::string> JsonField::String() const {
  if (!value_ || !value_->is_string()) return Expected("a string");
  return value_->get_ref<const std::string&>();
}

absl::StatusOr<bool> JsonField::Bool() const {
  if (!value_ || !value_->is_boolean()) return Expected("true or false");
  return value_->get<bool>();
}

absl::StatusOr<int64_t> JsonField::Index() const {
  if (!value_ || !value_->is_number_unsigned() || value_->get<uint64_t>() > INT32_MAX)
    return Expected("an integer in 0..2147483647");
  return value_->get<int64_t>();
}

absl::StatusOr<int64_t> JsonField::IndexOr(int64_t otherwise) const {
  return present() ? Index() : otherwise;
}

absl::StatusOr<double> JsonField::Number() const {
  if (!value_ || !value_->is_number() || !std::isfinite(value_->get<double>()))
    return Expected("a number");
  return value_->get<double>();
}

bool JsonField::IsZero() const {
  return value_ && value_->is_number() && value_->get<double>() == 0;
}

absl::StatusOr<std::string> JsonField::StringOr(const std::string& otherwise) const {
  return present() ? String() : otherwise;
}

absl::StatusOr<bool> JsonField::BoolOr(bool otherwise) const {
  return present() ? Bool() : otherwise;
}

absl::Status JsonField::CheckArray() const {
  return value_ && value_->is_array() ? absl::OkStatus() : Expected("an array");
}

absl::Status JsonField::CheckObject(std::initializer_list<const char*> keys) const {
  if (!value_ || !value_->is_object()) return Expected("an object");
  for (const auto& member : value_->items()) {
    const std::string& key = member.key();
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      return (*this)[Printable(key)].Unsupported("this field is not supported");
  }
  return absl::OkStatus();
}

absl::Status JsonField::Expected(const std::string& what) const {
  return DataLoss(path(), ": ", name_, name_.empty() ? "" : ": ", "expected ", what, ", found ",
                  Found());
}

absl::Status JsonField::Unsupported(const std::string& what) const {
  return Unimplemented(path(), ": ", name_, ": ", what);
}

std::string JsonField::Found() const {
  if (!value_) return "nothing";
  if (value_->is_object()) return "an object";
  if (value_->is_array()) return "an array";
  return Printable(value_->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace ashlar
