// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/ring_self_test.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "io/descriptor.h"
#include "io/listener.h"

namespace spillway::io {
namespace {

constexpr std::uint32_t kTestSlot = 7;
constexpr std::uint32_t kTestGeneration = 3;
constexpr base::Duration kStep = std::chrono::milliseconds(50);
constexpr int kStepsMax = 10;  // waits for one expected completion

constexpr Token token(Op op) { return {.op = op, .generation = kTestGeneration, .slot = kTestSlot}; }

/// A TCP connection within the host; `ours` has little room to send, so that it fills up soon.
struct Connection {
    Descriptor ours;
    Descriptor theirs;
};

/// A loopback connection, or why there is none.
base::Result<Connection> connect_loopback() {
    auto listeners = open_listeners("127.0.0.1", 0, 1);
    if (!listeners) return base::fail(std::move(listeners.error()));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(listeners->port);
    const auto broken = [] { return base::fail("cannot connect to 127.0.0.1: " + std::string(std::strerror(errno))); };
    Connection connection;
    connection.theirs.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int room = 4096;
    if (!connection.theirs || ::setsockopt(connection.theirs.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room) != 0 ||
        ::connect(connection.theirs.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return broken();
    connection.ours.reset(::accept4(listeners->sockets[0].get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.ours || ::setsockopt(connection.ours.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room) != 0)
        return broken();
    return connection;
}

std::optional<Completion> next(Ring& ring) {
    Completion one;
    for (int step = 0; step < kStepsMax; ++step) {
        if (ring.take({&one, 1}) == 1) return one;
        ring.wait(kStep);
    }
    return std::nullopt;
}

/// One inline send and its exception, if it made one by the end of the submit.
std::optional<Completion> send_once(Ring& ring, int fd, std::span<const std::byte> bytes) {
    ring.send_now(fd, bytes, token(Op::send_now));
    ring.submit();
    Completion one;
    if (ring.take({&one, 1}) == 1) return one;
    return std::nullopt;
}

/// Whether a completion comes late, out of work that the kernel deferred.
bool more(Ring& ring) {
    ring.wait(base::Duration::zero());
    Completion late;
    return ring.take({&late, 1}) != 0;
}

std::string_view check_receive(Ring& ring, const Connection& connection) {
    ring.recv(connection.ours.get(), token(Op::recv));
    for (int round = 0; round < 2; ++round) {  // twice from one request: multishot
        if (::send(connection.theirs.get(), "ping", 4, MSG_NOSIGNAL) != 4) return "a loopback connection broke";
        const auto got = next(ring);
        if (!got || got->token != token(Op::recv) || got->result != 4 || !got->has_buffer || !got->more)
            return "a multishot receive does not deliver and stay armed";
        ring.give_back(got->buffer);
    }
    ring.cancel(token(Op::recv));
    const auto ended = next(ring);
    return ended && ended->token.op == Op::recv && !ended->more ? "" : "a cancelled receive does not end";
}

/// Receives until `want` bytes are there or the receive has ended: how many came.
std::size_t receive(Ring& ring, std::size_t want, bool& ended) {
    std::size_t bytes = 0;
    for (ended = false; bytes < want && !ended;) {
        const auto got = next(ring);
        if (!got) return bytes;
        ended = !got->more;
        if (!got->has_buffer) return bytes;
        bytes += ring.buffer(*got).size();
        ring.give_back(got->buffer);
    }
    return bytes;
}

std::string_view check_sends(Ring& ring, Connection& connection) {
    const std::vector<std::byte> large(std::size_t{1} << 20);
    const auto small = std::span(large).first(64);
    const int fd = connection.ours.get();
    if (send_once(ring, fd, small) || more(ring)) return "a send that fits is reported as an exception";
    const auto cut = send_once(ring, fd, large);
    if (!cut || cut->token != token(Op::send_now)) return "a send that fits in part is not reported";
    if (cut->result <= 0 || cut->result >= static_cast<int>(large.size()))
        return "a send that fits in part has a wrong count";
    // The receiver may take up some of it just now: fill up until nothing goes in.
    std::optional<Completion> full;
    for (int i = 0; i < 1000 && !(full && full->result == -EAGAIN); ++i) full = send_once(ring, fd, large);
    if (!full || full->result != -EAGAIN) return "a send to a full socket is not reported as EAGAIN";
    if (more(ring)) return "an exception of a send is reported twice";
    connection.theirs.reset();  // with unread input: a reset
    for (int i = 0; i < kStepsMax; ++i) {
        const auto broken = send_once(ring, fd, small);
        if (broken && (broken->result == -EPIPE || broken->result == -ECONNRESET)) return "";
        ring.wait(kStep);
    }
    return "a send to a closed connection is not reported";
}

std::string_view check_wake(Ring& ring, const base::Clock& clock) {
    ring.wake();
    const auto begin = clock.now();
    ring.wait(std::chrono::seconds(1));
    Completion none;
    if (ring.take({&none, 1}) != 0) return "the wake-up surfaced as a completion";
    return clock.now() - begin < std::chrono::milliseconds(900) ? "" : "a wake-up does not end the wait";
}

}  // namespace

std::string self_test(Ring& ring) {
    auto connection = connect_loopback();
    if (!connection) return connection.error();
    const base::SystemClock clock;
    std::string_view fault = check_receive(ring, *connection);
    if (fault.empty()) fault = check_wake(ring, clock);
    if (fault.empty()) fault = check_sends(ring, *connection);
    return std::string(fault);
}

bool ends_receives(Ring& ring, std::size_t limit, std::size_t buffer) {
    SPILLWAY_ASSERT(limit > 2 * buffer);  // or what is left for the third receive would end it as well
    auto connection = connect_loopback();
    if (!connection) return false;
    const std::vector<std::byte> bytes(2 * (limit + buffer));
    if (::send(connection->theirs.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != std::ssize(bytes)) return false;
    std::size_t left = bytes.size();
    bool ended = false;
    for (int round = 0; round < 2; ++round) {
        ring.recv(connection->ours.get(), token(Op::recv));
        const std::size_t n = receive(ring, left, ended);
        if (!ended || n < limit || n >= limit + buffer) return false;
        left -= n;
    }
    ring.recv(connection->ours.get(), token(Op::recv));
    if (receive(ring, left, ended) != left || ended) return false;
    ring.cancel(token(Op::recv));
    const auto last = next(ring);
    return last && !last->more && !last->has_buffer;
}

}  // namespace spillway::io
