// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The sockets that the server listens on: opened, handed over by a service manager, or taken over from a predecessor.
//
// Thread: main, before there are others.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <spillway/config.h>

#include "base/result.h"
#include "io/descriptor.h"
#include "io/listener.h"
#include "io/unix_listener.h"
#include "server/predecessor.h"
#include "server/successor.h"
#include "server/take_over_message.h"

namespace spillway::server {

/// Sockets that a service manager opened for us, by what they are for.
struct GivenPorts {
    io::Descriptor main;
    io::Descriptor metrics;
    io::Descriptor local;
};
/// Of this process's environment (sd_listen_fds(3)).
[[nodiscard]] base::Result<GivenPorts> take_given_ports();

/// What a predecessor hands over; nothing without one, or without being asked for it. Blocks within the deadlines of Successor.
[[nodiscard]] base::Result<std::unique_ptr<Successor>> ask_predecessor(const Config& config, const GivenPorts& given,
                                                                       std::string version);

struct Ports {
    io::Listeners main;
    io::UnixListener local;
    io::Listeners metrics;
    bool main_kept = false;  // a service manager has it open as well
    bool local_kept = false;
    bool inherited = false;        // main is a predecessor's
    std::vector<SocketUse> taken;  // what is a predecessor's
    io::UnixListener abandoned;    // name of a predecessor's that is not taken
};
/// A main socket for each core (or those of the predecessor, `from`), one of the metrics port, the Unix socket where there is to
/// be one. The failure is a sentence with the cause.
[[nodiscard]] base::Result<Ports> open_ports(const Config& config, GivenPorts given, Successor* from,
                                             std::size_t cores);

/// Where a successor will ask, and for what. `inherited`: the socket for that, where a predecessor had it.
[[nodiscard]] std::unique_ptr<Predecessor> await_successor(const Ports& ports, io::Descriptor inherited,
                                                           std::string version);

}  // namespace spillway::server
