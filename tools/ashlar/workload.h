// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the commands share: opening an artifact for use, and making inputs where only the time
// matters.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/api/session.h"
#include "tools/ashlar/options.h"

namespace ashlar {

inline constexpr char kUserCache[] = "<user>";

struct SessionRequest {
  std::string artifact;
  std::string weights_directory;
  int64_t threads = 0;
  bool profile = false;
  std::string cache;  // a directory, kUserCache for the user's, empty for none
  std::string device = "cpu";
  TrustPolicy trust;
  std::string public_key_file;
  int64_t devices = 0;   // the ranks that the artifact must be for; 0: whatever it is for
  int64_t deadline = 0;  // seconds for a rank that shows no sign of life; 0: as usual

  // Adds --cache, --device, --sha256 and --public-key, or --devices and --deadline.
  void AddCacheTo(Options& options);
  void AddRanksTo(Options& options);
  void AddDeviceTo(Options& options);
  void AddTrustTo(Options& options);
  // The cache's directory, empty for none. InvalidArgument where the user has none.
  absl::StatusOr<std::string> CacheDirectory() const;
};

// Loads the artifact and makes a session; says on stderr when packing its weights may take a while,
// and what came of the cache. Of an artifact for several ranks all run in this process, or, where
// mpirun or another launcher has started as many, each in its own: then rank 0 alone goes on to
// print.
absl::StatusOr<std::unique_ptr<Session>> OpenSession(const SessionRequest& request);

// Whether what the process has to say is said by another: it is a rank other than 0.
bool IsFollower();
// Ends what OpenSession began with the other processes; at the end of main.
void LeaveRanks();

// Extents by name; dims that are not named take 1 for "batch", 128 for "seq", else their minimum,
// brought into their bounds. InvalidArgument for a name that the program has not, OutOfRange for a
// value out of its bounds.
absl::StatusOr<std::vector<int64_t>> ChooseDims(const fb::ProgramT& program,
                                                const std::map<std::string, int64_t>& chosen);

// Inputs that an entry requires, filled so that any program accepts them: spread-out ids within the
// input's limits (one more than the minimum at most where it has none), zeros for floats. Owns what
// its tensors view.
class SyntheticInputs {
 public:
  SyntheticInputs(const fb::EntryT& entry, const std::vector<int64_t>& dims);
  const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  std::vector<Tensor> tensors_;
  std::vector<std::vector<int64_t>> integers_;
  std::vector<std::vector<float>> floats_;
};

// Sets every counter that limits the entry to `context`. OutOfRange when a step at these dims would
// pass a limit.
absl::Status SetContext(Session& session, const fb::EntryT& entry, const std::vector<int64_t>& dims,
                        int64_t context);

// 128 for an entry called decode where its limits allow that, the most that they allow where they
// do not; 0 for others.
int64_t DefaultContext(const fb::EntryT& entry, const std::vector<int64_t>& dims);

// The part of the caches' room, for all sequences at their bound, that a step from this context has
// in use, in [0, 1].
double StateShare(const fb::ProgramT& program, const fb::EntryT& entry,
                  const std::vector<int64_t>& dims, int64_t context);

// "12.3 MiB".
std::string HumanBytes(double bytes);
// "1.23 G", for operations.
std::string HumanCount(double count);

}  // namespace ashlar
