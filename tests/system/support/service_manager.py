# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
"""What a service manager does for a service, in two commands (Node has no datagram Unix sockets and passes no descriptors).

    hear PATH                     binds NOTIFY_SOCKET, prints each message as a line of JSON
    start NAME=ADDRESS... -- ...  opens listening sockets, then becomes the program with LISTEN_FDS and kin
"""
import json
import os
import socket
import sys


def hear(path):
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(path)
    print(json.dumps("bound"), flush=True)
    while True:
        print(json.dumps(heard.recv(4096).decode()), flush=True)


def listening(address):
    if address.startswith("/"):
        opened = socket.socket(socket.AF_UNIX)
        opened.bind(address)
    else:
        opened = socket.socket()
        opened.bind(("127.0.0.1", int(address)))
    opened.listen(512)
    return opened


def start(wanted, program):
    sockets = [(name, listening(address)) for name, address in wanted]
    for i, (_, opened) in enumerate(sockets):
        os.dup2(os.dup(opened.fileno()), 100 + i)
    for i in range(len(sockets)):
        os.dup2(100 + i, 3 + i, inheritable=True)
        os.close(100 + i)
    os.environ.update(
        LISTEN_FDS=str(len(sockets)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=":".join(name for name, _ in sockets)
    )
    os.execv(program[0], program)


if sys.argv[1] == "hear":
    hear(sys.argv[2])
else:
    end = sys.argv.index("--")
    start([word.split("=", 1) for word in sys.argv[2:end]], sys.argv[end + 1 :])
