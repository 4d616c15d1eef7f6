// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a host says about itself in /proc and /sys, as plain values. What a host does not say stays unset: nothing is
// advised on guesses.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/advice.h"

namespace spillway::io {

struct HostFacts {
    KernelVersion kernel;
    std::string obstacle;  // why io_uring cannot be used, with what mends it; empty = it can
    bool completion_per_send = false;
    HostLimits limits;
    unsigned cpus = 1;  // available to this process

    using Triple = std::array<std::uint64_t, 3>;
    std::optional<std::uint64_t> files_of_host;     // fs.file-max
    std::optional<std::uint64_t> files_of_process;  // fs.nr_open, the ceiling of every limit
    std::optional<std::uint64_t> syn_backlog;       // net.ipv4.tcp_max_syn_backlog
    std::optional<Triple> tcp_mem;                  // pages: low, pressure, high
    std::optional<Triple> tcp_rmem;                 // bytes: least, default, most
    std::optional<Triple> tcp_wmem;                 // bytes: least, default, most
    std::optional<std::uint64_t> send_buffer_max;   // net.core.wmem_max, bytes
    std::optional<std::uint64_t> memory_bytes;      // of the host
    std::uint64_t page_bytes = 4096;
    std::optional<std::uint64_t> first_local_port;  // net.ipv4.ip_local_port_range
    std::optional<std::uint64_t> last_local_port;
    std::optional<std::uint64_t> connections_max;  // nf_conntrack_max; unset: connections are not tracked
    std::optional<std::uint64_t> connections_now;
    std::vector<std::string> governors;             // of the CPUs' frequencies, each once
    std::vector<std::uint64_t> network_interrupts;  // since boot, by CPU
    std::string huge_pages;                         // "always", "madvise", "never"
};

/// Reads what is below `root` ("" for this host). Limits of the process, the kernel and what io_uring offers are for the
/// caller to fill in.
[[nodiscard]] HostFacts read_host(const std::string& root);

/// The interrupts of network devices by CPU, out of the text of /proc/interrupts. A device is one of `devices` or a virtio
/// network queue; lines that do not parse are skipped.
[[nodiscard]] std::vector<std::uint64_t> network_interrupts(std::string_view table,
                                                            const std::vector<std::string>& devices);

}  // namespace spillway::io
