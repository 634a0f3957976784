// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Artifacts that an application trusts, by hash or signature, and all others.
#include "runtime/program/trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/base/error_code.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/program/program.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

std::string Base64(const std::string& bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();
  return text;
}

// Someone who signs, as minisign does.
struct Signer {
  std::string id;
  unsigned char public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];

  explicit Signer(const std::string& id) : id(id) { crypto_sign_keypair(public_key, secret_key); }
  std::string PublicKey() const {
    return Base64("Ed" + id + std::string(reinterpret_cast<const char*>(public_key), 32));
  }
  std::string Sign(const std::string& message) const {
    unsigned char signature[crypto_sign_BYTES];
    crypto_sign_detached(signature, nullptr, reinterpret_cast<const unsigned char*>(message.data()),
                         message.size(), secret_key);
    return {reinterpret_cast<const char*>(signature), sizeof(signature)};
  }
  std::string SignatureFile(const std::string& file, const std::string& comment = "of today",
                            const std::string& algorithm = "ED") const {
    std::string hash(64, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                       reinterpret_cast<const unsigned char*>(file.data()), file.size(), nullptr,
                       0);
    const std::string signature = Sign(hash);
    return "untrusted comment: a test\n" + Base64(algorithm + id + signature) +
           "\ntrusted comment: " + comment + "\n" + Base64(Sign(signature + "of today")) + "\n";
  }
};

class TrustTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_GE(sodium_init(), 0);
    directory_ = ::testing::TempDir() + "ashlar_trust_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
    path_ = directory_ + "/tiny.ashlar";
    testing::TinyProgram tiny;
    ASSERT_TRUE(tiny.Write(path_).ok());
    bytes_ = *ReadFile(path_, 1 << 20);
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    char text[2 * sizeof(hash) + 1];
    sha256_ = sodium_bin2hex(text, sizeof(text), hash, sizeof(hash));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  absl::Status Load(const std::string& sha256, const std::string& key,
                    const std::string& signature = "") {
    return Program::Load(path_, {sha256, key, signature}).status();
  }
  // The message of an error with this code.
  std::string Refusal(const absl::Status& status, ErrorCode code = ErrorCode::kUntrustedArtifact) {
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(ErrorName(CodeOf(status)), ErrorName(code)) << status;
    return Message(status);
  }
  void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  std::string directory_, path_, bytes_, sha256_;
};

TEST_F(TrustTest, AHashMustBeTheFiles) {
  EXPECT_TRUE(Load(sha256_, "").ok());
  std::string upper = sha256_;
  for (char& digit : upper) digit = static_cast<char>(std::toupper(digit));
  EXPECT_TRUE(Load(upper, "").ok());
  const std::string other = (sha256_[0] == '0' ? '1' : '0') + sha256_.substr(1);
  const std::string refusal = Refusal(Load(other, ""));
  EXPECT_THAT(refusal, HasSubstr("its SHA-256 is " + sha256_ + ", expected " + other));
  for (const std::string& bad : {std::string("abc"), sha256_ + "00", sha256_.substr(1) + "g"})
    EXPECT_THAT(Refusal(Load(bad, ""), ErrorCode::kInvalidArgument),
                HasSubstr("expected 64 hexadecimal digits"));
}

