#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The Spillway authors
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by the scripts beside it: which process is meant, for how long, and what this host can measure.
# Sets pid, seconds, out, metrics_port from the arguments; the rest is functions.
# shellcheck disable=SC2034

say() { echo "perf: $*" >&2; }
die() { say "$*"; exit 2; }

pid='' seconds=10 out='' metrics_port=''
usage() { sed -n '/^# Usage/,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }
while (($#)); do
    case $1 in
        --seconds) seconds=${2:?--seconds wants a number}; shift 2 ;;
        --out) out=${2:?--out wants a folder}; shift 2 ;;
        --metrics-port) metrics_port=${2:?--metrics-port wants a number}; shift 2 ;;
        --help) usage; exit 0 ;;
        [0-9]*) pid=$1; shift ;;
        *) usage >&2; exit 2 ;;
    esac
done

# The process to look at: the given one, else the only spillway that runs.
find_target() {
    if [[ -z $pid ]]; then
        mapfile -t found < <(pgrep -x spillway)
        ((${#found[@]} == 1)) || die "${#found[@]} processes are called spillway; say which: $0 PID"
        pid=${found[0]}
    fi
    [[ -d /proc/$pid ]] || die "there is no process $pid"
    out=${out:-build/perf}
    mkdir -p "$out"
}

need_perf() {
    command -v perf >/dev/null || die "perf is not installed: apt-get install linux-perf (Debian) or linux-tools-generic (Ubuntu)"
    local paranoid
    paranoid=$(cat /proc/sys/kernel/perf_event_paranoid 2>/dev/null || echo 4)
    ((EUID == 0 || paranoid <= 1)) || die "kernel.perf_event_paranoid is $paranoid: run as root, or set it to 1 or less"
}

has_event() { perf stat -e "$1" -- true 2>&1 | grep -qvE "not supported|not counted|^$" && ! perf stat -e "$1" -- true 2>&1 | grep -qE "not supported|not found|unknown|syntax error"; }

# Hardware cycles where the processor (or the hypervisor) offers them, else a timer.
sampling_event() {
    if has_event cycles; then
        echo cycles
    else
        say "no hardware counters here (a virtual machine?): sampling by a timer, so costs inside a function with interrupts off show where they end"
        echo cpu-clock
    fi
}

# Tracepoints need tracefs. Mounting it changes the host, so that is left to its owner.
has_tracepoints() {
    [[ -d /sys/kernel/tracing/events || -d /sys/kernel/debug/tracing/events ]] && return
    say "tracefs is not mounted, so no tracepoints; to have them: mount -t tracefs none /sys/kernel/tracing"
    return 1
}

# Sum of a metric of the server, 0 when it cannot be asked.
metric() {
    [[ -n $metrics_port ]] || { echo 0; return; }
    curl -s --max-time 2 "http://127.0.0.1:$metrics_port/metrics" | awk -v name="$1" '$1 == name || index($1, name "{") == 1 { sum += $2 } END { printf "%.0f\n", sum }'
}
