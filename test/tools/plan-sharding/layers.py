# Writes a chain of equal layers whose activations are kept for the backward pass, with little
# memory: layers.py LAYERS LIMIT.
#
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import json
import sys

count, limit = int(sys.argv[1]), int(sys.argv[2])
nodes, strategies = 12, 8
state = 1


def below(end):
    global state
    state = (state * 1103515245 + 12345) % 2**31
    return state // 65536 % end


def values(size, end):
    return [below(end) for _ in range(size)]


costs = [values(strategies, 1000) for _ in range(nodes)]
usages = [values(strategies, 100) for _ in range(nodes)]
pairs = [(i, j) for i in range(nodes) for j in (i + 1, i + 2) if j < nodes]
inner = {pair: values(strategies**2, 500) for pair in pairs}
outer = values(strategies**2, 500)
problem = {
    "nodes": {"intervals": [], "costs": [], "usages": []},
    "edges": {"nodes": [], "costs": []},
    "usage_limit": limit,
}
end = 2 * count * nodes
for layer in range(count):
    first = layer * nodes
    for i in range(nodes):
        now = first + i
        problem["nodes"]["intervals"].append([now, now + 2] if i % 4 == 3 else [now, end - now])
        problem["nodes"]["costs"].append(costs[i])
        problem["nodes"]["usages"].append(usages[i])
    edges = {(first + i, first + j): m for (i, j), m in inner.items()}
    if layer:
        edges[first - 1, first] = outer
    for ends, matrix in edges.items():
        problem["edges"]["nodes"].append(ends)
        problem["edges"]["costs"].append(matrix)
print(json.dumps({"problem": problem}))
