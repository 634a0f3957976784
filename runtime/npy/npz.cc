// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Zip archives of .npy members (PKWARE APPNOTE 6.3.9, sections 4.3.7, 4.3.12, 4.3.16 and 4.5.3).
// The central directory is what counts; local headers are used only to find where a member's data
// begin.
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "runtime/base/error_code.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/npy/npy.h"

namespace ashlar {
namespace {

constexpr uint32_t kEndSignature = 0x06054b50, kCentralSignature = 0x02014b50,
                   kLocalSignature = 0x04034b50;
constexpr size_t kEndBytes = 22, kCentralBytes = 46, kLocalBytes = 30, kMaxComment = 65535;
constexpr uint64_t kMaxMember = uint64_t{1} << 31;  // of a compressed member, unpacked
// Deflate cannot make more than 1032 bytes of one (zlib's technical details), so a member that
// claims more is false.
constexpr uint64_t kMaxRatio = 1040;

template <typename T>
T Get(std::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

struct Member {
  std::string name;
  uint16_t flags = 0, method = 0;
  uint32_t crc = 0;
  uint64_t packed = 0, unpacked = 0, local = 0;
};

// Sizes that do not fit 32 bits are in the extra field 0x0001, in this order, only those that are
// needed.
bool ApplyZip64(std::string_view extra, Member* member) {
  while (extra.size() >= 4) {
    uint16_t id = Get<uint16_t>(extra, 0), size = Get<uint16_t>(extra, 2);
    if (size > extra.size() - 4) return false;
    if (id == 1) {
      std::string_view body = extra.substr(4, size);
      for (uint64_t* field : {&member->unpacked, &member->packed, &member->local}) {
        if (*field != 0xffffffffu) continue;
        if (body.size() < 8) return false;
        *field = Get<uint64_t>(body, 0);
        body.remove_prefix(8);
      }
    }
    extra.remove_prefix(4 + size);
  }
  return true;
}

absl::StatusOr<std::vector<Member>> ReadDirectory(const std::string& name, std::string_view image) {
  if (image.size() < kEndBytes) return DataLoss(name, ": not a .npz (zip) file");
  size_t end = image.size() - kEndBytes, lowest = end > kMaxComment ? end - kMaxComment : 0;
  while (Get<uint32_t>(image, end) != kEndSignature) {
    if (end == lowest)
      return DataLoss(name, ": not a .npz (zip) file, or truncated: no end of the directory");
    --end;
  }
  uint16_t count = Get<uint16_t>(image, end + 10);
  uint64_t bytes = Get<uint32_t>(image, end + 12), offset = Get<uint32_t>(image, end + 16);
  if (count == 0xffff || bytes == 0xffffffffu || offset == 0xffffffffu)
    return Unimplemented(name, ": zip archives of more than 4 GiB are not read; pass .npy files");
  if (!RangeFits(offset, bytes, end))
    return DataLoss(name, ": the zip directory lies outside the file");
  std::string_view directory = image.substr(offset, bytes);
  std::vector<Member> members;
  for (int i = 0; i < count; ++i) {
    if (directory.size() < kCentralBytes || Get<uint32_t>(directory, 0) != kCentralSignature)
      return DataLoss(name, ": the zip directory is malformed at member ", i);
    size_t name_size = Get<uint16_t>(directory, 28), extra_size = Get<uint16_t>(directory, 30);
    size_t whole = kCentralBytes + name_size + extra_size + Get<uint16_t>(directory, 32);
    if (whole > directory.size())
      return DataLoss(name, ": the zip directory is truncated at member ", i);
    Member member;
    member.name = std::string(directory.substr(kCentralBytes, name_size));
    member.flags = Get<uint16_t>(directory, 8);
    member.method = Get<uint16_t>(directory, 10);
    member.crc = Get<uint32_t>(directory, 16);
    member.packed = Get<uint32_t>(directory, 20);
    member.unpacked = Get<uint32_t>(directory, 24);
    member.local = Get<uint32_t>(directory, 42);
    if (!ApplyZip64(directory.substr(kCentralBytes + name_size, extra_size), &member))
      return DataLoss(name, ": the zip directory is malformed at member ", i);
    members.push_back(std::move(member));
    directory.remove_prefix(whole);
  }
  return members;
}

// Raw deflate of exactly `unpacked` bytes.
bool Inflate(std::string_view packed, uint64_t unpacked, std::string* out) {
  out->resize(unpacked);
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out->data());
  stream.avail_out = static_cast<uInt>(unpacked);
  int result = inflate(&stream, Z_FINISH);
  bool ok = result == Z_STREAM_END && stream.total_out == unpacked;
  inflateEnd(&stream);
  return ok;
}

absl::StatusOr<NpyArray> ReadMember(const std::string& what, std::string_view image,
                                    const Member& member) {
  if (member.flags & 1) return InvalidArgument(what, ": encrypted");
  if (!RangeFits(member.local, kLocalBytes, image.size()) ||
      Get<uint32_t>(image, member.local) != kLocalSignature)
    return DataLoss(what, ": its header lies outside the file or is malformed");
  uint64_t start = member.local + kLocalBytes + Get<uint16_t>(image, member.local + 26) +
                   Get<uint16_t>(image, member.local + 28);
  if (!RangeFits(start, member.packed, image.size()))
    return DataLoss(what, ": expected ", member.packed, " bytes at ", start, ", the file has ",
                    image.size());
  std::string_view packed = image.substr(start, member.packed), data = packed;
  std::string unpacked;
  if (member.method == 8) {
    if (member.unpacked > kMaxMember || member.packed > kMaxMember ||
        member.unpacked > kMaxRatio * (member.packed + 1))
      return DataLoss(what, ": cannot unpack ", member.packed, " bytes to ", member.unpacked);
    if (!Inflate(packed, member.unpacked, &unpacked))
      return DataLoss(what, ": its deflated data are corrupted");
    data = unpacked;
  } else if (member.method != 0 || member.packed != member.unpacked) {
    return InvalidArgument(what, ": zip method ", member.method,
                           ", expected stored (0) or deflated (8)");
  }
  if (crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()) != member.crc)
    return DataLoss(what, ": corrupted (CRC)");
  return ParseNpy(what, data);
}

}  // namespace

absl::StatusOr<std::vector<std::pair<std::string, NpyArray>>> ParseNpz(const std::string& name,
                                                                       std::string_view image) {
  ASHLAR_ASSIGN_OR_RETURN(std::vector<Member> members, ReadDirectory(name, image));
  std::vector<std::pair<std::string, NpyArray>> arrays;
  std::set<std::string> names;
  for (const Member& member : members) {
    std::string key = member.name;
    if (key.size() < 4 || key.compare(key.size() - 4, 4, ".npy") != 0) continue;
    key.resize(key.size() - 4);
    std::string what = StrCat(name, ": array '", Printable(key), "'");
    if (!names.insert(key).second) return DataLoss(what, " occurs twice");
    ASHLAR_ASSIGN_OR_RETURN(NpyArray array, ReadMember(what, image, member));
    arrays.emplace_back(std::move(key), std::move(array));
  }
  return arrays;
}

absl::StatusOr<std::vector<std::pair<std::string, NpyArray>>> ReadNpz(const std::string& path) {
  ASHLAR_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  auto arrays = ParseNpz(path, file->bytes());
  ASHLAR_RETURN_IF_ERROR(file->CheckUnchanged());
  if (!arrays.ok()) return WithCode(ErrorCode::kBadArray, arrays.status());
  return arrays;
}

}  // namespace ashlar
