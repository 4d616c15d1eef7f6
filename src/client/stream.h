// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One TCP connection of a companion of the command line: it blocks in poll(2), until its deadline or a signal to stop, and
// nowhere else but in the resolver. For programs with one thread; the server's sockets are the ring's.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "client/endpoint.h"
#include "io/descriptor.h"

namespace spillway::client {

/// From the first packet to the connection.
inline constexpr std::chrono::seconds kConnectTimeout{5};
/// From the request to its answer; the upgrade, too.
inline constexpr std::chrono::seconds kAnswerTimeout{10};

/// SIGINT and SIGTERM as a descriptor: blocked while this lives. One per process.
class StopSignal {
public:
    StopSignal();
    ~StopSignal();
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;
    /// Readable once a signal has come.
    [[nodiscard]] int fd() const { return signals_.get(); }
    [[nodiscard]] bool raised() const;

private:
    io::Descriptor signals_;
};

class Stream {
public:
    /// Tries every address of the name. The failure names the last one's reason.
    [[nodiscard]] static base::Result<Stream> connect(const Endpoint& endpoint, const base::Clock& clock,
                                                      const StopSignal& stop);

    [[nodiscard]] int fd() const { return socket_.get(); }
    /// Sends what the socket takes at once and removes it from `out`, from `begin` on (which is moved). False: the connection
    /// is broken.
    [[nodiscard]] bool send(const std::string& out, std::size_t& begin);

    enum class Received : std::uint8_t { some, nothing, ended };
    /// Appends what is there, at most kReceiveBytes.
    [[nodiscard]] Received receive(std::string& in);

    enum class Wait : std::uint8_t { ready, late, stopped };
    /// Until `events` of poll(2) hold.
    [[nodiscard]] Wait wait(short events, base::Instant deadline, const base::Clock& clock,
                            const StopSignal& stop) const;

    static constexpr std::size_t kReceiveBytes = 64 * 1024;

private:
    explicit Stream(io::Descriptor socket);
    io::Descriptor socket_;
    std::unique_ptr<char[]> buffer_;
};

/// For poll(2): whole milliseconds until then, rounded up; 0 when it has passed.
[[nodiscard]] int milliseconds_until(base::Instant deadline, base::Instant now);

}  // namespace spillway::client
