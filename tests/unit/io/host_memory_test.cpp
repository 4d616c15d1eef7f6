// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/host_memory.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>

using namespace spillway;

namespace {

/// A host of files, gone with it.
struct Host {
    Host() { std::filesystem::remove_all(root); }
    ~Host() { std::filesystem::remove_all(root); }
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;
    void say(const std::string& path, const std::string& text) const {
        std::filesystem::create_directories((root + path).substr(0, (root + path).rfind('/')));
        std::ofstream(root + path) << text;
    }
    [[nodiscard]] std::uint64_t available() const { return io::available_memory(root); }
    std::string root =
        (std::filesystem::temp_directory_path() / ("spillway-host-" + std::to_string(::getpid()))).string();
};

}  // namespace

TEST_CASE("B1 available memory is the host's or that of a cgroup above, whichever is smaller") {
    const Host host;
    CHECK(host.available() == 0);
    host.say("/proc/meminfo", "MemFree: 5 kB\nMemTotal:    4000 kB\n");
    CHECK(host.available() == 4000 * 1024);
    host.say("/proc/self/cgroup", "1:name=x:/else\n0::/outer/inner\n");
    host.say("/sys/fs/cgroup/outer/inner/memory.max", "max\n");
    CHECK(host.available() == 4000 * 1024);
    host.say("/sys/fs/cgroup/outer/memory.max", "2000000\n");
    CHECK(host.available() == 2'000'000);
    host.say("/sys/fs/cgroup/outer/inner/memory.max", "1000000\n");
    CHECK(host.available() == 1'000'000);
}

TEST_CASE("A26 B1 a limit of cgroups version 1 counts, and none there is none") {
    const Host host;
    host.say("/proc/meminfo", "MemTotal:    4000 kB\n");
    host.say("/proc/self/cgroup", "9:name=systemd:/else\n7:memory:/outer/inner\n0::/\n");
    host.say("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK(host.available() == 4000 * 1024);
    host.say("/sys/fs/cgroup/memory/outer/inner/memory.limit_in_bytes", "2000000\n");
    CHECK(host.available() == 2'000'000);
    host.say("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000\n");  // as a container sees its own
    CHECK(host.available() == 1'000'000);
}

TEST_CASE("what is resident is more than nothing and less than everything") {
    CHECK(io::resident_bytes() > 100'000);
    CHECK(io::resident_bytes() < 1ULL << 40);
    CHECK(io::own_resident_bytes() > 100'000);
    CHECK(io::own_resident_bytes() < io::resident_bytes());
}