TEST_F(TrustTest, ASignatureMustBeOfTheFileAndTheKey) {
  const Signer signer("12345678"), stranger("87654321"), impostor("12345678");
  Write(path_ + ".minisig", signer.SignatureFile(bytes_));
  EXPECT_TRUE(Load("", signer.PublicKey()).ok());
  EXPECT_TRUE(Load(sha256_, signer.PublicKey()).ok());
  EXPECT_THAT(Refusal(Load("", stranger.PublicKey())),
              HasSubstr("signed with key 3837363534333231 ("));
  EXPECT_THAT(Refusal(Load("", impostor.PublicKey())), HasSubstr("is not of this file"));
  // A file elsewhere, with the ends of lines of another system.
  std::string file;
  for (char character : signer.SignatureFile(bytes_))
    file += character == '\n' ? "\r\n" : std::string(1, character);
  Write(directory_ + "/elsewhere", file);
  EXPECT_TRUE(Load("", signer.PublicKey(), directory_ + "/elsewhere").ok());
  Write(path_ + ".minisig", signer.SignatureFile(bytes_ + "x"));
  EXPECT_THAT(Refusal(Load("", signer.PublicKey())), HasSubstr("is not of this file"));
  Write(path_ + ".minisig", signer.SignatureFile(bytes_, "of tomorrow"));
  EXPECT_THAT(Refusal(Load("", signer.PublicKey())), HasSubstr("trusted comment of"));
}

TEST_F(TrustTest, WhatIsNoSignatureIsAnError) {
  const Signer signer("12345678");
  const std::string good = signer.SignatureFile(bytes_);
  EXPECT_THAT(Refusal(Load("", signer.PublicKey()), ErrorCode::kFileMissing),
              HasSubstr("tiny.ashlar.minisig"));
  for (const std::string& bad : {std::string(), std::string("\n\n\n\n"), good.substr(0, 60),
                                 good.substr(0, good.size() - 3), std::string(1000, 'A')}) {
    Write(path_ + ".minisig", bad);
    EXPECT_THAT(Refusal(Load("", signer.PublicKey()), ErrorCode::kBadArtifact),
                HasSubstr("not a signature of minisign"));
  }
  Write(path_ + ".minisig", signer.SignatureFile(bytes_, "of today", "Ed"));
  EXPECT_THAT(Refusal(Load("", signer.PublicKey()), ErrorCode::kUnimplemented),
              HasSubstr("minisign's old kind"));
  // A secret key in the place of a public one is not printed.
  const std::string secret = "RWQAAEIyAAAAAAAA";
  const std::string refusal = Refusal(Load("", secret), ErrorCode::kInvalidArgument);
  EXPECT_THAT(refusal, HasSubstr("not a public key"));
  EXPECT_EQ(refusal.find(secret), std::string::npos);
}

TEST_F(TrustTest, EveryByteOfTheFileIsCovered) {
  const Signer signer("12345678");
  Write(path_ + ".minisig", signer.SignatureFile(bytes_));
  for (size_t at = 0; at < bytes_.size(); at += 61) {
    std::string changed = bytes_;
    changed[at] ^= 1;
    std::filesystem::remove(path_);
    Write(path_, changed);
    EXPECT_FALSE(Load("", signer.PublicKey()).ok()) << at;
    EXPECT_FALSE(Load(sha256_, "").ok()) << at;
  }
}

TEST_F(TrustTest, WhatWasCheckedIsWhatIsUsed) {
  auto program = Program::Load(path_, {sha256_, "", ""});
  ASSERT_TRUE(program.ok()) << program.status();
  const std::string code((*program)->code());
  // Written to in place, as nobody should.
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  file.write(std::string(bytes_.size(), '\x90').data(), bytes_.size());
  file.close();
  EXPECT_EQ((*program)->code(), code);
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*program)->code().data()) % 4096, 0u);
}

TEST_F(TrustTest, ReadsMinisignsKeyFiles) {
  const Signer signer("12345678");
  Write(directory_ + "/minisign.pub",
        "untrusted comment: minisign public key\n" + signer.PublicKey() + "\n");
  EXPECT_EQ(*ReadPublicKey(directory_ + "/minisign.pub"), signer.PublicKey());
  Write(directory_ + "/bare.pub", signer.PublicKey());
  EXPECT_EQ(*ReadPublicKey(directory_ + "/bare.pub"), signer.PublicKey());
  Write(directory_ + "/no.pub", "RW");
  EXPECT_THAT(Message(ReadPublicKey(directory_ + "/no.pub").status()),
              HasSubstr("no.pub: not a public key of minisign"));
}

}  // namespace
}  // namespace ashlar
