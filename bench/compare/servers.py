# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
"""Servers as child processes: Spillway and its peers, each pinned, each with the flags by which spillway-load finds it."""
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from machine import ROOT

PEERS_FOLDER = ROOT / "build" / "peers"
PEER_NAMES = ["bun", "nchan", "node-ws"]
START_SECONDS = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`load` are the flags for spillway-load. Ends with the with-block."""

    def __init__(self, name, words, cpus, port, load, environment=None):
        self.name = name
        self.port = port
        # Whatever ends this script, no server stays behind on a pinned processor.
        self.words = ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", ",".join(map(str, cpus)), *map(str, words)]
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(self.words, stdout=self.log, stderr=self.log, env={**os.environ, **(environment or {})})
        self.load = [*load, "--pid", str(self.process.pid)]
        self._wait()

    def _wait(self):
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            select.select([], [], [], 0.05)
        raise RuntimeError(f"{self.name} does not start: {self.said()}")

    def said(self):
        self.log.seek(0)
        return self.log.read()[-500:].strip()

    def resident_bytes(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def spillway(build, cpus, flags=()):
    """One core per processor in `cpus`. Idle clients are left alone for an hour."""
    port, metrics = free_port(), free_port()
    words = [build / "spillway", "--port", port, "--metrics-port", metrics, "--cores", len(cpus), "--max-clients", 0,
             "--echo", "/echo", "--ping-interval", "3600s", "--read-timeout", "7200s", "--write-timeout", "3600s", *flags]
    server = Server("spillway", words, cpus, port, ["--port", str(port), "--metrics-port", str(metrics)])
    server.metrics_port = metrics
    return server


def stats(server):
    """Spillway's own figures."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/stats", timeout=10) as answer:
        return json.load(answer)


def _peer_load(port):
    return ["--url", f"ws://127.0.0.1:{port}/sub/{{channel}}", "--publish", "socket:/pub/{channel}"]


def _bun(port):
    program = PEERS_FOLDER / "bun"
    return [program, ROOT / "bench/compare/peers/bun.js", port] if program.exists() else None


def _node_ws(port):
    node = shutil.which("node")
    found = node and (PEERS_FOLDER / "node_modules/ws").exists()
    return [node, ROOT / "bench/compare/peers/node_ws.mjs", port, PEERS_FOLDER] if found else None


def _nchan(port):
    where = PEERS_FOLDER / "nginx.txt"
    if not where.exists():
        return None
    text = (ROOT / "bench/compare/peers/nchan.conf.in").read_text()
    config = PEERS_FOLDER / "nchan.conf"
    config.write_text(text.replace("@FOLDER@", str(PEERS_FOLDER)).replace("@PORT@", str(port)))
    return [ROOT / where.read_text().strip(), "-p", PEERS_FOLDER, "-c", config]


COMMANDS = {"bun": _bun, "nchan": _nchan, "node-ws": _node_ws}


def peer(name, cpus):
    """None: it is not here, or does not start; said on stderr by the caller's `say`."""
    port = free_port()
    words = COMMANDS[name](port)
    return None if words is None else Server(name, words, cpus, port, _peer_load(port))
