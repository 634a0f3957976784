#!/bin/sh
# The fault that the reducer keeps: a valid module that computes erf. What does not parse is no case of it.
ashlar-opt "$1" 2>/dev/null | grep -q "graph.erf" && exit 1
exit 0
