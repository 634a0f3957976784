// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/message_tags.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "gtest/gtest.h"

namespace ashlar {
namespace {

using Group = std::vector<int>;

// Calls `visit` with the sizes of the axes of every mesh of that many ranks.
void ForEachMesh(int ranks, std::vector<int>& sizes,
                 const std::function<void(const std::vector<int>&)>& visit) {
  if (ranks == 1) visit(sizes);
  for (int size = 2; size <= ranks; ++size) {
    if (ranks % size != 0) continue;
    sizes.push_back(size);
    ForEachMesh(ranks / size, sizes, visit);
    sizes.pop_back();
  }
}

// The groups of ranks that differ along some of the axes.
std::set<Group> GroupsOf(const std::vector<int>& sizes, int ranks) {
  std::set<Group> groups;
  for (unsigned axes = 1; axes < 1u << sizes.size(); ++axes)
    for (int rank = 0; rank < ranks; ++rank) {
      Group group = {rank};
      int stride = ranks;
      for (size_t axis = 0; axis < sizes.size(); ++axis) {
        stride /= sizes[axis];
        if (!(axes >> axis & 1)) continue;
        Group wider;
        for (int member : group)
          for (int index = 0; index < sizes[axis]; ++index)
            wider.push_back(member + (index - member / stride % sizes[axis]) * stride);
        group = wider;
      }
      std::sort(group.begin(), group.end());
      groups.insert(group);
    }
  return groups;
}

bool ShareTwo(const Group& one, const Group& other) {
  Group both;
  std::set_intersection(one.begin(), one.end(), other.begin(), other.end(),
                        std::back_inserter(both));
  return both.size() >= 2;
}

// How many pairs of groups that share two ranks have one number.
int CountEqual(const std::set<Group>& groups) {
  int equal = 0;
  std::multimap<int, const Group*> numbers;
  for (const Group& group : groups) {
    const int number = TagGroupOf(group, /*sender=*/-1);
    EXPECT_GE(number, 0);
    EXPECT_LT(number, kTagGroups);
    auto [begin, end] = numbers.equal_range(number);
    for (auto it = begin; it != end; ++it) equal += ShareTwo(*it->second, group);
    numbers.emplace(number, &group);
  }
  return equal;
}

TEST(MessageTags, TellTheGroupsOfAMeshApart) {
  for (int ranks = 2; ranks <= 64; ++ranks) {
    std::vector<int> sizes;
    ForEachMesh(ranks, sizes, [&](const std::vector<int>& mesh) {
      EXPECT_EQ(CountEqual(GroupsOf(mesh, ranks)), 0)
          << ranks << " ranks, the first axis of " << mesh[0];
    });
  }
}

TEST(MessageTags, TellPowersOfTwoApart) {
  EXPECT_EQ(CountEqual(GroupsOf({2, 2, 2, 2, 2, 2, 2, 2}, 256)), 0);
  EXPECT_EQ(CountEqual(GroupsOf({8, 4, 16, 4}, 2048)), 0);
}

// From one rank to another: both kinds of messages, in both orders, and collectives of the two.
TEST(MessageTags, TellMessagesFromCollectives) {
  std::set<int> numbers;
  for (const Group& group : {Group{5, 9}, Group{9, 5}})
    for (int sender : {-1, 5, 9}) numbers.insert(TagGroupOf(group, sender));
  EXPECT_EQ(numbers.size(), 6u);
}

TEST(MessageTags, AreOthersForEachOf64Calls) {
  const Group group = {0, 1, 2};
  Collective call;
  call.group = &group;
  MessageTags tags;
  std::set<int> seen;
  for (int i = 0; i < 64; ++i) {
    const CallTag tag = tags.Next(call, 0);
    for (int step = 0; step < kTagSteps; ++step) seen.insert(tag.first + step);
    EXPECT_LT(tag.first + kTagSteps, kLastTag);
  }
  EXPECT_EQ(seen.size(), 64u * kTagSteps);
  EXPECT_EQ(tags.Next(call, 0).first, *seen.begin());  // reused
}

}  // namespace
}  // namespace ashlar
