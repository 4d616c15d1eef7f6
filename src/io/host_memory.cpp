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

/// Where a version of cgroups is mounted, the file that bounds a cgroup, and how the line of /proc/self/cgroup begins, behind
/// its first colon, that has the cgroup's path (cgroups(7)). The file holds a number, or "max".
struct Hierarchy {
    std::string_view mount;
    std::string_view bound;
    std::string_view controllers;
};
constexpr Hierarchy kHierarchies[] = {{"/sys/fs/cgroup", "/memory.max", ":"},
                                      {"/sys/fs/cgroup/memory", "/memory.limit_in_bytes", "memory:"}};

std::uint64_t bound_of(const std::string& file_name) {
    std::ifstream file(file_name);
    std::uint64_t bytes = 0;
    return file >> bytes ? bytes : kNoBound;
}

/// "/" where no line says.
std::string group_of(const std::string& root, std::string_view controllers) {
    std::ifstream file(root + "/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        const std::string_view rest = std::string_view(line).substr(std::min(line.find(':') + 1, line.size()));
        if (rest.starts_with(controllers)) return std::string(rest.substr(controllers.size()));
    }
    return "/";
}

std::uint64_t least_bound(const std::string& root, const Hierarchy& hierarchy) {
    const std::string mount = root + std::string(hierarchy.mount);
    const std::string file(hierarchy.bound);
    std::uint64_t least = bound_of(mount + file);
    for (std::string group = group_of(root, hierarchy.controllers); group.size() > 1; group.resize(group.rfind('/')))
        least = std::min(least, bound_of(std::string(mount).append(group).append(file)));
    return least;
}

}  // namespace

std::uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t pages = 0;
    std::uint64_t resident = 0;
    statm >> pages >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t own_resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t pages = 0;
    std::uint64_t resident = 0;
    std::uint64_t shared = 0;
    statm >> pages >> resident >> shared;
    return (resident - std::min(shared, resident)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t available_memory(const std::string& root) {
    std::uint64_t least = read_host(root).memory_bytes.value_or(kNoBound);
    for (const Hierarchy& hierarchy : kHierarchies) least = std::min(least, least_bound(root, hierarchy));
    return least == kNoBound ? 0 : least;
}

}  // namespace spillway::io
