// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The service manager that started this process, if one did: told by datagrams when the server is ready, reloads, lives and
// stops (sd_notify(3)), and asked for the sockets that it opened (sd_listen_fds(3)). The protocols are a few lines each;
// no library is needed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "io/descriptor.h"

namespace spillway::io {

/// Thread: control.
class Supervisor {
public:
    /// `address` as in NOTIFY_SOCKET: a path, or a name in the abstract namespace with @ before it. Empty: there is none,
    /// and nothing is told. `watchdog`: as it wants to hear from us, zero if it does not.
    Supervisor(std::string address, base::Duration watchdog);
    /// Out of NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    [[nodiscard]] static Supervisor from_environment();

    void ready(std::string_view status);
    void reloading(base::Instant now);
    void stopping(std::string_view status);
    /// Another process is the service from now on (MAINPID=).
    void succeeded_by(std::uint64_t pid);
    void alive();
    void status(std::string_view text);

    /// alive() is due this often: half of what the watchdog allows. Nothing if nobody watches.
    [[nodiscard]] std::optional<base::Duration> alive_every() const;

private:
    void tell(std::string_view message);

    std::string address_;
    base::Duration watchdog_;
    Descriptor socket_;
};

/// A socket that was opened for us.
struct GivenSocket {
    Descriptor fd;
    std::string name;  // FileDescriptorName= of its unit; empty = none
};

/// What LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES say, given as their texts (empty where unset); `first` is descriptor 3 but in
/// tests. Sockets for another process are none of ours. Fails on numbers that make no sense.
[[nodiscard]] base::Result<std::vector<GivenSocket>> given_sockets(std::string_view fds, std::string_view pid,
                                                                   std::string_view names, int first = 3);

}  // namespace spillway::io
