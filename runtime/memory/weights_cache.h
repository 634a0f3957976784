// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed weights kept in a file, so that the next session maps what this one has packed, shared
// with every other process that does. All numbers little endian:
//
//   0        CacheHeader                 magic, version, identity, checksums
//   4096     the weights region          as the kernels read it
//
// A file is of one identity: this format's version, the layout (every weight's place, form and
// parts), the checkpoint's header hash, and which files hold it (path, size, time of change,
// inode), or the seed. It is named after the hash of all of these, so a checkpoint that has changed
// finds no file, and those of other identities are left alone. Files are written under a temporary
// name and renamed; whoever maps an old one keeps it.
//
// Mapping checks the header, its checksum, the identity and the file's size, and reads nothing
// else; the contents are compared with their hash where that is asked for. A file that fails is
// packed anew and replaced. Where the directory cannot be written the run goes on without: a cache
// saves time, and is nothing that a result should depend on. Both are told (CacheOutcome::note).
//
// Weighed and left: hashing the checkpoint's contents for the name would read all of it at every
// start, which is what the cache is to save. Who changes weights in place and sets the time of
// change back has to remove the file.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/mapped_file.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

struct CacheOptions {
  std::string directory;  // empty: no cache
  bool verify = false;    // compare the contents with their hash before use
};

enum class CacheUse {
  kOff,     // not asked for, or the weights need no packing
  kMapped,  // packed before; the file is mapped
  kStored,  // packed now and stored; the file is mapped
  kFailed   // packed now and not stored: see the note
};

struct CacheOutcome {
  CacheUse use = CacheUse::kOff;
  std::string path;  // of the file
  std::string note;  // what went wrong; empty when nothing did
};

// What a cache file is of.
class CacheIdentity {
 public:
  // `checkpoint` is null for weights from the program's seed. Its files count as they were when
  // they were opened.
  static CacheIdentity Of(const fb::ProgramT& program, const Checkpoint* checkpoint, int rank = 0);

  std::string FileName() const;  // "<16 hex digits>.weights"
  bool operator==(const CacheIdentity& other) const { return text_ == other.text_; }
  uint64_t hash() const;

 private:
  std::string text_;  // everything that it consists of
};

inline constexpr uint64_t kCacheDataOffset = 4096;

// Maps a file of this identity with `bytes` of weights. NotFound where there is none, DataLoss that
// names it and says what is wrong where it is another's, cut or damaged.
absl::StatusOr<std::shared_ptr<const MappedFile>> MapCachedWeights(const std::string& path,
                                                                   const CacheIdentity& identity,
                                                                   uint64_t bytes, bool verify);

// Creates or replaces the file, and its directory where that is missing.
absl::Status StoreCachedWeights(const std::string& path, const CacheIdentity& identity,
                                std::string_view weights);

}  // namespace ashlar
