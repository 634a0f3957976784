// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading a checkpoint in the safetensors format: one file (model.safetensors) or several with an
// index (model.safetensors.index.json). Opening maps the files and reads their headers; the
// weights' bytes are touched only by who reads through Data(), so opening costs the same for a
// megabyte and for a terabyte.
//
// A file is 8 bytes of header length (little endian), a JSON header { name: {dtype, shape,
// data_offsets} } and the data. Files are not trusted: whatever is in them, the result is a
// checkpoint in which every tensor's bytes lie inside its file and fit its shape, or an error that
// names the file, the tensor, what was expected and what found.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/dtype.h"
#include "runtime/base/mapped_file.h"

namespace ashlar {

// One tensor as its header describes it, row-major.
struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  uint64_t offset = 0;  // of the first byte in the file, header included
  uint64_t bytes = 0;   // = elements of shape * size of dtype
  int file = 0;         // index into Checkpoint::files()
};

// The header of one file, checked: no overlaps, no holes, every tensor inside the file.
struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
  uint64_t header_bytes = 0;  // the length field and the header: where the data begins
};

// Parses what lies at the start of `file` (all of the file's bytes; only the header's are read).
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(const std::string& path,
                                                         std::string_view file);

// Immutable once opened, so usable from any thread.
class Checkpoint {
 public:
  // Opens DIRECTORY/model.safetensors, else the shards of DIRECTORY/model.safetensors.index.json,
  // whose tensors are the names in its weight_map. Errors: NotFound when neither is there (it says
  // what was looked for), DataLoss for what is malformed.
  static absl::StatusOr<std::shared_ptr<const Checkpoint>> Open(const std::string& directory);

  const std::string& directory() const { return directory_; }

  // All tensors, sorted by name.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  // Nothing (nullptr) when there is no such tensor.
  const TensorInfo* Find(std::string_view name) const;

  // Paths of the files, in the order of TensorInfo::file.
  const std::vector<std::shared_ptr<const MappedFile>>& files() const { return files_; }

  // The files' __metadata__, merged.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // 64-bit hash (XXH3) of all headers: changes when a name, dtype, shape or place does; not when
  // weights do.
  uint64_t HeaderHash() const { return header_hash_; }

  // The tensor's bytes, read from the file as they are touched; valid as long as the checkpoint.
  // NotFound names tensors with similar names.
  absl::StatusOr<std::string_view> Data(std::string_view name) const;
  std::string_view Data(const TensorInfo& tensor) const;

  // Error when a file was cut or written to since it was opened; for who has read all he wants.
  absl::Status CheckUnchanged() const;

  // Returns NotFound with the directory and the most similar names that are there.
  absl::Status MissingTensorError(std::string_view name) const;

 private:
  Checkpoint() = default;
  absl::Status AddFile(const std::string& name, std::vector<TensorInfo>* tensors);
  absl::Status OpenShards(const std::string& index_path);
  void Finish(std::vector<TensorInfo> tensors);

  std::string directory_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
  uint64_t header_hash_ = 0;
};

}  // namespace ashlar
