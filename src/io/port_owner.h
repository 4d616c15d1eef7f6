// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// "Address already in use" is the commonest failure of a start, and its first question is always: by whom? Answered
// from /proc where the kernel lets us look.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::io {

/// An IP address as 16 bytes, IPv4 v4-mapped. `any` addresses conflict with every address.
using AddressBytes = std::array<std::uint8_t, 16>;

struct PortOwner {
    pid_t pid = 0;
    std::string name;  // as in /proc/PID/comm
};

/// Inodes of the TCP sockets that listen on `port` at an address in conflict with `address`. `table` is the text of
/// /proc/net/tcp or /proc/net/tcp6. Lines that do not parse are skipped.
[[nodiscard]] std::vector<std::uint64_t> listening_inodes(std::string_view table, const AddressBytes& address,
                                                          std::uint16_t port);

/// The first process found that holds such a socket; nullopt when there is none or it cannot be seen (another user's,
/// another namespace's). Walks /proc: for the failure path of a start only.
[[nodiscard]] std::optional<PortOwner> find_port_owner(const AddressBytes& address, std::uint16_t port);

}  // namespace spillway::io
