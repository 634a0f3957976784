// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/trust.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "runtime/base/error_code.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr uint64_t kMaxKeyFile = 64 << 10;
constexpr size_t kKeyIdBytes = 8;

// minisign's structures: two letters of the algorithm, the key's number, and the key or signature.
struct PublicKey {
  std::string id;
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> key;
};
struct Signature {
  std::string id;
  std::string signature;  // of the hash of the file
  std::string trusted_comment;
  std::string comment_signature;  // of the signature and the trusted comment
};

// Without their ends, whichever they are.
std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines(1);
  for (char character : text) {
    if (character == '\n')
      lines.emplace_back();
    else if (character != '\r')
      lines.back() += character;
  }
  return lines;
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool FromBase64(std::string_view text, size_t bytes, std::string* out) {
  out->resize(bytes);
  size_t found = 0;
  const char* end = nullptr;
  return sodium_base642bin(reinterpret_cast<unsigned char*>(out->data()), bytes, text.data(),
                           text.size(), nullptr, &found, &end,
                           sodium_base64_VARIANT_ORIGINAL) == 0 &&
         found == bytes && end == text.data() + text.size();
}

// As minisign prints numbers of keys: the bytes are little endian.
std::string KeyName(const std::string& id) {
  std::string name;
  for (size_t i = id.size(); i > 0; --i) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    const unsigned char byte = id[i - 1];
    name += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return name;
}

absl::StatusOr<PublicKey> ParsePublicKey(const std::string& text) {
  std::string raw;
  PublicKey key;
  if (!FromBase64(text, 2 + kKeyIdBytes + key.key.size(), &raw) || raw.substr(0, 2) != "Ed")
    // What was given is not repeated: it may be the secret key.
    return WithCode(
        ErrorCode::kInvalidArgument,
        InvalidArgument("not a public key of minisign; expected 56 characters that begin with "
                        "RW (the second line of minisign.pub)"));
  key.id = raw.substr(2, kKeyIdBytes);
  std::copy(raw.begin() + 2 + kKeyIdBytes, raw.end(), key.key.begin());
  return key;
}

absl::StatusOr<Signature> ReadSignature(const std::string& path) {
  ASHLAR_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxKeyFile));
  const std::vector<std::string> lines = Lines(text);
  constexpr std::string_view kTrusted = "trusted comment: ";
  Signature signature;
  std::string raw;
  if (lines.size() < 4 || !FromBase64(lines[1], 2 + kKeyIdBytes + crypto_sign_BYTES, &raw) ||
      std::string_view(lines[2]).substr(0, kTrusted.size()) != kTrusted ||
      !FromBase64(lines[3], crypto_sign_BYTES, &signature.comment_signature))
    return DataLoss(path, ": not a signature of minisign");
  if (raw.substr(0, 2) != "ED")
    return WithCode(
        ErrorCode::kUnimplemented,
        Unimplemented(path,
                      ": a signature of minisign's old kind, of the file and not of its "
                      "hash; sign again with minisign 0.10 or later"));
  signature.id = raw.substr(2, kKeyIdBytes);
  signature.signature = raw.substr(2 + kKeyIdBytes);
  signature.trusted_comment = lines[2].substr(kTrusted.size());
  return signature;
}

template <typename... Parts>
absl::Status Distrust(const Parts&... parts) {
  return WithCode(ErrorCode::kUntrustedArtifact, absl::PermissionDeniedError(StrCat(parts...)));
}

absl::Status CheckSha256(const std::string& wanted, const std::string& path, std::string_view front,
                         std::string_view back) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> expected, found;
  size_t bytes = 0;
  const char* end = nullptr;
  if (sodium_hex2bin(expected.data(), expected.size(), wanted.data(), wanted.size(), nullptr,
                     &bytes, &end) != 0 ||
      bytes != expected.size() || end != wanted.data() + wanted.size())
    return WithCode(
        ErrorCode::kInvalidArgument,
        InvalidArgument("'", Printable(wanted), "' is no SHA-256; expected 64 hexadecimal digits"));
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for (std::string_view part : {front, back})
    crypto_hash_sha256_update(&state, Bytes(part), part.size());
  crypto_hash_sha256_final(&state, found.data());
  if (found == expected) return absl::OkStatus();
  std::string name(2 * found.size() + 1, '\0');
  sodium_bin2hex(name.data(), name.size(), found.data(), found.size());
  name.pop_back();
  return Distrust(path, ": not the artifact that is trusted: its SHA-256 is ", name, ", expected ",
                  absl::AsciiStrToLower(wanted));
}

absl::Status CheckSignature(const PublicKey& key, const Signature& signature,
                            const std::string& path, const std::string& signature_path,
                            std::string_view front, std::string_view back) {
  if (signature.id != key.id)
    return Distrust(path, ": signed with key ", KeyName(signature.id), " (", signature_path,
                    "), trusted is key ", KeyName(key.id));
  std::array<unsigned char, crypto_generichash_BYTES_MAX> hash;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, hash.size());
  for (std::string_view part : {front, back})
    crypto_generichash_update(&state, Bytes(part), part.size());
  crypto_generichash_final(&state, hash.data(), hash.size());
  if (crypto_sign_verify_detached(Bytes(signature.signature), hash.data(), hash.size(),
                                  key.key.data()) != 0)
    return Distrust(path, ": the signature ", signature_path,
                    " is not of this file: one of them was changed");
  const std::string commented = signature.signature + signature.trusted_comment;
  if (crypto_sign_verify_detached(Bytes(signature.comment_signature), Bytes(commented),
                                  commented.size(), key.key.data()) != 0)
    return Distrust(path, ": the trusted comment of ", signature_path, " was changed");
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTrust(const TrustPolicy& policy, const std::string& path, std::string_view front,
                        std::string_view back) {
  if (sodium_init() < 0) return absl::InternalError("libsodium cannot be used here");
  if (!policy.sha256.empty()) ASHLAR_RETURN_IF_ERROR(CheckSha256(policy.sha256, path, front, back));
  if (policy.public_key.empty()) return absl::OkStatus();
  const std::string signature_path =
      policy.signature.empty() ? path + ".minisig" : policy.signature;
  ASHLAR_ASSIGN_OR_RETURN(PublicKey key, ParsePublicKey(policy.public_key));
  ASHLAR_ASSIGN_OR_RETURN(Signature signature, ReadSignature(signature_path));
  return CheckSignature(key, signature, path, signature_path, front, back);
}

absl::StatusOr<std::string> ReadPublicKey(const std::string& path) {
  ASHLAR_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxKeyFile));
  const std::vector<std::string> lines = Lines(text);
  const std::string& key = lines[lines.size() > 1 ? 1 : 0];
  if (absl::Status status = ParsePublicKey(key).status(); !status.ok())
    return Annotate(status, path);
  return key;
}

}  // namespace ashlar
