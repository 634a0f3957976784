// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/decoder.h"

#include "runtime/base/status.h"
#include "runtime/text/parts/decoder_stages.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using Stages = std::vector<std::unique_ptr<DecoderStage>>;
using Pointer = std::unique_ptr<const Decoder>;
using Result = absl::StatusOr<Pointer>;

// A decoder of one stage, which `make` makes.
template <typename Make>
class Simple : public Decoder {
 public:
  explicit Simple(Make make) : make_(std::move(make)) {}
  void Start(bool streaming, Stages* stages) const override { stages->push_back(make_(streaming)); }

 private:
  Make make_;
};

template <typename Make>
Pointer MakeSimple(Make make) {
  return std::make_unique<Simple<Make>>(std::move(make));
}

template <typename Stage>
Pointer MakePlain() {
  return MakeSimple([](bool) { return std::make_unique<Stage>(); });
}

template <typename Function>
Pointer MakeMap(Function function) {
  return MakeSimple([=](bool) { return std::make_unique<MapStage<Function>>(function); });
}

class Sequence : public Decoder {
 public:
  explicit Sequence(std::vector<Pointer> parts) : parts_(std::move(parts)) {}
  void Start(bool streaming, Stages* stages) const override {
    for (const Pointer& part : parts_) part->Start(streaming, stages);
  }

 private:
  std::vector<Pointer> parts_;
};

Pointer MakeByteFallback() {
  return MakeSimple([](bool streaming) { return std::make_unique<ByteFallbackStage>(streaming); });
}

Result ReadStrip(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "content", "start", "stop"}));
  ASHLAR_ASSIGN_OR_RETURN(std::string content, field["content"].String());
  const std::u32string characters = DecodeUtf8(content);
  if (characters.size() != 1) return field["content"].Expected("one character");
  ASHLAR_ASSIGN_OR_RETURN(int64_t start, field["start"].Index());
  ASHLAR_ASSIGN_OR_RETURN(int64_t stop, field["stop"].Index());
  return MakeSimple([=, c = characters[0]](bool) {
    return std::make_unique<StripStage>(c, static_cast<size_t>(start), static_cast<size_t>(stop));
  });
}

Result ReadReplace(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "pattern", "content"}));
  ASHLAR_ASSIGN_OR_RETURN(Replacement replacement, Replacement::Read(field));
  return MakeMap([replacement](const std::string& token, size_t) {
    return replacement.Apply(std::string_view(token));
  });
}

Result ReadMetaspace(const JsonField& field) {
  ASHLAR_ASSIGN_OR_RETURN(Metaspace metaspace, Metaspace::Read(field));
  return MakeMap(
      [metaspace](const std::string& token, size_t index) -> absl::StatusOr<std::string> {
        return metaspace.Decode(token, index == 0);
      });
}

Result ReadWordPiece(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "prefix", "cleanup"}));
  ASHLAR_ASSIGN_OR_RETURN(std::string prefix, field["prefix"].StringOr("##"));
  ASHLAR_ASSIGN_OR_RETURN(bool cleanup, field["cleanup"].BoolOr(true));
  return MakeWordPieceDecoder(prefix, cleanup);
}

Result ReadBpe(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "suffix"}));
  ASHLAR_ASSIGN_OR_RETURN(std::string suffix, field["suffix"].StringOr("</w>"));
  return MakeSimple([=](bool) { return std::make_unique<SuffixStage>(suffix); });
}

Result ReadCtc(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(
      field.CheckObject({"type", "pad_token", "word_delimiter_token", "cleanup"}));
  ASHLAR_ASSIGN_OR_RETURN(std::string pad, field["pad_token"].StringOr("<pad>"));
  ASHLAR_ASSIGN_OR_RETURN(std::string delimiter, field["word_delimiter_token"].StringOr("|"));
  ASHLAR_ASSIGN_OR_RETURN(bool cleanup, field["cleanup"].BoolOr(true));
  return MakeSimple([=](bool) { return std::make_unique<CtcStage>(pad, delimiter, cleanup); });
}

Result ReadPresent(const JsonField& field);

Result ReadSequence(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "decoders"}));
  JsonField list = field["decoders"];
  ASHLAR_RETURN_IF_ERROR(list.CheckArray());
  std::vector<Pointer> parts;
  for (size_t i = 0; i < list.size(); ++i) {
    ASHLAR_ASSIGN_OR_RETURN(Pointer part, ReadPresent(list.At(i)));
    parts.push_back(std::move(part));
  }
  return std::make_unique<Sequence>(std::move(parts));
}

Result ReadPresent(const JsonField& field) {
  ASHLAR_ASSIGN_OR_RETURN(std::string type, field["type"].String());
  struct {
    const char* type;
    Result (*read)(const JsonField&);
  } const decoders[] = {
      {"Sequence", ReadSequence},
      {"Strip", ReadStrip},
      {"Replace", ReadReplace},
      {"Metaspace", ReadMetaspace},
      {"WordPiece", ReadWordPiece},
      {"BPEDecoder", ReadBpe},
      {"CTC", ReadCtc},
      {"ByteFallback", [](const JsonField&) -> Result { return MakeByteFallback(); }},
      {"ByteLevel", [](const JsonField&) -> Result { return MakeByteLevelDecoder(); }},
      {"Fuse", [](const JsonField&) -> Result { return MakePlain<FuseStage>(); }},
  };
  for (const auto& [name, read] : decoders)
    if (type == name) return read(field);
  return field["type"].Unsupported(
      StrCat("the decoder '", Printable(type),
             "' is not supported; supported are BPEDecoder, ByteFallback, ByteLevel, CTC, Fuse, "
             "Metaspace, Replace, Sequence, Strip and WordPiece"));
}

}  // namespace

absl::Status DecodeRun::Pass(std::vector<Chunk> chunks, bool finish, std::string* text) {
  for (const auto& stage : stages_) {
    std::vector<Chunk> out;
    for (Chunk& chunk : chunks) ASHLAR_RETURN_IF_ERROR(stage->Push(std::move(chunk), &out));
    if (finish) ASHLAR_RETURN_IF_ERROR(stage->Finish(&out));
    chunks = std::move(out);
  }
  for (const Chunk& chunk : chunks) *text += chunk.text;
  return absl::OkStatus();
}

DecodeRun Decoder::Start(bool streaming) const {
  Stages stages;
  Start(streaming, &stages);
  return DecodeRun(std::move(stages));
}

Result ReadDecoder(const JsonField& field) {
  if (!field.present()) return MakePlain<JoinWithBlanks>();
  return ReadPresent(field);
}

Pointer MakeWordPieceDecoder(std::string prefix, bool cleanup) {
  return MakeMap([=](std::string token, size_t index) -> absl::StatusOr<std::string> {
    if (index > 0 && token.compare(0, prefix.size(), prefix) == 0)
      token.erase(0, prefix.size());
    else if (index > 0)
      token.insert(0, " ");
    return cleanup ? CleanUpBlanks(std::move(token)) : token;
  });
}

Pointer MakeByteLevelDecoder() { return MakePlain<ByteLevelStage>(); }

Pointer MakeSentencePieceDecoder(bool drop_first_blank, bool drop_all_blanks) {
  std::vector<Pointer> parts;
  parts.push_back(MakeSimple([=](bool) {
    return std::make_unique<VisibleBlankStage>(drop_first_blank, drop_all_blanks);
  }));
  // Its runs of bytes are as when streaming.
  parts.push_back(MakeSimple([](bool) { return std::make_unique<ByteFallbackStage>(true); }));
  return std::make_unique<Sequence>(std::move(parts));
}

}  // namespace ashlar
