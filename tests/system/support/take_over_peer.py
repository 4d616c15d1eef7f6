# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
"""The other side of taking over, played step by step (Node passes no descriptors). Prints a line of JSON for each record heard.

    say ADDRESS TEXT...        calls the server at ADDRESS, sends each TEXT, then waits for the end of the connection
    between ADDRESS            takes over, holds the sockets without accepting; on a line of standard input hands them to the
                               next, as a version that says and sends more than is known today would
"""
import array
import json
import os
import socket
import sys

LANGUAGE = "spillway-take-over 1\n"


def heard(connection):
    text, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(253 * 4))
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % 4])
    values = dict(line.split(": ", 1) for line in text.decode().split("\n")[1:] if line)
    print(json.dumps({"text": text.decode(), "descriptors": len(descriptors), **values}), flush=True)
    return text, values, list(descriptors)


def call(address):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect("\0spillway-take-over/" + address)
    return connection


def say(address, texts):
    connection = call(address)
    print(json.dumps({"step": "connected"}), flush=True)
    for text in texts:
        try:
            connection.send(text.encode())
        except OSError:
            break
    for _ in range(2):
        try:
            while heard(connection)[0]:
                pass
        except ConnectionResetError:  # told once, if it hung up without having read all; what it said is still there
            continue
        except OSError:
            pass
        break
    print(json.dumps({"step": "over"}), flush=True)


def between(address):
    connection = call(address)
    connection.send((LANGUAGE + "step: ask\nmood: good\n").encode())
    _, offer, descriptors = heard(connection)
    connection.send((LANGUAGE + f"step: ready\nsockets: {offer['sockets']}\n").encode())
    heard(connection)
    connection.close()
    sys.stdin.readline()
    uses = offer["sockets"].split()
    listener = socket.socket(fileno=descriptors[uses.index("successor")])
    listener.setblocking(True)
    successor, _ = listener.accept()
    heard(successor)
    unknown, _ = os.pipe()
    name = f"local-path: {offer['local-path']}\n" if "local-path" in offer else ""
    text = f"{LANGUAGE}step: offer\nsockets: telepathy {offer['sockets']}\nweather: fine\npid: {os.getpid()}\nversion: 99\n{name}"
    rights = array.array("i", [unknown, *descriptors])
    successor.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    heard(successor)
    successor.send((LANGUAGE + "step: go\n").encode())


if sys.argv[1] == "say":
    say(sys.argv[2], sys.argv[3:])
else:
    between(sys.argv[2])
