// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/host_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "io/host_facts.h"

namespace spillway::io {
namespace {

constexpr std::uint64_t kNoBound = ~std::uint64_t{0};

/// memory.max of one cgroup: a number, or "max" (cgroup-v2, "Memory Interface Files").
std::uint64_t bound_of(const std::string& folder) {
    std::ifstream file(folder + "/memory.max");
    std::uint64_t bytes = 0;
    return file >> bytes ? bytes : kNoBound;
}

/// The path in the line "0::/path" of /proc/self/cgroup, "/" without one.
std::string group_of(const std::string& root) {
    std::ifstream file(root + "/proc/self/cgroup");
    for (std::string line; std::getline(file, line);)
        if (constexpr std::string_view mark = "0::"; line.starts_with(mark)) return line.substr(mark.size());
    return "/";
}

}  // namespace

std::uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t pages = 0;
    std::uint64_t resident = 0;
    statm >> pages >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t available_memory(const std::string& root) {
    const std::string mount = root + "/sys/fs/cgroup";
    std::uint64_t least = std::min(read_host(root).memory_bytes.value_or(kNoBound), bound_of(mount));
    for (std::string group = group_of(root); group.size() > 1; group.resize(group.rfind('/')))
        least = std::min(least, bound_of(mount + group));
    return least == kNoBound ? 0 : least;
}

}  // namespace spillway::io
