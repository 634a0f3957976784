// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Dist/Sharding.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <numeric>

namespace ashlar::dist {

bool Axis::overlaps(const Axis &other) const {
  return name == other.name && pre < other.pre * other.size && other.pre < pre * size;
}

int64_t getParts(llvm::ArrayRef<Axis> axes) {
  int64_t parts = 1;
  for (const Axis &axis : axes)
    parts *= axis.size;
  return parts;
}

bool overlaps(llvm::ArrayRef<Axis> a, llvm::ArrayRef<Axis> b) {
  return llvm::any_of(a, [&](const Axis &mine) {
    return llvm::any_of(b, [&](const Axis &other) { return mine.overlaps(other); });
  });
}

bool startsWith(llvm::ArrayRef<Axis> axes, llvm::ArrayRef<Axis> prefix) {
  return axes.size() >= prefix.size() && axes.take_front(prefix.size()) == prefix;
}

Axes merge(llvm::ArrayRef<Axis> axes) {
  Axes merged;
  for (const Axis &axis : axes) {
    if (!merged.empty() && merged.back().name == axis.name &&
        merged.back().pre * merged.back().size == axis.pre)
      merged.back().size *= axis.size;
    else
      merged.push_back(axis);
  }
  return merged;
}

//===----------------------------------------------------------------------===//
// Mesh
//===----------------------------------------------------------------------===//

const MeshAxis *Mesh::find(llvm::StringRef name) const {
  auto found = llvm::find_if(axes, [&](const MeshAxis &axis) { return axis.name == name; });
  return found == axes.end() ? nullptr : &*found;
}

Axis Mesh::getWhole(llvm::StringRef name) const { return {name.str(), 1, find(name)->size}; }

bool Mesh::isWhole(const Axis &axis) const {
  const MeshAxis *found = find(axis.name);
  return found && axis.pre == 1 && axis.size == found->size;
}

int64_t Mesh::getRankCount() const {
  int64_t count = 1;
  for (const MeshAxis &axis : axes)
    count *= axis.size;
  return count;
}

int64_t Mesh::getStride(const Axis &axis) const {
  const MeshAxis *whole = find(axis.name);
  int64_t stride = whole->size / (axis.pre * axis.size);
  for (size_t i = whole - axes.data() + 1; i < axes.size(); ++i)
    stride *= axes[i].size;
  return stride;
}

int64_t Mesh::getIndex(int64_t rank, llvm::ArrayRef<Axis> along) const {
  int64_t index = 0;
  for (const Axis &axis : along)
    index = index * axis.size + rank / getStride(axis) % axis.size;
  return index;
}

std::vector<int64_t> Mesh::getGroup(int64_t rank, llvm::ArrayRef<Axis> along) const {
  int64_t count = getParts(along);
  std::vector<int64_t> group(count);
  for (int64_t member = 0; member < count; ++member) {
    int64_t other = rank, rest = member;
    for (const Axis &axis : llvm::reverse(along)) {
      int64_t stride = getStride(axis);
      other += (rest % axis.size - other / stride % axis.size) * stride;
      rest /= axis.size;
    }
    group[member] = other;
  }
  return group;
}

std::string Mesh::toString() const {
  std::string text = "[";
  for (const MeshAxis &axis : axes)
    text += (text.size() > 1 ? ", " : "") + axis.name + " = " + std::to_string(axis.size);
  return text + "]";
}

std::string Mesh::toString(const Axis &axis) const {
  if (isWhole(axis))
    return axis.name;
  return axis.name + ":(" + std::to_string(axis.pre) + ")" + std::to_string(axis.size);
}

std::string Mesh::toString(llvm::ArrayRef<Axis> axes) const {
  return llvm::join(llvm::map_range(axes, [&](const Axis &axis) { return toString(axis); }), ", ");
}

namespace {

/// Ranks within `ranks` of each other talk at this rate.
struct Tier {
  int64_t ranks;
  double bandwidth, latency;
};
struct Topology {
  llvm::StringRef name;
  double flops, memory;
  std::vector<Tier> tiers; // from the inside out
};
constexpr int64_t kEverywhere = INT64_MAX;

const std::vector<Topology> &getTopologies() {
  static const std::vector<Topology> topologies = {
      {"host", 5e10, 1e10, {{kEverywhere, 8e9, 1e-6}}},
      {"nvlink", 4e14, 3e12, {{8, 4.5e11, 3e-6}}},
      {"nvlink-ib", 4e14, 3e12, {{8, 4.5e11, 3e-6}, {kEverywhere, 5e10, 8e-6}}}};
  return topologies;
}

} // namespace

llvm::Expected<Mesh> makeMesh(llvm::ArrayRef<std::pair<std::string, int64_t>> axes,
                              llvm::StringRef topology) {
  auto found =
      llvm::find_if(getTopologies(), [&](const Topology &known) { return known.name == topology; });
  if (found == getTopologies().end())
    return llvm::createStringError(
        "topology '" + topology + "' is unknown; known are " +
        llvm::join(llvm::map_range(getTopologies(), [](const Topology &t) { return t.name.str(); }),
                   ", "));
  Mesh mesh;
  mesh.flops = found->flops;
  mesh.memory = found->memory;
  int64_t span = 1;
  for (auto [name, size] : llvm::reverse(axes)) {
    span *= size; // an axis spans its own ranks and those of the axes after it
    auto tier = llvm::find_if(found->tiers, [&](const Tier &tier) { return span <= tier.ranks; });
    if (tier == found->tiers.end())
      return llvm::createStringError("topology '" + topology + "' has " +
                                     std::to_string(found->tiers.back().ranks) +
                                     " ranks, the mesh more");
    mesh.axes.insert(mesh.axes.begin(), {name, size, tier->bandwidth, tier->latency});
  }
  return mesh;
}

//===----------------------------------------------------------------------===//
// Shards
//===----------------------------------------------------------------------===//

Range cut(int64_t extent, int64_t parts, int64_t index) {
  int64_t each = extent / parts, longer = extent % parts;
  return {index * each + std::min(index, longer), each + (index < longer)};
}

Range getShard(int64_t extent, const Mesh &mesh, llvm::ArrayRef<Axis> axes, int64_t rank) {
  Range held = {0, extent};
  for (const Axis &axis : axes) {
    Range inner = cut(held.size, axis.size, mesh.getIndex(rank, axis));
    held = {held.begin + inner.begin, inner.size};
  }
  return held;
}

llvm::StringRef toString(Reduction reduction) {
  constexpr const char *names[] = {"none", "sum", "max", "min"};
  return names[static_cast<int>(reduction)];
}

bool Sharding::isReplicated() const { return getAxes().empty(); }

Axes Sharding::getAxes() const {
  Axes all;
  for (const DimSharding &dim : dims)
    all.append(dim.axes);
  all.append(partial);
  return all;
}

Sharding Sharding::getClosed() const {
  Sharding closed = *this;
  for (DimSharding &dim : closed.dims)
    dim.isOpen = false;
  return closed;
}

std::string toString(const Sharding &sharding, const Mesh &mesh) {
  std::string text = "[";
  for (const DimSharding &dim : sharding.dims) {
    text += text.size() > 1 ? ", {" : "{";
    text += mesh.toString(dim.axes);
    if (dim.isOpen)
      text += dim.axes.empty() ? "?" : ", ?";
    text += "}";
  }
  text += "]";
  if (!sharding.partial.empty())
    text += " partial " + toString(sharding.reduction).str() + " [" +
            mesh.toString(sharding.partial) + "]";
  return text;
}

std::string check(const Sharding &sharding, const Mesh &mesh) {
  Axes seen;
  auto checkList = [&](llvm::ArrayRef<Axis> axes) -> std::string {
    for (const Axis &axis : axes) {
      const MeshAxis *whole = mesh.find(axis.name);
      if (!whole)
        return "axis '" + axis.name + "' is not in the mesh " + mesh.toString();
      if (axis.pre < 1 || axis.size < 1 || axis.pre > whole->size ||
          axis.size > whole->size / axis.pre || whole->size % (axis.pre * axis.size) != 0)
        return "axis '" + axis.name + "' of size " + std::to_string(whole->size) +
               " has no part (" + std::to_string(axis.pre) + ")" + std::to_string(axis.size);
      if (overlaps(seen, axis))
        return "axis '" + mesh.toString(axis) + "' is used twice";
      seen.push_back(axis);
    }
    if (merge(axes).size() != axes.size())
      return "'" + mesh.toString(axes) + "' is '" + mesh.toString(merge(axes)) +
             "'; write it so, because the parts of an uneven dimension would differ";
    return "";
  };
  for (const DimSharding &dim : sharding.dims)
    if (std::string error = checkList(dim.axes); !error.empty())
      return error;
  if (sharding.partial.empty() != (sharding.reduction == Reduction::None))
    return "partial axes and a reduction go together";
  return checkList(sharding.partial);
}

namespace {

/// Reads the text of a sharding; the first error sticks.
class Reader {
public:
  Reader(llvm::StringRef text, const Mesh &mesh) : rest(text), mesh(mesh) {}

