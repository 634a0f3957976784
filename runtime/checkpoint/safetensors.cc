// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/checkpoint/safetensors.h"

#include <algorithm>
#include <unordered_map>

#include "runtime/base/error_code.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/checkpoint/json_sax.h"

namespace ashlar {
namespace {

constexpr char kSingleName[] = "model.safetensors";
constexpr char kIndexName[] = "model.safetensors.index.json";
constexpr uint64_t kMaxIndexBytes = 100'000'000;
constexpr int kMaxDepth = 16;

// { "metadata": {anything}, "weight_map": {"name": "model-00001-of-00002.safetensors"} }
class IndexReader : public JsonSaxReader {
 public:
  std::unordered_map<std::string, std::string> weight_map;
  bool has_weight_map() const { return seen_weight_map_; }

 private:
  std::string Where() const override {
    return in_map_ ? StrCat("weight_map: expected the file name of tensor '", Printable(key_), "'")
                   : "expected an object with weight_map";
  }
  // Whether this event belongs to something that is skipped.
  bool Skipping() const { return depth_ > 1 && !in_map_; }
  bool Value(std::string_view what) {
    return Skipping() || (depth_ == 1 && key_ != "weight_map") ? true : Unexpected(what);
  }

  bool null() override { return Value("null"); }
  bool boolean(bool) override { return Value("a boolean"); }
  bool number_integer(number_integer_t) override { return Value("a number"); }
  bool number_unsigned(number_unsigned_t) override { return Value("a number"); }
  bool number_float(number_float_t, const string_t&) override { return Value("a number"); }
  bool string(string_t& value) override {
    if (!in_map_) return Value("a string");
    if (value.empty() || value.find('/') != std::string::npos ||
        value.find('\\') != std::string::npos || value.find('\0') != std::string::npos ||
        value == "." || value == "..")
      return Fail("weight_map: tensor '", Printable(key_), "' is said to be in '", Printable(value),
                  "', expected the name of a file in the same directory");
    if (!weight_map.emplace(key_, std::move(value)).second)
      return Fail("weight_map: tensor '", Printable(key_), "' occurs twice");
    return true;
  }
  bool start_object(size_t) override { return Open(true); }
  bool start_array(size_t) override { return Open(false); }
  bool Open(bool is_object) {
    if (in_map_ || (depth_ == 0 && !is_object))
      return Unexpected(is_object ? "an object" : "an array");
    if (depth_ == 1 && key_ == "weight_map") {
      if (!is_object) return Unexpected("an array");
      if (seen_weight_map_) return Fail("weight_map occurs twice");
      in_map_ = seen_weight_map_ = true;
    }
    if (++depth_ > kMaxDepth) return Fail("nested more than ", kMaxDepth, " deep");
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 1 || in_map_) key_ = std::move(name);
    return true;
  }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool Close() {
    in_map_ = false;
    --depth_;
    return true;
  }

  int depth_ = 0;
  bool in_map_ = false, seen_weight_map_ = false;
  std::string key_;
};

// Levenshtein distance of two names, capped where it stops to matter.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Checkpoint>> Checkpoint::Open(const std::string& directory) {
  std::shared_ptr<Checkpoint> checkpoint(new Checkpoint);
  checkpoint->directory_ = directory;
  std::string single = directory + "/" + kSingleName, index = directory + "/" + kIndexName;
  if (IsRegularFile(single)) {
    std::vector<TensorInfo> tensors;
    ASHLAR_RETURN_IF_ERROR(
        WithCode(ErrorCode::kBadCheckpoint, checkpoint->AddFile(kSingleName, &tensors)));
    checkpoint->Finish(std::move(tensors));
  } else if (IsRegularFile(index)) {
    ASHLAR_RETURN_IF_ERROR(WithCode(ErrorCode::kBadCheckpoint, checkpoint->OpenShards(index)));
  } else if (!IsDirectory(directory)) {
    return WithCode(ErrorCode::kCheckpointMissing,
                    NotFound(directory, ": not a directory with a checkpoint"));
  } else {
    bool pickled = IsRegularFile(directory + "/pytorch_model.bin") ||
                   IsRegularFile(directory + "/pytorch_model.bin.index.json");
    return WithCode(
        ErrorCode::kCheckpointMissing,
        NotFound(
            directory, ": expected ", kSingleName, " or ", kIndexName, ", found neither",
            pickled ? "; pytorch_model.bin is not read: save the model with safe_serialization=True"
                    : ""));
  }
  return std::shared_ptr<const Checkpoint>(checkpoint);
}

