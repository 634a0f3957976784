// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An artifact is machine code: its checksums find accidents, not intent. An application that takes
// artifacts from elsewhere says here which ones it trusts: by the hash of the file, or by a
// signature of whoever made it, as minisign makes them (https://jedisct1.github.io/minisign):
//
//   minisign -G                              # once: a pair of keys
//   minisign -Sm bert.ashlar                 # writes bert.ashlar.minisig
//   ashlar run bert.ashlar --public-key minisign.pub ...
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar {

// What is demanded of an artifact before anything in it is believed; all that is given must hold.
struct TrustPolicy {
  std::string sha256;      // of the whole file: 64 hexadecimal digits, as sha256sum prints
  std::string public_key;  // minisign's: 56 characters of base64
  std::string signature;   // the signature's file; empty: the artifact's path + ".minisig"

  bool demands_anything() const { return !sha256.empty() || !public_key.empty(); }
};

// Checks the bytes of the file `path`, which are those of `front` and `back` in this order. Errors:
// InvalidArgument for a hash or a key that is none; NotFound and DataLoss for a signature that is
// not there or malformed; PermissionDenied (E0205) that says what does not match.
absl::Status CheckTrust(const TrustPolicy& policy, const std::string& path, std::string_view front,
                        std::string_view back);

// Returns the key in a file that minisign -G wrote.
absl::StatusOr<std::string> ReadPublicKey(const std::string& path);

}  // namespace ashlar
