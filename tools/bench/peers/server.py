# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Keeps one peer with one cell's model in a process, and times steps of it on request.

    python server.py PEER CELL.json

A line of JSON in on stdin, a line of JSON out on what was stdout (the peer's own chatter goes to stderr). First comes
    {"event": "ready", "load_s": ..., "threads": ..., "version": ...}   or   {"event": "error", "reason": ...}
then, on request,
    {"op": "outputs", "path": P}               writes the step's output to P.npy; {"event": "outputs"}
    {"op": "time", "seconds": S, "calls": N}   steps for S seconds, at least N;
                                               {"event": "times", "ms": [...], "cores": C}
where `cores` is processor time by wall time: how many cores the steps really kept busy.
"""
import gc
import importlib
import json
import os
import pathlib
import sys
import time
import traceback


def last_line(error):
    text = "".join(traceback.format_exception_only(error)).strip()
    return " ".join(text.split())[:400]


class Server:
    def __init__(self, peer, channel):
        self.peer, self.channel = peer, channel
        self.result = None
        self.restore = getattr(peer, "restore", lambda: None)

    def say(self, **what):
        self.channel.write(json.dumps(what) + "\n")
        self.channel.flush()

    def warm_up(self, seconds=1.0, calls=3):
        end = time.perf_counter() + seconds
        while calls > 0 or time.perf_counter() < end:
            self.restore()
            self.result = self.peer.run()
            calls -= 1

    def outputs(self, path):
        import numpy as np
        self.restore()
        np.save(path, np.asarray(self.peer.output(self.peer.run()), np.float32))
        self.say(event="outputs")

    def time(self, seconds, calls):
        milliseconds = []
        gc.collect()
        gc.disable()
        processor, begin = time.process_time(), time.perf_counter()
        while len(milliseconds) < calls or time.perf_counter() - begin < seconds:
            self.restore()
            since = time.perf_counter()
            self.result = self.peer.run()
            milliseconds.append((time.perf_counter() - since) * 1e3)
        cores = (time.process_time() - processor) / (time.perf_counter() - begin)
        gc.enable()
        self.say(event="times", ms=milliseconds, cores=cores)

    def serve(self, requests):
        for line in requests:
            request = json.loads(line)
            op = request.pop("op")
            try:
                {"outputs": self.outputs, "time": self.time}[op](**request)
            except Exception as error:
                traceback.print_exc()
                self.say(event="error", reason=last_line(error))


def main(name, description):
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
    from peers import PEERS
    cell = json.loads(pathlib.Path(description).read_text())
    entry = next(peer for peer in PEERS if peer.name == name)
    begin = time.perf_counter()
    try:
        module = importlib.import_module("peers." + entry.module)
        peer = module.Peer(cell, entry.variant) if entry.variant else module.Peer(cell)
        server = Server(peer, channel)
        server.warm_up()
    except BaseException as error:
        traceback.print_exc()
        channel.write(json.dumps(dict(event="error", reason=last_line(error))) + "\n")
        channel.flush()
        return 1
    server.say(event="ready", load_s=time.perf_counter() - begin, threads=cell["threads"], version=peer.version)
    server.serve(sys.stdin)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