absl::Status Checkpoint::AddFile(const std::string& name, std::vector<TensorInfo>* tensors) {
  std::string path = directory_ + "/" + name;
  ASHLAR_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  ASHLAR_ASSIGN_OR_RETURN(SafetensorsHeader header, ParseSafetensorsHeader(path, file->bytes()));
  header_hash_ = Hash64(file->bytes().substr(0, header.header_bytes), header_hash_);
  for (TensorInfo& tensor : header.tensors) tensor.file = static_cast<int>(files_.size());
  metadata_.merge(header.metadata);
  files_.push_back(std::move(file));
  *tensors = std::move(header.tensors);
  return absl::OkStatus();
}

absl::Status Checkpoint::OpenShards(const std::string& index_path) {
  ASHLAR_ASSIGN_OR_RETURN(std::string text, ReadFile(index_path, kMaxIndexBytes));
  IndexReader reader;
  ASHLAR_RETURN_IF_ERROR(reader.Read(index_path, text));
  if (!reader.has_weight_map()) return DataLoss(index_path, ": no weight_map");
  std::vector<std::string> names;
  for (const auto& [tensor, file] : reader.weight_map) names.push_back(file);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());

  std::vector<TensorInfo> all;
  for (const std::string& name : names) {
    std::vector<TensorInfo> tensors;
    if (absl::Status status = AddFile(name, &tensors); !status.ok())
      return Annotate(status, StrCat("a shard of ", index_path));
    for (TensorInfo& tensor : tensors) {
      auto it = reader.weight_map.find(tensor.name);
      if (it == reader.weight_map.end() || it->second != name) continue;
      reader.weight_map.erase(it);
      all.push_back(std::move(tensor));
    }
  }
  if (!reader.weight_map.empty()) {
    auto first = std::min_element(reader.weight_map.begin(), reader.weight_map.end());
    return DataLoss(index_path, ": expected tensor '", Printable(first->first), "' in ",
                    first->second, ", which does not have it (", reader.weight_map.size(),
                    " missing in all)");
  }
  Finish(std::move(all));
  return absl::OkStatus();
}

void Checkpoint::Finish(std::vector<TensorInfo> tensors) {
  tensors_ = std::move(tensors);
  std::sort(tensors_.begin(), tensors_.end(),
            [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
}

absl::Status Checkpoint::CheckUnchanged() const {
  for (const auto& file : files_) ASHLAR_RETURN_IF_ERROR(file->CheckUnchanged());
  return absl::OkStatus();
}

const TensorInfo* Checkpoint::Find(std::string_view name) const {
  auto it = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const TensorInfo& tensor, std::string_view key) { return tensor.name < key; });
  return it != tensors_.end() && it->name == name ? &*it : nullptr;
}

std::string_view Checkpoint::Data(const TensorInfo& tensor) const {
  return files_[tensor.file]->bytes().substr(tensor.offset, tensor.bytes);
}

absl::StatusOr<std::string_view> Checkpoint::Data(std::string_view name) const {
  const TensorInfo* tensor = Find(name);
  if (!tensor) return MissingTensorError(name);
  return Data(*tensor);
}

absl::Status Checkpoint::MissingTensorError(std::string_view name) const {
  constexpr size_t kCompared = 20000, kLongest = 200;
  std::vector<std::pair<size_t, std::string>> similar;
  for (size_t i = 0; i < tensors_.size() && i < kCompared && name.size() < kLongest; ++i)
    if (tensors_[i].name.size() < kLongest)
      similar.emplace_back(EditDistance(name, tensors_[i].name), tensors_[i].name);
  std::sort(similar.begin(), similar.end());
  if (similar.size() > 3) similar.resize(3);
  std::string hint = StrCat("; it has ", tensors_.size(), " tensors");
  for (const auto& [distance, candidate] : similar)
    if (distance * 2 <= name.size())
      hint += StrCat(&similar[0].second == &candidate ? ", similar: " : ", ", candidate);
  return WithCode(ErrorCode::kTensorMissing,
                  NotFound(directory_, ": no tensor '", Printable(name, 200), "'", hint));
}

}  // namespace ashlar
