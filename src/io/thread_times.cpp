// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/thread_times.h"

#include <fstream>

#include "base/format.h"

namespace spillway::io {

ThreadTimes thread_times(std::uint64_t id, const std::string& root) {
    ThreadTimes times;
    const std::string folder = base::concat(root, "/proc/self/task/", id);
    std::ifstream schedstat(folder + "/schedstat");
    std::uint64_t ran_ns = 0;
    std::uint64_t waited_ns = 0;
    if (schedstat >> ran_ns >> waited_ns) {
        times.ran = base::Duration{static_cast<base::Duration::rep>(ran_ns)};
        times.waited = base::Duration{static_cast<base::Duration::rep>(waited_ns)};
    }
    std::ifstream status(folder + "/status");
    for (std::string word; status >> word;)
        if (word == "nonvoluntary_ctxt_switches:") status >> times.preemptions;
    return times;
}

}  // namespace spillway::io
