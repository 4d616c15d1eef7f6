// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How the kernel treated a thread of this process: how long it ran, and how long it could have run while others did. What a
// thread cannot see of itself without asking, and asking costs it nothing when somebody else does.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace spillway::io {

struct ThreadTimes {
    base::Duration ran{};           // on a CPU, in user and kernel mode
    base::Duration waited{};        // runnable, while its CPU ran something else
    std::uint64_t preemptions = 0;  // times it was taken from its CPU against its will
};

/// Since the thread began; zeros where the kernel does not say or there is no such thread. Reads two files below `root` ("" for
/// this host): /proc/self/task/ID/schedstat (sched-stats.rst of the kernel) and status (proc(5)).
[[nodiscard]] ThreadTimes thread_times(std::uint64_t id, const std::string& root = {});

}  // namespace spillway::io
