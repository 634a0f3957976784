// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SentencePiece's model file, a protocol buffer. It is read field by field from the wire format
// (https://protobuf.dev/programming-guides/encoding: a varint key of field number and wire type,
// then a varint, 4 or 8 bytes, or a length and bytes): five messages' worth of fields are not worth
// a library in the runtime. Fields that are not listed here are skipped, as protobuf wants.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ashlar {

struct SentencePieceProto {
  enum class Type {
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,
    kUserDefined = 4,
    kUnused = 5,
    kByte = 6
  };
  enum class Algorithm { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };
  struct Piece {
    std::string text;
    float score = 0;
    Type type = Type::kNormal;
  };

  std::vector<Piece> pieces;
  Algorithm algorithm = Algorithm::kUnigram;
  bool blank_as_suffix = false;
  bool byte_fallback = false;
  std::string charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_blanks = true;
  bool escape_blanks = true;

  // DataLoss "<path>: byte N: ..." for what is cut, malformed or out of range.
  static absl::StatusOr<SentencePieceProto> Parse(const std::string& path, std::string_view bytes);
};

}  // namespace ashlar
