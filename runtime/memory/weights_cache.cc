// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/weights_cache.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr char kMagic[8] = {'A', 'S', 'H', 'L', 'P', 'A', 'C', 'K'};
constexpr uint32_t kVersion = 1;  // changes with this format and with what packing makes

struct CacheHeader {
  char magic[8];
  uint32_t version;
  uint32_t zero;
  uint64_t identity;
  uint64_t weights_bytes;
  uint64_t contents;         // Hash64 of the weights
  uint64_t header_checksum;  // of the bytes before this field
};
static_assert(sizeof(CacheHeader) == 48, "the header is 48 bytes in the file");

void AddLayout(const fb::ProgramT& program, std::string& text) {
  text += StrCat("region ", program.weights_bytes, "\n");
  for (const auto& weight : program.weights) {
    if (weight->parts.empty()) continue;
    text +=
        StrCat("weight ", static_cast<int>(weight->layout), " ", static_cast<int>(weight->dtype),
               " ", ShapeToString(weight->shape), " ", weight->offset, " ", weight->bytes, "\n");
    for (const auto& part : weight->parts)
      text += StrCat("part ", part->tensor.size(), " ", part->tensor, " ",
                     static_cast<int>(part->dtype), " ", ShapeToString(part->shape), " ",
                     part->transposed, " ", static_cast<int>(part->init), " ", part->scale, "\n");
    for (const auto& part : weight->parts)
      for (size_t i = 0; i < part->cuts.size(); ++i)
        text += StrCat("cut ", part->cut_dims[i], " ", part->cuts[i].stride(), " ",
                       part->cuts[i].size(), " of ", ShapeToString(part->whole), "\n");
    for (const auto& part : weight->parts)
      if (!part->range.empty())
        text += StrCat("range ", ShapeToString(part->range), " at ", ShapeToString(part->begin),
                       " of ", ShapeToString(part->whole), "\n");
  }
}

std::string Hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

CacheIdentity CacheIdentity::Of(const fb::ProgramT& program, const Checkpoint* checkpoint,
                                int rank) {
  CacheIdentity identity;
  std::string& text = identity.text_;
  text += StrCat("version ", kVersion, "\n");
  AddLayout(program, text);
  if (!program.mesh.empty()) text += StrCat("rank ", rank, "\n");
  if (!checkpoint) {
    text += StrCat("seed ", program.random_seed, "\n");
    return identity;
  }
  text += StrCat("headers ", checkpoint->HeaderHash(), "\n");
  for (const auto& file : checkpoint->files()) {
    std::error_code error;
    std::string path = std::filesystem::canonical(file->path(), error).string();
    if (error) path = file->path();
    text += StrCat("file ", path.size(), " ", path, " ", file->stamp(), "\n");
  }
  return identity;
}

uint64_t CacheIdentity::hash() const { return Hash64(text_); }
std::string CacheIdentity::FileName() const { return Hex(hash()) + ".weights"; }

absl::StatusOr<std::shared_ptr<const MappedFile>> MapCachedWeights(const std::string& path,
                                                                   const CacheIdentity& identity,
                                                                   uint64_t bytes, bool verify) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 && errno == ENOENT)
    return NotFound("no packed weights at ", path);
  ASHLAR_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  CacheHeader header;
  if (file->size() < kCacheDataOffset)
    return DataLoss(path, ": expected packed weights, found ", file->size(), " bytes");
  std::memcpy(&header, file->bytes().data(), sizeof(header));
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0)
    return DataLoss(path, ": no file of packed weights: it begins with '",
                    Printable(file->bytes().substr(0, 8)), "'");
  if (header.version != kVersion)
    return DataLoss(path, ": packed weights of format ", header.version, ", expected ", kVersion);
  if (Hash64(file->bytes().substr(0, offsetof(CacheHeader, header_checksum))) !=
      header.header_checksum)
    return DataLoss(path, ": the header is corrupted (checksum)");
  if (header.identity != identity.hash() || header.weights_bytes != bytes)
    return DataLoss(path, ": packed weights of another program or checkpoint");
  if (file->size() - kCacheDataOffset != bytes)
    return DataLoss(path, ": expected ", kCacheDataOffset + bytes, " bytes, found ", file->size(),
                    file->size() - kCacheDataOffset < bytes ? " (truncated)" : "");
  if (verify && Hash64(file->bytes().substr(kCacheDataOffset)) != header.contents)
    return DataLoss(path, ": the packed weights are corrupted (checksum)");
  return file;
}

absl::Status StoreCachedWeights(const std::string& path, const CacheIdentity& identity,
                                std::string_view weights) {
  ASHLAR_RETURN_IF_ERROR(MakeDirectories(std::filesystem::path(path).parent_path().string()));
  ASHLAR_ASSIGN_OR_RETURN(auto writer, AtomicFileWriter::Create(path));
  CacheHeader header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kVersion;
  header.identity = identity.hash();
  header.weights_bytes = weights.size();
  header.contents = Hash64(weights);
  std::string_view bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  header.header_checksum = Hash64(bytes.substr(0, offsetof(CacheHeader, header_checksum)));
  ASHLAR_RETURN_IF_ERROR(writer->Write(bytes));
  ASHLAR_RETURN_IF_ERROR(writer->PadTo(kCacheDataOffset));
  ASHLAR_RETURN_IF_ERROR(writer->Write(weights));
  return writer->Commit();
}

}  // namespace ashlar