  llvm::Expected<Sharding> read() {
    Sharding sharding;
    expect("[");
    while (error.empty() && !take("]")) {
      if (!sharding.dims.empty())
        expect(",");
      sharding.dims.push_back(readDim());
    }
    if (take("partial")) {
      for (Reduction each : {Reduction::Sum, Reduction::Max, Reduction::Min})
        if (sharding.reduction == Reduction::None && take(toString(each)))
          sharding.reduction = each;
      expect("[");
      while (error.empty() && !take("]")) {
        if (!sharding.partial.empty())
          expect(",");
        sharding.partial.push_back(readAxis());
      }
    }
    if (error.empty() && !rest.trim().empty())
      error = "has '" + rest.trim().str() + "' behind its end";
    if (error.empty())
      error = check(sharding, mesh);
    if (!error.empty())
      return llvm::createStringError(error);
    return sharding;
  }

private:
  bool take(llvm::StringRef token) {
    rest = rest.ltrim();
    return rest.consume_front(token);
  }
  void expect(llvm::StringRef token) {
    if (error.empty() && !take(token))
      error = "expected '" + token.str() + "' at '" + rest.str() + "'";
  }
  DimSharding readDim() {
    DimSharding dim;
    expect("{");
    for (bool first = true; error.empty() && !take("}"); first = false) {
      if (!first)
        expect(",");
      if (take("?"))
        dim.isOpen = true;
      else
        dim.axes.push_back(readAxis());
    }
    return dim;
  }
  Axis readAxis() {
    rest = rest.ltrim();
    Axis axis;
    axis.name = rest.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; }).str();
    rest = rest.drop_front(axis.name.size());
    if (!mesh.find(axis.name)) {
      if (error.empty())
        error = axis.name.empty()
                    ? "expected an axis at '" + rest.str() + "'"
                    : "axis '" + axis.name + "' is not in the mesh " + mesh.toString();
      return axis;
    }
    axis.size = mesh.find(axis.name)->size;
    if (!take(":("))
      return axis;
    if (rest.consumeInteger(10, axis.pre) || !take(")") || rest.consumeInteger(10, axis.size))
      error = "a part of an axis is NAME:(PRE)SIZE, found '" + axis.name + ":(" + rest.str() + "'";
    return axis;
  }

  llvm::StringRef rest;
  const Mesh &mesh;
  std::string error;
};

} // namespace

llvm::Expected<Sharding> parseSharding(llvm::StringRef text, const Mesh &mesh) {
  return Reader(text, mesh).read();
}

} // namespace ashlar::dist
