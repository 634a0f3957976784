// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The layout of an artifact (.ashlar), all numbers little endian:
//
//   0        FileHeader          magic, version, size of the file, its checksum and the table's
//   64       SectionHeader x 4   kind, offset, size, checksum, in the order of SectionKind
//   4096     metadata            FlatBuffer, root fb::Program (artifact.fbs)
//   ...      code                images, mapped or copied as they are
//   ...      constants           tables that the compiler made
//   ...      weights             packed as the kernels read them; empty unless embedded
//
// Every section begins at a multiple of kSectionAlignment; what lies between two sections is zero;
// the file ends with its last section. Checksums are Hash64. The version changes when an older
// runtime could not read the file; fields that it may ignore are added to the FlatBuffer.
#pragma once

#include <cstdint>

namespace ashlar {

inline constexpr char kArtifactMagic[8] = {'A', 'S', 'H', 'L', 'A', 'R', '\r', '\n'};
inline constexpr uint32_t kArtifactVersion = 5;
inline constexpr uint64_t kSectionAlignment = 4096;
// Offsets inside the weights and state regions and of values in the arena.
inline constexpr uint64_t kBufferAlignment = 64;

enum class SectionKind : uint32_t { kMetadata, kCode, kConstants, kWeights };
inline constexpr int kNumSections = 4;
inline constexpr const char* kSectionNames[kNumSections] = {"metadata", "code", "constants",
                                                            "weights"};

struct FileHeader {
  char magic[8];
  uint32_t version;
  uint32_t sections;
  uint64_t file_bytes;
  uint64_t table_checksum;   // of the section table
  uint64_t header_checksum;  // of the bytes before this field
  uint8_t zero[24];
};
static_assert(sizeof(FileHeader) == 64, "the header is 64 bytes in the file");

struct SectionHeader {
  uint32_t kind;
  uint32_t zero;
  uint64_t offset;
  uint64_t bytes;
  uint64_t checksum;
};
static_assert(sizeof(SectionHeader) == 32, "a section's entry is 32 bytes in the file");

}  // namespace ashlar
