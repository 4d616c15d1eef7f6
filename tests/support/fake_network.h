// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Sockets without a kernel: listeners with a backlog and connections as two bounded byte pipes, shared by the fake rings
// of all cores of one simulated server. The lowest free descriptor is always given next, so numbers come back at once.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "io/ring.h"

namespace spillway::test {

/// A broken promise, found by the simulation: of the server to the ring, or of the server to its clients.
class SimFailure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
inline void sim_check(bool kept, std::string_view promise) {
    if (!kept) throw SimFailure(std::string(promise));
}

/// Sees what the kernel takes from the server, as it takes it: also what the peer will never read.
class WireTap {
public:
    WireTap() = default;
    WireTap(const WireTap&) = delete;
    WireTap& operator=(const WireTap&) = delete;
    virtual ~WireTap() = default;
    virtual void took(std::string_view bytes) = 0;
};

/// Both ends of one TCP connection. The peer's end is played by tests through the functions, the server's end by FakeRing.
class FakeConnection {
public:
    FakeConnection(std::size_t window, std::uint16_t port);

    // The peer's side.

    /// Returns how many bytes the network took: fewer when the server does not read, 0 after the end.
    std::size_t send(std::string_view bytes);
    [[nodiscard]] std::string read(std::size_t most);
    [[nodiscard]] std::size_t readable() const { return outbound.size(); }
    /// No more input from here (FIN); what the server sends is still read.
    void finish() { peer_finished = true; }
    /// Gone, politely: what the server still sends is answered with a reset.
    void close();
    /// Gone at once (RST).
    void reset();
    /// The network between them gives up: both ends lose what was under way, the server is told `error` (ETIMEDOUT, ...) once.
    void fail(int error);
    /// Nothing more will come from the server.
    [[nodiscard]] bool over() const {
        return peer_gone || ((write_shut || server_closed || broken) && outbound.empty());
    }

    // What the ring sees.

    /// Bytes that a send would take now.
    [[nodiscard]] std::size_t room() const;
    /// The kernel takes these bytes.
    void take_in(std::string_view bytes);
    /// The server's descriptor is closed. Unread input resets the peer.
    void closed_by_server();

    std::string inbound;          // from the peer, not yet received
    std::string outbound;         // to the peer, not yet read
    std::size_t window;           // of the peer: it takes in this much unread
    std::size_t send_buffer = 0;  // of the server's socket, on top
    std::size_t inbound_max = 256 * 1024;
    io::PeerAddress address;
    int fd = -1;  // while the server has it
    bool peer_finished = false;
    bool peer_gone = false;   // the peer has closed or reset it
    bool broken = false;      // a reset went one way or the other, or the network failed
    int error = ECONNRESET;   // what the server is told of that first
    bool reset_told = false;  // the server has been told of it once (`error`); after that it is EPIPE
    bool write_shut = false;
    bool read_shut = false;
    bool server_closed = false;
    std::uint64_t sends = 0;         // inline sends of the server to it
    std::uint32_t last_batch = ~0U;  // that the last of them was in
    std::size_t waiting_bytes = 0;   // of the waiting send, the present one or the last
    std::size_t waiting_taken = 0;   // of them, by the kernel so far
    std::unique_ptr<WireTap> tap;    // none: nobody looks
};

class FakeNetwork {
public:
    /// A new listening descriptor.
    int listen();
    /// Joins the listener's backlog.
    std::shared_ptr<FakeConnection> connect(int listener, std::size_t window);

    // The ring's side.

    [[nodiscard]] bool is_listener(int fd) const { return is_open(fd) && table_[index(fd)].listener; }
    [[nodiscard]] FakeConnection* connection(int fd) const;
    [[nodiscard]] bool has_backlog(int fd) const { return !table_[index(fd)].backlog.empty(); }
    /// Takes the oldest of the backlog into the lowest free descriptor.
    int accept(int listener);
    void close(int fd);

    /// Operations of rings on a descriptor that their owner does not know to be over.
    void begin_operation(int fd);
    void end_operation(int fd);

    /// Connections the server holds descriptors of, and how many it accepted and closed ever.
    [[nodiscard]] std::size_t open_connections() const;
    [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
    [[nodiscard]] std::uint64_t closed() const { return closed_; }

    std::size_t descriptors_max = 0;  // connections the process can have; 0 = any number

private:
    struct Entry {
        bool open = false;
        bool listener = false;
        std::shared_ptr<FakeConnection> connection;
        std::deque<std::shared_ptr<FakeConnection>> backlog;
        unsigned operations = 0;
    };
    static constexpr int kFirst = 3;

    [[nodiscard]] static std::size_t index(int fd) { return static_cast<std::size_t>(fd - kFirst); }
    [[nodiscard]] bool is_open(int fd) const {
        return fd >= kFirst && index(fd) < table_.size() && table_[index(fd)].open;
    }
    int lowest_free();

    std::vector<Entry> table_;
    std::uint16_t next_port_ = 20'000;
    std::uint64_t accepted_ = 0;
    std::uint64_t closed_ = 0;
};

}  // namespace spillway::test
