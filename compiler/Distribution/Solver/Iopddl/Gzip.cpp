// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Iopddl/Gzip.h"

#include <algorithm>

#include <zlib.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"

namespace ashlar::solver {
namespace {

constexpr char kMagic[] = "\x1f\x8b";
constexpr size_t kPiece = size_t(1) << 20;

} // namespace

absl::StatusOr<std::string> gunzip(absl::string_view data, size_t mostBytes) {
  z_stream stream = {};
  if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK)
    return absl::ResourceExhaustedError("no memory to decompress");
  std::string text;
  int state = Z_OK;
  while (true) {
    if (stream.avail_in == 0) {
      const size_t piece = std::min(data.size(), kPiece);
      stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(data.data()));
      stream.avail_in = uInt(piece);
      data.remove_prefix(piece);
    }
    const size_t before = text.size();
    text.resize(before + kPiece);
    stream.next_out = reinterpret_cast<Bytef *>(&text[before]);
    stream.avail_out = uInt(kPiece);
    state = inflate(&stream, Z_NO_FLUSH);
    text.resize(before + kPiece - stream.avail_out);
    if (text.size() > mostBytes)
      break;
    if (state == Z_STREAM_END) {
      if (stream.avail_in == 0 && data.empty())
        break;
      if (inflateReset(&stream) != Z_OK) // a file may have several members
        break;
    } else if (state != Z_OK) {
      break; // Z_BUF_ERROR: the data ended
    }
  }
  inflateEnd(&stream);
  if (text.size() > mostBytes)
    return absl::InvalidArgumentError(
        absl::StrCat("decompresses to more than ", mostBytes, " bytes"));
  if (state == Z_BUF_ERROR)
    return absl::InvalidArgumentError("the compressed data ends too early");
  if (state != Z_STREAM_END)
    return absl::InvalidArgumentError("the compressed data is damaged");
  return text;
}

absl::StatusOr<std::string> readMaybeGzipped(const std::string &path, size_t mostBytes) {
  absl::StatusOr<std::string> text = ReadInput(path);
  if (!text.ok() || !absl::StartsWith(*text, kMagic))
    return text;
  return gunzip(*text, mostBytes);
}

} // namespace ashlar::solver
