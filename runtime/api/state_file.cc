// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/state_file.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "runtime/base/error_code.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr char kMagic[8] = {'A', 'S', 'H', 'L', 'S', 'T', 'A', 'T'};
constexpr uint32_t kVersion = 1;
constexpr uint64_t kBlock = 64 << 10;

struct StateHeader {
  char magic[8];
  uint32_t version;
  uint32_t present_blocks;
  uint64_t identity;
  uint64_t state_bytes;
  uint64_t note_bytes;
  uint64_t contents;         // Hash64 of all behind the header
  uint64_t header_checksum;  // of the bytes before this field
};
static_assert(sizeof(StateHeader) == 56, "the header is 56 bytes in the file");

std::string_view BytesOf(const StateHeader& header) {
  return {reinterpret_cast<const char*>(&header), sizeof(header)};
}

uint64_t ChecksumOf(const StateHeader& header) {
  return Hash64(BytesOf(header).substr(0, offsetof(StateHeader, header_checksum)));
}

uint64_t BlocksOf(uint64_t state_bytes) { return (state_bytes + kBlock - 1) / kBlock; }

// Of all states, as the header has them.
uint64_t TotalBytes(uint64_t state_bytes, uint64_t states) {
  return (states - 1) * BlocksOf(state_bytes) * kBlock + state_bytes;
}

bool IsZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

uint32_t NumberAt(std::string_view numbers, size_t index) {
  uint32_t number;
  std::memcpy(&number, numbers.data() + index * sizeof(number), sizeof(number));
  return number;
}

template <typename... Parts>
absl::Status Damaged(const Parts&... parts) {
  return WithCode(ErrorCode::kBadStateFile, DataLoss(parts...));
}

}  // namespace

absl::Status WriteStateFile(const std::string& path, uint64_t identity, std::string_view note,
                            const std::vector<std::string_view>& states) {
  std::vector<uint32_t> present;
  const uint64_t blocks = BlocksOf(states[0].size());
  auto block = [&](uint64_t i) { return states[i / blocks].substr(i % blocks * kBlock, kBlock); };
  for (uint64_t i = 0; i < states.size() * blocks; ++i)
    if (!IsZero(block(i))) present.push_back(static_cast<uint32_t>(i));
  StateHeader header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kVersion;
  header.present_blocks = static_cast<uint32_t>(present.size());
  header.identity = identity;
  header.state_bytes = TotalBytes(states[0].size(), states.size());
  header.note_bytes = note.size();

  ASHLAR_ASSIGN_OR_RETURN(auto writer, AtomicFileWriter::Create(path));
  Hasher hasher;
  auto write = [&](std::string_view bytes) {
    hasher.Update(bytes);
    return writer->Write(bytes);
  };
  ASHLAR_RETURN_IF_ERROR(writer->Write(BytesOf(header)));
  ASHLAR_RETURN_IF_ERROR(write(note));
  ASHLAR_RETURN_IF_ERROR(
      write({reinterpret_cast<const char*>(present.data()), present.size() * sizeof(uint32_t)}));
  for (uint32_t number : present) {
    std::string_view bytes = block(number);
    ASHLAR_RETURN_IF_ERROR(write(bytes));
    if (bytes.size() < kBlock)
      ASHLAR_RETURN_IF_ERROR(write(std::string(kBlock - bytes.size(), '\0')));
  }
  header.contents = hasher.Digest();
  header.header_checksum = ChecksumOf(header);
  ASHLAR_RETURN_IF_ERROR(writer->Overwrite(0, BytesOf(header)));
  return writer->Commit();
}

absl::StatusOr<StateFile> StateFile::Open(const std::string& path, uint64_t identity,
                                          uint64_t state_bytes, uint64_t states) {
  StateFile state;
  state.state_blocks_ = BlocksOf(state_bytes);
  ASHLAR_ASSIGN_OR_RETURN(state.file_, MappedFile::Open(path));
  std::string_view bytes = state.file_->bytes();
  StateHeader header;
  if (bytes.size() < sizeof(header) || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0)
    return Damaged(path, ": no saved session: it begins with '", Printable(bytes.substr(0, 8)),
                   "'");
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.version != kVersion)
    return Damaged(path, ": a saved session of format ", header.version, ", expected ", kVersion);
  if (ChecksumOf(header) != header.header_checksum)
    return Damaged(path, ": the saved session's header is damaged (checksum)");
  if (header.identity != identity || header.state_bytes != TotalBytes(state_bytes, states))
    return WithCode(
        ErrorCode::kBadStateFile,
        FailedPrecondition(path, ": saved by a session of another program, or with other weights"));
  bytes.remove_prefix(sizeof(header));
  const uint64_t blocks = states * state.state_blocks_;
  const uint64_t present = header.present_blocks;
  const uint64_t rest = present * (sizeof(uint32_t) + kBlock);
  if (present > blocks || header.note_bytes > bytes.size() ||
      bytes.size() - header.note_bytes != rest)
    return Damaged(path, ": the saved session is cut: it has ", bytes.size(),
                   " bytes behind its header, expected ", header.note_bytes + rest);
  if (Hash64(bytes) != header.contents)
    return Damaged(path, ": the saved session is damaged (checksum)");
  state.note_ = bytes.substr(0, header.note_bytes);
  state.numbers_ = bytes.substr(header.note_bytes, present * sizeof(uint32_t));
  state.blocks_ = bytes.substr(header.note_bytes + state.numbers_.size());
  for (uint64_t i = 0; i < present; ++i) {
    const uint32_t number = NumberAt(state.numbers_, i);
    if (number >= blocks || (i > 0 && number <= NumberAt(state.numbers_, i - 1)))
      return Damaged(path, ": the saved session's blocks are out of order");
  }
  return state;
}

void StateFile::Read(uint64_t offset, uint64_t bytes, char* out, uint64_t index) const {
  std::memset(out, 0, bytes);
  offset += index * state_blocks_ * kBlock;
  for (size_t i = 0; i * sizeof(uint32_t) < numbers_.size(); ++i) {
    const uint64_t begin = NumberAt(numbers_, i) * kBlock;
    const uint64_t first = std::max(begin, offset), last = std::min(begin + kBlock, offset + bytes);
    if (first < last)
      std::memcpy(out + (first - offset), blocks_.data() + i * kBlock + (first - begin),
                  last - first);
  }
}

}  // namespace ashlar
