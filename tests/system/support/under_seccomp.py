#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
"""Becomes a program under a seccomp profile in Docker's format, as a container runtime would, through libseccomp.

    under_seccomp.py PROFILE [--without NAME] [--refuse NAME:ARGUMENT:VALUE:ERRNO] -- PROGRAM [WORD...]

`--without` takes a system call off the list; `--refuse` makes it fail where that argument has that value.
"""
import ctypes
import json
import os
import sys

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
COMPARISONS = {"SCMP_CMP_NE": 1, "SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def library():
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
    seccomp.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    seccomp.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison)]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    return seccomp


def action(rule):
    return ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else ERRNO | rule.get("errnoRet", 1)


def load(profile, without, refused):
    seccomp = library()
    context = seccomp.seccomp_init(ERRNO | profile["defaultErrnoRet"])

    def add(what, name, *comparisons):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # of another architecture
            return
        array = (Comparison * len(comparisons))(*comparisons)
        if (fault := seccomp.seccomp_rule_add_array(context, what, number, len(comparisons), array)) != 0:
            sys.exit(f"under_seccomp: {name}: {os.strerror(-fault)}")

    for rule in profile["syscalls"]:
        for name in rule["names"]:
            if name == without:
                continue
            if refused and name == refused[0]:
                argument, value, error = map(int, refused[1:])
                add(ALLOW, name, Comparison(argument, COMPARISONS["SCMP_CMP_NE"], value, 0))
                add(ERRNO | error, name, Comparison(argument, COMPARISONS["SCMP_CMP_EQ"], value, 0))
                continue
            add(action(rule), name, *(Comparison(c["index"], COMPARISONS[c["op"]], c["value"], c["valueTwo"]) for c in rule.get("args", [])))
    if (fault := seccomp.seccomp_load(context)) != 0:
        sys.exit(f"under_seccomp: the filter is not taken: {os.strerror(-fault)}")


def main(words):
    end = words.index("--")
    options = dict(zip(words[1:end:2], words[2:end:2]))
    with open(words[0], encoding="utf-8") as file:
        profile = json.load(file)
    refused = options["--refuse"].split(":") if "--refuse" in options else None
    load(profile, options.get("--without"), refused)
    os.execv(words[end + 1], words[end + 1:])


main(sys.argv[1:])
