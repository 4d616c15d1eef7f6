// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Opens the listening sockets, one per core, so that the kernel spreads connections over the cores (SO_REUSEPORT) and
// yet two servers never share a port by accident. The accept operation is the ring's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/descriptor.h"

namespace spillway::io {

struct Listeners {
    std::vector<Descriptor> sockets;  // listening, one per core or more, all on the same address and port
    std::uint16_t port = 0;           // what was asked for, or what the kernel chose for 0
    std::string address;              // for people and logs: "127.0.0.1:6001", "[::1]:6001"
};

/// Opens `count` (>= 1) listening sockets. `host` is an IPv4 or IPv6 literal (with or without brackets, with a %zone)
/// or "localhost", which is 127.0.0.1; "::" takes IPv4 as well. Port 0 takes any free port, the same for all. The
/// failure is a sentence with the cause and what to do. Blocks for microseconds; for milliseconds when it has to name
/// the owner of a port, and a second when there is none to be seen. Any thread.
[[nodiscard]] base::Result<Listeners> open_listeners(std::string_view host, std::uint16_t port, std::size_t count);

/// How such listeners would call their address; nothing if `host` is none.
[[nodiscard]] std::optional<std::string> listener_address(std::string_view host, std::uint16_t port);

/// Listeners out of those of a predecessor on one port: all of them, because each has a backlog of its own. There may be more or
/// fewer than cores.
[[nodiscard]] base::Result<Listeners> inherit_listeners(std::vector<Descriptor> sockets);
/// One more on the port of `listener`, which is lent; of one that lets no other on its port (a service manager's, another user's), a copy.
[[nodiscard]] base::Result<Descriptor> further_listener(int listener);

/// Listeners out of a TCP socket that somebody else opened for us: `count` (>= 1) descriptors of it, so that every core accepts
/// from its one backlog.
[[nodiscard]] base::Result<Listeners> share_listener(Descriptor socket, std::size_t count);

}  // namespace spillway::io
