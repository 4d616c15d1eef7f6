// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/checkup.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace spillway::io {
namespace {

/// A host that wants nothing.
HostFacts healthy() {
    HostFacts facts;
    facts.kernel = {6, 18, 44};
    facts.cpus = 4;
    facts.files_of_host = 9'000'000;
    facts.files_of_process = 1'048'576;
    facts.syn_backlog = 4096;
    facts.tcp_mem = HostFacts::Triple{1'000'000, 1'500'000, 2'000'000};
    facts.tcp_rmem = HostFacts::Triple{4096, 131'072, 6'291'456};
    facts.tcp_wmem = HostFacts::Triple{4096, 16'384, 4'194'304};
    facts.send_buffer_max = 4'194'304;
    facts.memory_bytes = std::uint64_t{64} << 30;
    facts.first_local_port = 10'240;
    facts.last_local_port = 65'535;
    facts.governors = {"performance"};
    facts.network_interrupts = {300'000, 310'000, 290'000, 305'000};
    facts.huge_pages = "madvise";
    return facts;
}

Purpose purpose() { return {4, 228 * 1024, 1'000'000, 256 * 1024, {6001, 9601}}; }

/// The findings of a topic that are not good.
std::vector<Finding> complaints(const HostFacts& facts, const Purpose& wanted = purpose()) {
    std::vector<Finding> all = examine(facts, wanted);
    std::erase_if(all, [](const Finding& f) { return f.verdict == Verdict::good; });
    return all;
}

/// The only complaint there is.
Finding complaint(const HostFacts& facts, const Purpose& wanted = purpose()) {
    const auto all = complaints(facts, wanted);
    REQUIRE(all.size() == 1);
    return all.front();
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

TEST_CASE("doctor: a healthy host gets no advice, and each topic is named") {
    const auto findings = examine(healthy(), purpose());
    CHECK(complaints(healthy()).empty());
    CHECK(exit_code(findings) == 0);
    for (const std::string_view topic :
         {"kernel", "io_uring", "open files", "locked memory", "accept backlog", "tcp memory", "send buffer", "ports",
          "conntrack", "cpu governor", "interrupts", "huge pages"}) {
        CAPTURE(topic);
        CHECK(std::ranges::count(findings, topic, &Finding::topic) == 1);
    }
}

TEST_CASE("doctor: a host that says nothing of itself gets no advice") {
    HostFacts silent;
    silent.kernel = {6, 18, 0};
    CHECK(complaints(silent).empty());
}

TEST_CASE("doctor: what keeps Spillway from running is an obstacle, exit code 2") {
    HostFacts facts = healthy();
    facts.obstacle = "io_uring is blocked";
    facts.syn_backlog = 1;
    const auto findings = complaints(facts);
    CHECK(findings.front().verdict == Verdict::obstacle);
    CHECK(findings.front().found == "io_uring is blocked");
    CHECK(exit_code(findings) == 2);
}

TEST_CASE("doctor: each piece of advice names the command") {
    HostFacts facts = healthy();
    Finding f;
    SECTION("a kernel with a known fault") {
        facts.kernel = {6, 1, 115};
        f = complaint(facts);
        CHECK(f.topic == "kernel");
        CHECK(has(f.found, "update to 6.1.117"));
    }
    SECTION("sends that must be confirmed") {
        facts.completion_per_send = true;
        f = complaint(facts);
        CHECK(f.topic == "io_uring");
    }
    SECTION("open files, soft") {
        facts.limits.files_soft = 1024;
        f = complaint(facts);
        CHECK(f.found == "the limit is 1024 and could be unlimited");
        CHECK(f.change == "ulimit -n 1048576");
    }
    SECTION("open files, of any process") {
        facts.files_of_process = 65'536;
        f = complaint(facts);
        CHECK(f.topic == "open files");
        CHECK(f.change == "sysctl -w fs.nr_open=1048576");
    }
    SECTION("open files, of the host") {
        facts.files_of_host = 100'000;
        f = complaint(facts);
        CHECK(f.change == "sysctl -w fs.file-max=2097152");
    }
    SECTION("locked memory") {
        facts.limits.memlock_bytes = 64 * 1024;
        f = complaint(facts);
        CHECK(f.topic == "locked memory");
        CHECK(has(f.change, "LimitMEMLOCK=infinity"));
    }
    SECTION("the accept backlog") {
        facts.limits.backlog_max = 128;
        f = complaint(facts);
        CHECK(f.change == "sysctl -w net.core.somaxconn=4096");
    }
    SECTION("handshakes under way") {
        facts.syn_backlog = 512;
        f = complaint(facts);
        CHECK(f.change == "sysctl -w net.ipv4.tcp_max_syn_backlog=4096");
    }
    SECTION("TCP memory") {
        facts.tcp_mem = HostFacts::Triple{10'000, 20'000, 100'000};  // 390 MiB for a million
        f = complaint(facts);
        CHECK(f.topic == "tcp memory");
        CHECK(f.found == "all sockets together may hold 390 MiB: 409 bytes for each of 1000000 clients");
        CHECK(f.change == "sysctl -w net.ipv4.tcp_mem=\"500000 750000 1000000\"");
    }
    SECTION("a send buffer that is granted under pressure") {
        facts.tcp_wmem = HostFacts::Triple{65'536, 65'536, 4'194'304};
        f = complaint(facts);
        CHECK(f.change == "sysctl -w net.ipv4.tcp_wmem=\"4096 65536 4194304\"");
    }
    SECTION("a port that outgoing connections may take") {
        Purpose wanted = purpose();
        wanted.ports = {0, 40'000};
        f = complaint(facts, wanted);
        CHECK(has(f.found, "port 40000"));
        CHECK(f.change == "sysctl -w net.ipv4.ip_local_reserved_ports=40000");
    }
    SECTION("conntrack too small") {
        facts.connections_max = 262'144;
        facts.connections_now = 10;
        f = complaint(facts);
        CHECK(f.topic == "conntrack");
        CHECK(f.change == "sysctl -w net.netfilter.nf_conntrack_max=2000000");
    }
    SECTION("conntrack nearly full") {
        facts.connections_max = 4'000'000;
        facts.connections_now = 3'300'000;
        f = complaint(facts);
        CHECK(has(f.found, "3300000 of 4000000"));
    }
    SECTION("interrupts on one CPU") {
        facts.network_interrupts = {10, 900'000, 10, 10};
        f = complaint(facts);
        CHECK(has(f.found, "CPU 1 takes 99 %"));
        CHECK(has(f.change, "irqbalance"));
    }
    CHECK(f.verdict == Verdict::change);
    CHECK_FALSE(f.change.empty());
    CHECK(exit_code({f}) == 1);
}

TEST_CASE("doctor: hints name what could be better and leave the exit code at 0") {
    HostFacts facts = healthy();
    Finding f;
    SECTION("the governor") {
        facts.governors = {"performance", "powersave"};
        f = complaint(facts);
        CHECK(has(f.found, "powersave"));
        CHECK(f.change == "cpupower frequency-set -g performance");
    }
    SECTION("huge pages") {
        facts.huge_pages = "always";
        f = complaint(facts);
        CHECK(f.change == "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
    }
    SECTION("few local ports") {
        facts.first_local_port = 32'768;
        facts.last_local_port = 60'999;
        f = complaint(facts);
        CHECK(has(f.found, "28232 connections"));
        CHECK(has(f.change, "--unix-socket"));
    }
    SECTION("a send buffer that is cut") {
        facts.send_buffer_max = 212'992;
        f = complaint(facts);
        CHECK(f.found == "--socket-send-buffer of 256 KiB is cut to 208 KiB");
        CHECK(f.change == "sysctl -w net.core.wmem_max=262144");
    }
    SECTION("a small receive buffer") {
        facts.tcp_rmem = HostFacts::Triple{4096, 131'072, 500'000};
        f = complaint(facts);
        CHECK(f.change == "sysctl -w net.ipv4.tcp_rmem=\"4096 131072 6291456\"");
    }
    SECTION("more clients than memory can buffer for") {
        facts.memory_bytes = std::uint64_t{4} << 30;
        facts.tcp_mem = HostFacts::Triple{1, 2, 600'000};
        f = complaint(facts);
        CHECK(f.topic == "tcp memory");
    }
    CHECK(f.verdict == Verdict::hint);
    CHECK_FALSE(f.change.empty());
    CHECK(exit_code({f}) == 0);
}

TEST_CASE("doctor: few interrupts or one CPU say nothing") {
    HostFacts facts = healthy();
    facts.network_interrupts = {50'000, 0};
    CHECK(complaints(facts).empty());
    facts.network_interrupts = {5'000'000};
    CHECK(complaints(facts).empty());
}

TEST_CASE("doctor: interrupts of network devices are summed by CPU") {
    constexpr std::string_view table =
        "           CPU0       CPU1       CPU2\n"
        "  0:         44          0          0   IO-APIC   2-edge      timer\n"
        " 24:        100          1          2   PCI-MSI 327680-edge      eth0-TxRx-0\n"
        " 25:          0        200          0   PCI-MSI 327681-edge      eth0-TxRx-1\n"
        " 26:         10         20         30   PCI-MSI 81920-edge      virtio0-input.0\n"
        " 27:       5000       5000       5000   PCI-MSI 81921-edge      virtio1-requests\n"
        "NMI:          1          2          3   Non-maskable interrupts\n"
        " 28: garbage eth0\n"
        "ERR:          0\n";
    CHECK(network_interrupts(table, {"lo", "eth0"}) == std::vector<std::uint64_t>{110, 221, 32});
    CHECK(network_interrupts(table, {}) == std::vector<std::uint64_t>{10, 20, 30});
    CHECK(network_interrupts("", {"eth0"}).empty());
}

TEST_CASE("doctor: facts are read where a host keeps them, and what is missing or odd stays unset") {
    namespace fs = std::filesystem;
    const fs::path root = fs::temp_directory_path() / ("spillway-host-" + std::to_string(::getpid()));
    const auto write = [&root](const std::string& name, std::string_view text) {
        fs::create_directories((root / name).parent_path());
        std::ofstream(root / name) << text;
    };
    write("proc/sys/fs/nr_open", "1048576\n");
    write("proc/sys/fs/file-max", "many\n");
    write("proc/sys/net/ipv4/tcp_mem", "45888\t61187\t91776\n");
    write("proc/sys/net/ipv4/tcp_rmem", "4096 131072\n");
    write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
    write("proc/sys/net/netfilter/nf_conntrack_max", "65536\n");
    write("proc/meminfo", "MemTotal:       16384 kB\nMemFree: 1 kB\n");
    write("proc/interrupts", "  CPU0 CPU1\n 24: 1 2 PCI-MSI eth7-0\n");
    write("sys/class/net/eth7/mtu", "1500\n");
    write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
    write("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "schedutil\n");
    write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    const HostFacts facts = read_host(root.string());
    fs::remove_all(root);
    CHECK(facts.files_of_process == 1'048'576U);
    CHECK_FALSE(facts.files_of_host);
    CHECK(facts.tcp_mem == HostFacts::Triple{45'888, 61'187, 91'776});
    CHECK_FALSE(facts.tcp_rmem);
    CHECK(facts.first_local_port == 32'768U);
    CHECK(facts.last_local_port == 60'999U);
    CHECK(facts.connections_max == 65'536U);
    CHECK_FALSE(facts.connections_now);
    CHECK(facts.memory_bytes == 16'384U * 1024);
    CHECK(facts.network_interrupts == std::vector<std::uint64_t>{1, 2});
    CHECK(facts.governors == std::vector<std::string>{"schedutil"});
    CHECK(facts.huge_pages == "madvise");
    CHECK_FALSE(read_host("/no/such/place").tcp_mem);
}

}  // namespace spillway::io
