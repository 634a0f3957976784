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

// The first block of each state, and behind them how many there are.
std::vector<uint64_t> FirstBlocks(const std::vector<uint64_t>& state_bytes) {
  std::vector<uint64_t> first = {0};
  for (uint64_t bytes : state_bytes) first.push_back(first.back() + BlocksOf(bytes));
  return first;
}

// Of all states, as the header has them: the last one is not filled up.
uint64_t TotalBytes(const std::vector<uint64_t>& state_bytes) {
  return FirstBlocks(state_bytes)[state_bytes.size() - 1] * kBlock + state_bytes.back();
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
  std::vector<uint64_t> state_bytes;
  for (std::string_view state : states) state_bytes.push_back(state.size());
  std::vector<uint32_t> numbers;
  std::vector<std::string_view> present;
  uint32_t number = 0;
  for (std::string_view state : states)
    for (uint64_t at = 0; at < state.size(); at += kBlock, ++number)
      if (!IsZero(state.substr(at, kBlock))) {
        numbers.push_back(number);
        present.push_back(state.substr(at, kBlock));
      }
  StateHeader header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kVersion;
  header.present_blocks = static_cast<uint32_t>(present.size());
  header.identity = identity;
  header.state_bytes = TotalBytes(state_bytes);
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
      write({reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(uint32_t)}));
  for (std::string_view block : present) {
    ASHLAR_RETURN_IF_ERROR(write(block));
    if (block.size() < kBlock)
      ASHLAR_RETURN_IF_ERROR(write(std::string(kBlock - block.size(), '\0')));
  }
  header.contents = hasher.Digest();
  header.header_checksum = ChecksumOf(header);
  ASHLAR_RETURN_IF_ERROR(writer->Overwrite(0, BytesOf(header)));
  return writer->Commit();
}

absl::StatusOr<StateFile> StateFile::Open(const std::string& path, uint64_t identity,
                                          const std::vector<uint64_t>& state_bytes) {
  StateFile state;
  state.first_blocks_ = FirstBlocks(state_bytes);
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
  if (header.identity != identity || header.state_bytes != TotalBytes(state_bytes))
    return WithCode(
        ErrorCode::kBadStateFile,
        FailedPrecondition(path, ": saved by a session of another program, or with other weights"));
  bytes.remove_prefix(sizeof(header));
  const uint64_t blocks = state.first_blocks_.back();
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

void StateFile::Read(uint64_t offset, uint64_t bytes, char* out, size_t index) const {
  std::memset(out, 0, bytes);
  offset += first_blocks_[index] * kBlock;
  for (size_t i = 0; i * sizeof(uint32_t) < numbers_.size(); ++i) {
    const uint64_t begin = NumberAt(numbers_, i) * kBlock;
    const uint64_t first = std::max(begin, offset), last = std::min(begin + kBlock, offset + bytes);
    if (first < last)
      std::memcpy(out + (first - offset), blocks_.data() + i * kBlock + (first - begin),
                  last - first);
  }
}

}  // namespace ashlar
