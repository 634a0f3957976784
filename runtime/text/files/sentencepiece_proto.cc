// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/files/sentencepiece_proto.h"

#include <cmath>
#include <cstring>

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  WireType type = kVarint;
  uint64_t value = 0;      // of a varint, or fixed bytes
  std::string_view bytes;  // of a string or a message
};

class WireReader {
 public:
  WireReader(const std::string& path, const char* file, std::string_view bytes)
      : path_(path), file_(file), bytes_(bytes) {}

  bool AtEnd() const { return at_ == bytes_.size(); }

  template <typename... Parts>
  absl::Status Fail(const Parts&... parts) const {
    return DataLoss(path_, ": byte ", bytes_.data() + at_ - file_, ": ", parts...);
  }

  absl::Status Next(Field* field) {
    uint64_t key = 0;
    ASHLAR_RETURN_IF_ERROR(Varint(&key));
    field->number = static_cast<uint32_t>(key >> 3);
    field->type = static_cast<WireType>(key & 7);
    if (key >> 3 == 0 || key >> 3 > 0x1FFFFFFF) return Fail("a field of number ", key >> 3);
    switch (field->type) {
      case kVarint:
        return Varint(&field->value);
      case kFixed64:
        return Fixed(8, &field->value);
      case kFixed32:
        return Fixed(4, &field->value);
      case kBytes: {
        uint64_t size = 0;
        ASHLAR_RETURN_IF_ERROR(Varint(&size));
        if (size > bytes_.size() - at_)
          return Fail("field ", field->number, " of ", size, " bytes, ", bytes_.size() - at_,
                      " are left");
        field->bytes = bytes_.substr(at_, size);
        at_ += size;
        return absl::OkStatus();
      }
    }
    return Fail("field ", field->number, " of wire type ", key & 7, ", which is none");
  }

  // The field as it should be, or what it is instead.
  absl::Status Check(const Field& field, WireType type) const {
    if (field.type == type) return absl::OkStatus();
    return Fail("field ", field.number, " of wire type ", field.type, ", expected ", type);
  }

 private:
  absl::Status Varint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (AtEnd()) return Fail("the file ends within a number");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      *value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return absl::OkStatus();
    }
    return Fail("a number of more than 64 bits");
  }

  absl::Status Fixed(size_t size, uint64_t* value) {
    if (size > bytes_.size() - at_) return Fail("the file ends within a number");
    *value = 0;
    for (size_t i = size; i > 0; --i)
      *value = *value << 8 | static_cast<unsigned char>(bytes_[at_ + i - 1]);
    at_ += size;
    return absl::OkStatus();
  }

  const std::string& path_;
  const char* file_;
  std::string_view bytes_;
  size_t at_ = 0;
};

struct Source {
  const std::string& path;
  const char* file;
};

// message SentencePiece { string piece = 1; float score = 2; Type type = 3; }
absl::Status ReadPiece(const Source& source, std::string_view bytes,
                       SentencePieceProto::Piece* piece) {
  WireReader reader(source.path, source.file, bytes);
  Field field;
  while (!reader.AtEnd()) {
    ASHLAR_RETURN_IF_ERROR(reader.Next(&field));
    if (field.number == 1) {
      ASHLAR_RETURN_IF_ERROR(reader.Check(field, kBytes));
      if (!IsUtf8(field.bytes))
        return reader.Fail("a piece that is not UTF-8: '", Printable(field.bytes), "'");
      piece->text = field.bytes;
    } else if (field.number == 2) {
      ASHLAR_RETURN_IF_ERROR(reader.Check(field, kFixed32));
      const uint32_t bits = static_cast<uint32_t>(field.value);
      std::memcpy(&piece->score, &bits, sizeof(bits));
      if (!std::isfinite(piece->score)) return reader.Fail("a score that is not a number");
    } else if (field.number == 3) {
      ASHLAR_RETURN_IF_ERROR(reader.Check(field, kVarint));
      if (field.value < 1 || field.value > 6)
        return reader.Fail("a piece of type ", field.value, ", which is none");
      piece->type = static_cast<SentencePieceProto::Type>(field.value);
    }
  }
  if (piece->text.empty()) return reader.Fail("a piece without text");
  return absl::OkStatus();
}

// message TrainerSpec: model_type = 3, treat_whitespace_as_suffix = 24, byte_fallback = 35.
absl::Status ReadTrainer(const Source& source, std::string_view bytes, SentencePieceProto* proto) {
  WireReader reader(source.path, source.file, bytes);
  Field field;
  while (!reader.AtEnd()) {
    ASHLAR_RETURN_IF_ERROR(reader.Next(&field));
    if (field.number != 3 && field.number != 24 && field.number != 35) continue;
    ASHLAR_RETURN_IF_ERROR(reader.Check(field, kVarint));
    if (field.number == 24) proto->blank_as_suffix = field.value != 0;
    if (field.number == 35) proto->byte_fallback = field.value != 0;
    if (field.number != 3) continue;
    if (field.value < 1 || field.value > 4)
      return reader.Fail("a model of type ", field.value, ", which is none");
    proto->algorithm = static_cast<SentencePieceProto::Algorithm>(field.value);
  }
  return absl::OkStatus();
}

// message NormalizerSpec: precompiled_charsmap = 2, add_dummy_prefix = 3,
// remove_extra_whitespaces = 4, escape_whitespaces = 5.
absl::Status ReadNormalizerSpec(const Source& source, std::string_view bytes,
                                SentencePieceProto* proto) {
  WireReader reader(source.path, source.file, bytes);
  Field field;
  bool* const flags[] = {&proto->add_dummy_prefix, &proto->remove_extra_blanks,
                         &proto->escape_blanks};
  while (!reader.AtEnd()) {
    ASHLAR_RETURN_IF_ERROR(reader.Next(&field));
    if (field.number == 2) {
      ASHLAR_RETURN_IF_ERROR(reader.Check(field, kBytes));
      proto->charsmap = field.bytes;
    } else if (field.number >= 3 && field.number <= 5) {
      ASHLAR_RETURN_IF_ERROR(reader.Check(field, kVarint));
      *flags[field.number - 3] = field.value != 0;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SentencePieceProto> SentencePieceProto::Parse(const std::string& path,
                                                             std::string_view bytes) {
  SentencePieceProto proto;
  const Source source = {path, bytes.data()};
  WireReader reader(path, bytes.data(), bytes);
  Field field;
  // message ModelProto: pieces = 1, trainer_spec = 2, normalizer_spec = 3.
  while (!reader.AtEnd()) {
    ASHLAR_RETURN_IF_ERROR(reader.Next(&field));
    if (field.number < 1 || field.number > 3) continue;
    ASHLAR_RETURN_IF_ERROR(reader.Check(field, kBytes));
    if (field.number == 1) {
      Piece piece;
      ASHLAR_RETURN_IF_ERROR(ReadPiece(source, field.bytes, &piece));
      proto.pieces.push_back(std::move(piece));
    } else if (field.number == 2) {
      ASHLAR_RETURN_IF_ERROR(ReadTrainer(source, field.bytes, &proto));
    } else {
      ASHLAR_RETURN_IF_ERROR(ReadNormalizerSpec(source, field.bytes, &proto));
    }
  }
  if (proto.pieces.empty()) return DataLoss(path, ": the vocabulary is empty");
  return proto;
}

}  // namespace ashlar
