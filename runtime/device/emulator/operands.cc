// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/device/emulator/operands.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/base/status.h"

namespace ashlar::emulator {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kGap = size_t{64} << 20;  // address space only: strays of whole rows are found too
constexpr size_t kAlignment = 256;         // what offsets in an arena are rounded to

// Of larger operands no accesses are noted: a note has eight bytes for each byte.
constexpr size_t kMaxTracked = size_t{64} << 20;

// A stamp of an access to global memory: block + 1, thread, clock, and whether it was atomic.
constexpr int kClockBits = 28, kThreadBits = 10;
constexpr uint64_t kAtomicBit = uint64_t{1} << 63;

uint64_t GlobalStamp(const Accessor& a, Access access) {
  return (access == Access::kAtomic ? kAtomicBit : 0) |
         (a.block + 1) << (kClockBits + kThreadBits) | uint64_t{a.thread} << kClockBits | a.clock;
}

struct Decoded {
  explicit Decoded(uint64_t stamp)
      : block(((stamp & ~kAtomicBit) >> (kClockBits + kThreadBits)) - 1),
        thread(stamp >> kClockBits & ((1u << kThreadBits) - 1)),
        clock(stamp & ((1u << kClockBits) - 1)) {}
  uint64_t block;
  uint32_t thread, clock;
};

// Whether the access of `stamp` is ordered before one by `a`.
bool Before(uint64_t stamp, const Accessor& a) {
  if (stamp == 0) return true;
  Decoded d(stamp);
  return d.block == a.block && (d.thread == a.thread || (*a.known)[d.thread] >= d.clock);
}

const char* Verb(Access access) {
  return access == Access::kRead    ? "reads"
         : access == Access::kWrite ? "writes"
                                    : "updates atomically";
}

size_t RoundUp(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PlacedOperands>> PlacedOperands::Create(const Launch& launch) {
  std::unique_ptr<PlacedOperands> placed(new PlacedOperands(launch));
  ASHLAR_RETURN_IF_ERROR(placed->FindPlaces());
  ASHLAR_RETURN_IF_ERROR(placed->Map());
  placed->FillParameters();
  return placed;
}

PlacedOperands::~PlacedOperands() {
  if (mapping_) munmap(mapping_, mapped_);
}

absl::Status PlacedOperands::FindPlaces() {
  for (const Operand& operand : launch_.operands) {
    char* data = static_cast<char*>(operand.data);
    size_t index = 0;
    for (; index < places_.size(); ++index) {
      const Place& other = places_[index];
      if (data == other.original && operand.bytes == other.bytes) break;
      if (data < other.original + other.bytes && other.original < data + operand.bytes)
        return InvalidArgument("kernel ", launch_.kernel, ": operands '", other.name, "' and '",
                               operand.name, "' overlap without being the same range");
    }
    if (index == places_.size()) {
      places_.emplace_back();
      places_[index].name = operand.name;
      places_[index].original = data;
      places_[index].bytes = operand.bytes;
    }
    places_[index].read |= operand.access != OperandAccess::kWrite;
    places_[index].write |= operand.access != OperandAccess::kRead;
    places_[index].keeps |= operand.keeps;
    place_of_operand_.push_back(index);
    if (operand.parameter_offset != kNoParameter &&
        operand.parameter_offset + sizeof(void*) > launch_.parameters.size())
      return InvalidArgument("kernel ", launch_.kernel, ": operand '", operand.name,
                             "' has its address at byte ", operand.parameter_offset,
                             " of the parameters, which have ", launch_.parameters.size());
  }
  for (const TensorMapParameter& map : launch_.tensor_maps) {
    if (map.operand < 0 || static_cast<size_t>(map.operand) >= launch_.operands.size() ||
        map.parameter_offset + sizeof(TensorMap) > launch_.parameters.size())
      return InvalidArgument("kernel ", launch_.kernel, ": tensor map of operand ", map.operand,
                             " at byte ", map.parameter_offset, " of the parameters (",
                             launch_.parameters.size(), ") does not exist");
    const Operand& operand = launch_.operands[map.operand];
    if (map.row_stride % 16 != 0 || map.columns * map.element_bytes > map.row_stride ||
        map.rows == 0 ||
        (map.rows - 1) * map.row_stride + map.columns * map.element_bytes > operand.bytes ||
        map.box_rows > 256 || map.box_columns > 256 ||
        (map.swizzle_bytes != 0 && map.box_columns * map.element_bytes > map.swizzle_bytes))
      return InvalidArgument("kernel ", launch_.kernel, ": tensor map of operand '", operand.name,
                             "' (", map.rows, " x ", map.columns, ", stride ", map.row_stride,
                             " bytes, box ", map.box_rows, " x ", map.box_columns,
                             ") breaks a limit of the copy engine or leaves the operand's ",
                             operand.bytes, " bytes");
  }
  return absl::OkStatus();
}

absl::Status PlacedOperands::Map() {
  mapped_ = kGap;
  for (const Place& place : places_) mapped_ += RoundUp(place.bytes + kPage, kPage) + kGap;
  void* mapping =
      mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return ErrnoError(errno, "mmap", "the operands of " + launch_.kernel);
  mapping_ = static_cast<char*>(mapping);
  char* next = mapping_ + kGap;
  for (Place& place : places_) {
    size_t mapped = RoundUp(place.bytes + kPage, kPage);
    if (mprotect(next, mapped, PROT_READ | PROT_WRITE) != 0)
      return ErrnoError(errno, "mprotect", "operand " + place.name);
    place.data = next + reinterpret_cast<uintptr_t>(place.original) % kAlignment;
    if (place.read || place.keeps) {
      if (place.bytes) std::memcpy(place.data, place.original, place.bytes);
    } else {
      std::memset(place.data, 0xff, place.bytes);
    }
    if (place.write && place.bytes <= kMaxTracked) {
      place.writes.reset(new std::atomic<uint64_t>[place.bytes]());
      if (place.read) place.reads.reset(new std::atomic<uint64_t>[place.bytes]());
    }
    next += mapped + kGap;
  }
  return absl::OkStatus();
}

void PlacedOperands::FillParameters() {
  parameters_ = launch_.parameters;
  for (size_t i = 0; i < launch_.operands.size(); ++i) {
    if (launch_.operands[i].parameter_offset == kNoParameter) continue;
    char* address = places_[place_of_operand_[i]].data;
    std::memcpy(parameters_.data() + launch_.operands[i].parameter_offset, &address,
                sizeof address);
  }
  for (const TensorMapParameter& map : launch_.tensor_maps) {
    TensorMap encoded{};
    encoded.base = places_[place_of_operand_[map.operand]].data;
    encoded.rows = map.rows;
    encoded.columns = map.columns;
    encoded.row_stride = map.row_stride;
    encoded.box_rows = map.box_rows;
    encoded.box_columns = map.box_columns;
    encoded.element_bytes = map.element_bytes;
    encoded.swizzle_bytes = map.swizzle_bytes;
    encoded.magic = kTensorMapMagic;
    std::memcpy(parameters_.data() + map.parameter_offset, &encoded, sizeof encoded);
  }
}

const PlacedOperands::Place* PlacedOperands::Nearest(const char* address) const {
  const Place* nearest = nullptr;
  size_t best = kGap / 2;
  for (const Place& place : places_) {
    size_t distance = address < place.data                  ? place.data - address
                      : address >= place.data + place.bytes ? address - place.data - place.bytes
                                                            : 0;
    if (distance < best) best = distance, nearest = &place;
  }
  return nearest;
}

std::string PlacedOperands::Check(const void* address, size_t bytes, Access access,
                                  const Accessor& accessor) {
  const char* begin = static_cast<const char*>(address);
  for (Place& place : places_) {
    size_t offset = begin - place.data;
    if (offset >= place.bytes) continue;
    if (offset + bytes > place.bytes) break;
    if (access == Access::kRead ? !place.read : !place.write)
      return StrCat(Verb(access), " ", bytes, " bytes at offset ", offset, " of operand '",
                    place.name, "', which the launch declares as ",
                    place.read ? "only read" : "only written");
    return place.writes ? CheckRaces(place, offset, bytes, access, accessor) : std::string();
  }
  if (const Place* place = Nearest(begin))
    return StrCat(Verb(access), " ", bytes, " bytes at offset ", begin - place->data,
                  " of operand '", place->name, "', which has ", place->bytes, " bytes");
  return StrCat(Verb(access), " ", bytes, " bytes at address ", address,
                ", far from every operand");
}

std::string PlacedOperands::CheckRaces(Place& place, size_t offset, size_t bytes, Access access,
                                       const Accessor& accessor) {
  uint64_t stamp = GlobalStamp(accessor, access);
  for (size_t i = offset; i < offset + bytes; ++i) {
    // Each side notes its access before it looks for the other's: of two at once, one sees.
    uint64_t write, read = 0;
    if (access == Access::kRead) {
      if (place.reads) place.reads[i].store(stamp);
      write = place.writes[i].load();
    } else {
      write = place.writes[i].exchange(stamp);
      if (place.reads) read = place.reads[i].load();
    }
    bool both_atomic = access == Access::kAtomic && (write & kAtomicBit);
    uint64_t other = 0;
    if (!Before(read, accessor)) other = read;
    if (!both_atomic && !Before(write, accessor)) other = write;
    if (other == 0) continue;
    Decoded d(other);
    return StrCat(Verb(access), " ", bytes, " bytes at offset ", offset, " of operand '",
                  place.name, "', which thread ", d.thread, " of block ", d.block,
                  other == write ? " wrote" : " read",
                  d.block == accessor.block ? " with no barrier between them (race)"
                                            : " in the same launch (race)");
  }
  return std::string();
}

void PlacedOperands::CopyBack() const {
  for (const Place& place : places_)
    if (place.write && place.bytes) std::memcpy(place.original, place.data, place.bytes);
}

}  // namespace ashlar::emulator
