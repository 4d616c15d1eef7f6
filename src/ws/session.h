// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The receiving side of WebSocket connections: bytes in, messages and control frames out (RFC 6455 sections 5 to 8).
//
// Most connections are silent most of the time, so a connection keeps one pointer here (Inbound). State exists only
// while a message is incomplete: a Session, lent by the core's SessionPool and given back at the end of the message.
// A message that lies whole and in one frame in the bytes at hand needs no Session at all and is decoded directly;
// everything else goes through wslay, frame by frame. Both ways are tested to tell the same. Control frames are judged
// here: the library accepts a close payload of one byte, refuses codes 1012 to 1014, does not validate a close reason
// that arrives in pieces, and would queue replies that the connection writes itself.
//
// Threads: pool, connections and sinks belong to one core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <spillway/limits.h>

#include "ws/close_code.h"
#include "ws/frame_scanner.h"
#include "ws/message_limits.h"
#include "ws/opcode.h"

namespace spillway::ws {

/// What a sink wants after an event.
enum class Flow : std::uint8_t { go_on, pause };

/// Receives events in the order of the wire. Payloads are unmasked, live for the call only, and text is valid UTF-8.
/// A sink must not feed the pool that calls it nor destroy the connection's Inbound: it returns `pause` and the caller
/// acts after feed().
class Sink {
public:
    virtual Flow on_message(Opcode text_or_binary, std::span<const std::byte> payload) = 0;
    virtual Flow on_ping(std::span<const std::byte> payload) = 0;
    virtual Flow on_pong(std::span<const std::byte> payload) = 0;
    /// The last event. No code: the close frame was empty.
    virtual void on_close(std::optional<std::uint16_t> code, std::string_view reason) = 0;

protected:
    ~Sink() = default;
};

enum class SessionState : std::uint8_t {
    ok,      // everything was consumed
    paused,  // the sink asked for it: `consumed` is a frame border, the caller keeps what lies behind it
    closed,  // the peer sent a close frame; nothing behind it is read
    failed,  // the peer broke a rule; nothing more is read
};

struct FeedResult {
    SessionState state = SessionState::ok;
    /// Code for the close frame that we send. failed: 1002, 1007, 1008, 1009 (1011 when memory ran out). closed: the
    /// peer's own code, 0 when it gave none (answer with an empty close frame). Else 0.
    std::uint16_t close_code = 0;
    /// Bytes of `in` that are done with; everything unless paused.
    std::size_t consumed = 0;
    /// failed: a fixed sentence, fit for the close frame.
    std::string_view reason = {};
};

class Session;
class SessionPool;

/// What one connection keeps of its receiving side: eight bytes. Gives its Session back when destroyed.
class Inbound {
public:
    Inbound() = default;
    Inbound(Inbound&& other) noexcept : state_(other.state_) { other.state_ = kIdle; }
    Inbound& operator=(Inbound&& other) noexcept;
    ~Inbound() { release(); }

    /// No message and no frame is incomplete: nothing is held here.
    [[nodiscard]] bool at_message_boundary() const noexcept { return state_ == kIdle; }
    /// Closed or failed: feeding consumes and tells nothing more.
    [[nodiscard]] bool ended() const noexcept { return state_ == kEnded; }
    /// Memory held for what is incomplete, in bytes.
    [[nodiscard]] std::size_t bytes_held() const noexcept;
    /// Drops what is incomplete and forgets the past: fit for another connection.
    void release() noexcept;

private:
    friend class SessionPool;

    static constexpr std::uintptr_t kIdle = 0;
    static constexpr std::uintptr_t kEnded = 1;  // no Session has an odd address
    [[nodiscard]] Session* session() const noexcept;

    std::uintptr_t state_ = kIdle;  // kIdle, kEnded, or the address of the Session lent
};
static_assert(sizeof(Inbound) == 8);

/// Lends Sessions to the connections of one core. Must outlive every Inbound that was fed through it.
class SessionPool {
public:
    /// Sessions kept for reuse, about 9 KiB each with their buffer; more than that are freed when they come back.
    static constexpr std::size_t kIdleMax = 64;
    /// The longest payload that is decoded directly, without a Session.
    static constexpr std::size_t kDirectBytesMax = 16 * kKiB;

    /// `peer`: whose frames are read, on all connections of this pool; a server's all go through a Session.
    explicit SessionPool(std::size_t idle_max = kIdleMax, Peer peer = Peer::client);
    ~SessionPool();
    SessionPool(const SessionPool&) = delete;
    SessionPool& operator=(const SessionPool&) = delete;

    /// Takes bytes of one connection in the order in which they arrived and calls the sink for what they complete. Stops
    /// behind the event that paused, closed or failed. To go on after a pause, feed from `consumed` on. May throw
    /// std::bad_alloc; the Inbound is then fit for release() only.
    FeedResult feed(Inbound& inbound, std::span<const std::byte> in, const MessageLimits& limits, Sink& sink);

    /// As feed(), but always through wslay: the reference that tests and fuzzers compare with.
    FeedResult feed_slowly(Inbound& inbound, std::span<const std::byte> in, const MessageLimits& limits, Sink& sink);

    [[nodiscard]] std::size_t lent() const noexcept { return lent_; }
    [[nodiscard]] std::size_t idle() const noexcept { return idle_.size(); }
    /// Memory of all Sessions, lent and idle, in bytes, for the memory budget.
    [[nodiscard]] std::size_t bytes_held() const noexcept { return bytes_held_; }

private:
    friend class Inbound;
    friend class Session;

    enum class Route : std::uint8_t { direct_where_possible, always_through_session };
    FeedResult run(Inbound& inbound, std::span<const std::byte> in, const MessageLimits& limits, Sink& sink,
                   Route route);
    FeedResult take_frame(Inbound& inbound, std::span<const std::byte> in, const MessageLimits& limits, Sink& sink);
    std::size_t decode_directly(std::span<const std::byte> in, const MessageLimits& limits, Sink& sink, Flow& flow);
    Session& lend(Inbound& inbound);
    void take_back(Inbound& inbound) noexcept;

    std::size_t idle_max_;
    Peer peer_;
    std::size_t lent_ = 0;
    std::size_t bytes_held_ = 0;
    bool feeding_ = false;
    std::vector<std::unique_ptr<Session>> idle_;
    std::unique_ptr<std::byte[]> scratch_;  // payload of a frame decoded directly
};

}  // namespace spillway::ws
