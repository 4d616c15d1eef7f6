#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
"""Makes system calls that a filter judges by their arguments, and names those that it forbids (EPERM), a line each.

    kernel_questions.py HOST PORT

At that address somebody must accept a connection.
"""
import ctypes
import errno
import fcntl
import socket
import sys

SOCKETS = {
    "AF_UNIX": (1, socket.SOCK_STREAM, 0),
    "AF_INET": (2, socket.SOCK_STREAM, 0),
    "AF_INET6": (10, socket.SOCK_STREAM, 0),
    "NETLINK_ROUTE": (16, socket.SOCK_RAW, 0),
    "NETLINK_AUDIT": (16, socket.SOCK_RAW, 9),
    "AF_PACKET": (17, socket.SOCK_RAW, 0),
    "AF_ALG": (38, socket.SOCK_SEQPACKET, 0),
    "AF_VSOCK": (40, socket.SOCK_STREAM, 0),
}
REQUESTS = {
    "TCGETS": 0x5401,
    "SIOCOUTQ": 0x5411,
    "TIOCSTI": 0x5412,
    "TIOCLINUX": 0x541C,
    "FIONBIO": 0x5421,
    "SIOCSIFFLAGS": 0x8914,
    "SIOCGIFINDEX": 0x8933,
}
OPTIONS = {"PR_SET_DUMPABLE": 4, "PR_SET_SECCOMP": 22, "PR_CAPBSET_READ": 23, "PR_SET_MM": 35, "PR_SET_NO_NEW_PRIVS": 38, "PR_SET_PTRACER": 0x59616D61}

library = ctypes.CDLL(None, use_errno=True)


def forbidden(call):
    try:
        return call() == errno.EPERM
    except OSError as error:
        return error.errno == errno.EPERM


def open_socket(family, kind, protocol):
    socket.socket(family, kind, protocol).close()


def prctl(option):
    return ctypes.get_errno() if library.prctl(option, 1, 0, 0, 0) < 0 else 0


connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
questions = {name: lambda words=words: open_socket(*words) for name, words in SOCKETS.items()}
questions |= {name: lambda request=request: fcntl.ioctl(connection, request, bytes(40)) and None for name, request in REQUESTS.items()}
questions |= {name: lambda option=option: prctl(option) for name, option in OPTIONS.items()}
for name, question in questions.items():
    if forbidden(question):
        print(name)
