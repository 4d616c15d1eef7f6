// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What listeners, sockets and cores ask of a ring: the one seam between Spillway and the kernel. UringRing is the real
// one; the tests put a seeded fake with faults behind the same calls, so the objects under simulation are the very ones
// that ship. A virtual call costs nanoseconds where a send costs microseconds.
//
// Thread: everything but wake() belongs to the thread that called start().
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <spillway/address.h>
#include <spillway/limits.h>

#include "base/clock.h"
#include "io/completion.h"

namespace spillway::io {

/// What a receive brings before it ends by itself, where the kernel can do that: eight buffers. Twenty connections that flood then
/// cost each other connection a millisecond, not ten.
inline constexpr std::uint32_t kReceiveLimit = 8 * kRecvBufferBytes;

struct PeerAddress {
    Address address;
    std::uint16_t port = 0;
};

/// Cumulative figures of one ring, for the metrics. Read by its own thread.
struct RingFigures {
    std::uint64_t enters = 0, sqes = 0, cqes = 0, overflows = 0, no_buffers = 0, send_again = 0, send_short = 0,
                  wakes = 0, zc_sends = 0, zc_notifications = 0, zc_copied = 0;
};

class Ring {
public:
    virtual ~Ring() = default;

    /// Takes the ring into use by the calling thread. Returns 0 or -errno.
    virtual int start() = 0;

    // Operations. Queued here, handed over by the next submit() or wait() (or earlier if the queue is full).

    /// Multishot accept on a listening descriptor. Ends with `more == false` (e.g. -EMFILE): the caller re-arms.
    virtual void accept(int listener, Token token) = 0;
    /// Multishot receive into provided buffers, tried at once: a try that is put off until the socket is ready (POLL_FIRST) may
    /// bring what is there and then never the end that came with it. Ends with `more == false`.
    virtual void recv(int fd, Token token) = 0;
    /// Asks for the end of an armed operation; that operation then completes by itself (-ECANCELED, or as it was going
    /// to). The request's own completion is swallowed.
    virtual void cancel(Token target) = 0;
    /// Sends what fits now, without waiting (MSG_DONTWAIT|MSG_WAITALL, no completion when all bytes were taken).
    /// After submit() the memory is the caller's again, and take() holds exactly the exceptions: -EAGAIN (nothing was
    /// taken), 0 <= n < size (n bytes were taken), another -errno.
    virtual void send_now(int fd, std::span<const std::byte> bytes, Token token) = 0;
    /// The same from several buffers; `message` and what it points to must stay until submit() returned.
    virtual void send_now(int fd, const msghdr* message, Token token) = 0;
    /// Sends all of it, waiting for room as long as it takes; one completion, with the bytes taken (fewer after an error
    /// or a shutdown) or -errno. `message` and what it points to must stay until then.
    virtual void send_wait(int fd, const msghdr* message, Token token) = 0;

    /// Sends all of it like send_wait, but without copying the bytes where the way to the peer allows that (SEND_ZC). Completes
    /// with the bytes taken or -errno and then, if that had `more` set, as a notification, which may take until the peer
    /// has acknowledged them, also after the descriptor was closed: until then the memory must not change.
    virtual void send_zc(int fd, std::span<const std::byte> bytes, Token token) = 0;

    // Driving.

    /// Hands everything queued to the kernel (all of it, retrying as needed) without waiting for anything.
    virtual void submit() = 0;
    /// submit(), then lets the kernel run deferred work; sleeps until a completion, a wake() or the end of `at_most`.
    /// `at_most` == 0 does not sleep.
    virtual void wait(base::Duration at_most) = 0;
    /// Copies completions out, oldest first; returns how many (0: none left now).
    virtual std::size_t take(std::span<Completion> out) = 0;

    // Provided buffers.

    /// The bytes of a completed receive: `completion.result` bytes. Valid until give_back.
    [[nodiscard]] virtual std::span<const std::byte> buffer(const Completion& completion) const = 0;
    virtual void give_back(std::uint16_t buffer) = 0;
    /// Buffers the kernel can still use; after ENOBUFS the owner re-arms when enough are back.
    [[nodiscard]] virtual std::uint32_t buffers_free() const = 0;

    // Sockets: plain system calls, here so that the simulation sees them.

    /// Options of an accepted TCP socket: no delay, bounded kernel send buffer (0 = the system's default).
    virtual void configure(int fd, std::uint64_t send_buffer_bytes) = 0;
    /// For a connection that says much and hears little: the kernel acknowledges what is received from it when acknowledge()
    /// is called, not before the receive completes. Costs nothing where it cannot be had.
    virtual void acknowledge_later(int /*fd*/) {}
    virtual void acknowledge(int /*fd*/) {}
    [[nodiscard]] virtual PeerAddress peer(int fd) const = 0;
    /// Bytes sent that the peer has not acknowledged (SIOCOUTQ, tcp(7)). While a send waits for room, a smaller figure than
    /// before is progress.
    [[nodiscard]] virtual std::uint64_t unsent_bytes(int /*fd*/) const { return 0; }
    /// shutdown(2) with SHUT_WR or SHUT_RDWR: armed receives end by themselves after the latter.
    virtual void shutdown(int fd, int how) = 0;
    virtual void close(int fd) = 0;
    /// Sends an accepted connection `answer` as far as it goes, without waiting, and closes it.
    virtual void refuse(int fd, std::string_view /*answer*/) { close(fd); }
    /// A connection waits in the listener's backlog.
    [[nodiscard]] virtual bool has_waiting(int /*listener*/) const { return false; }
    /// For when descriptors have run out: takes up to `most` connections that wait on a listener, one after the other with
    /// the one descriptor that is kept for this, and refuses each. Returns how many.
    virtual unsigned refuse_waiting(int /*listener*/, std::string_view /*answer*/, unsigned /*most*/) { return 0; }

    /// Ends a present or the next wait() of the owner. Any thread; cheap only when the owner sleeps, so callers ask first.
    virtual void wake() = 0;

    [[nodiscard]] virtual RingFigures figures() const = 0;
};

}  // namespace spillway::io
