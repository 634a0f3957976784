// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The shared memory of a block, with what is known of each byte: who wrote it and who read it last,
// and whether an asynchronous copy into it is under way.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device/emulator/clocks.h"
#include "runtime/device/emulator/emulator_abi.h"

namespace ashlar::emulator {

class SharedMemory {
 public:
  static constexpr size_t kAlignment = 1024;

  // Makes `bytes` bytes of NaN patterns that nothing has written.
  void Reset(size_t bytes);

  char* data() const { return data_.get(); }
  size_t bytes() const { return bytes_; }

  // The offset of `address`, or at least bytes() where it is not inside.
  size_t OffsetOf(const void* address) const {
    return static_cast<const char*>(address) - data_.get();
  }

  // Notes the access of a thread, or of the copy engine for it, or says what is wrong with it.
  // `asynchronous` reads are those of wgmma, which see ordinary stores only after their thread's
  // fence: `fenced` is the clock of each thread's last one.
  std::string Check(size_t offset, size_t bytes, Access access, uint32_t thread, uint32_t clock,
                    const Clocks& known, const Clocks* fenced = nullptr);

  // An asynchronous copy by `thread` begins: nothing may touch the bytes until it has ended. Their
  // contents turn into NaN patterns.
  std::string BeginCopy(size_t offset, size_t bytes, uint32_t thread, uint32_t clock,
                        const Clocks& known);
  // It has ended; the bytes count as written by (thread, clock).
  void EndCopy(size_t offset, const char* data, size_t bytes, uint32_t thread, uint32_t clock);

 private:
  struct Byte {
    Stamp write;
    Stamp read[2];
    uint32_t copied_by : 31;  // thread + 1 while a copy is under way
    uint32_t atomic : 1;      // the last write was atomic
    Byte() : copied_by(0), atomic(0) {}
  };
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };

  std::unique_ptr<char, Free> data_;
  size_t bytes_ = 0, allocated_ = 0;
  std::vector<Byte> shadow_;
};

}  // namespace ashlar::emulator
