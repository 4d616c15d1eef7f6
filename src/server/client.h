// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One connection and what a core keeps of it. Plain state: the parts of the core act on it. The first cache line is what
// a fan-out reads and writes; the rest is for receiving, timers and the end.
//
// Life: open -> closing (the last frames are being flushed) -> lingering (write side shut, input discarded) -> dead (shut both
// ways, waiting until the kernel holds no operation) -> slot freed under a new generation. Only forward, each once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <spillway/errors.h>
#include <spillway/ids.h>
#include <spillway/message.h>

#include "base/clock.h"
#include "io/ring.h"
#include "protocol/rate_limit.h"
#include "server/quotas.h"
#include "ws/session.h"

namespace spillway::server {

class Outflow;
class HttpExchange;
struct SignedInUser;

enum class ClientState : std::uint8_t { open, closing, lingering, dead };

/// What speaks on the connection. `http` is every connection before its upgrade, and API connections for good.
enum class ClientKind : std::uint8_t { http, ops, pusher, feed, publisher, echo, dashboard };
inline constexpr std::size_t kClientKinds = 7;
[[nodiscard]] constexpr std::string_view to_string(ClientKind kind) {
    constexpr std::string_view names[kClientKinds] = {"http",      "ops",  "pusher",   "feed",
                                                      "publisher", "echo", "dashboard"};
    return names[static_cast<std::size_t>(kind)];
}

/// Where the peer is, asked once it matters: within one host the kernel copies whatever it sends.
enum class PeerKind : std::uint8_t { unknown, this_host, elsewhere };

/// Where the connection stands with the limits of its address (Gate).
enum class GateState : std::uint8_t { unasked, asked, admitted, too_many, too_fast };

/// One channel in a client's list. `index` is its place among the channel's subscribers, or kPending.
struct Subscription {
    static constexpr std::uint32_t kPending = 0xFFFF'FFFF;
    LocalChannelId channel;
    std::uint32_t index = kPending;
    std::uint32_t nonce = 0;  // of the join, so that an answer to an earlier one is told apart
};

/// A client's channels. Small lists are searched; from kIndexFrom on a map helps.
class SubscriptionList {
public:
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] Subscription& operator[](std::size_t i) { return items_[i]; }
    /// Place of a channel in the list, or nothing (kNone).
    [[nodiscard]] std::uint32_t find(LocalChannelId channel) const;
    std::uint32_t add(const Subscription& s);
    /// Removes entry i; the last one takes its place. Returns true if one did (it is at i now).
    bool remove(std::uint32_t i);

    static constexpr std::uint32_t kNone = 0xFFFF'FFFF;

private:
    static constexpr std::uint32_t kIndexFrom = 32;
    struct Index {
        std::unordered_map<std::uint32_t, std::uint32_t> by_channel;  // channel slot -> place
    };
    void build_index();

    std::unique_ptr<Subscription[]> items_;
    std::unique_ptr<Index> index_;
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 0;
};

struct alignas(64) Client {
    Client() noexcept {}  // std::chrono's default constructors are not declared noexcept, and do not throw

    // Read and written by fan-out.
    std::uint64_t id = 0;  // packed ClientId
    int fd = -1;
    std::uint32_t batch = 0;  // the send batch that holds an operation for it
    ClientState state = ClientState::open;
    ClientKind kind = ClientKind::http;
    bool dirty = false;       // on the list of clients to be flushed at the end of the turn
    bool sending = false;     // true exactly while a send that waits for room is with the kernel
    bool recv_armed = false;  // true exactly while a receive is with the kernel
    bool paused = false;      // on the paused list: input waits until the mesh has room
    bool awaiting = false;    // an answer must come before more input is looked at
    bool high_priority = false;
    Outflow* out = nullptr;  // null when nothing waits
    AppIndex app = 0;
    bool recv_cancelling = false;
    bool arm_due = false;  // on a list of receives to be armed
    bool close_when_flushed = false;
    bool has_app = false;            // counted in the app's quota
    bool input_over = false;         // the peer will send nothing more
    bool gaps = false;               // asked to be told what it misses
    bool doomed = false;             // on the list of slots to be freed at the end of the turn
    SubscriptionList subscriptions;  // 24 bytes

    // Receiving.
    base::Instant last_received{};
    std::string* held_input = nullptr;  // input that came while it could not be looked at
    HttpExchange* http = nullptr;       // lent while a request is incomplete or unanswered
    ws::Inbound inbound;
    std::uint64_t nonce = 0;  // random half of the socket id
    protocol::TokenBucket client_events;
    protocol::TokenBucket messages_in;
    protocol::TokenBucket bytes_in;
    protocol::TokenBucket subscribes;
    SignedInUser* user = nullptr;  // lent from the sign-in to the end

    // Timers and the end.
    base::Instant opened{};         // accept, or first byte of the request under way; zero between requests; or upgrade
    base::Instant ping_sent{};      // zero: no ping is unanswered
    std::uint32_t request = 0;      // requests so far; publisher: messages so far
    std::uint16_t answers_due = 0;  // publisher: every so many messages are acknowledged, 0 = none
    std::uint16_t close_code = 0;
    std::uint16_t pieces_waiting = 0;  // of its input, with Intake: completions that stand behind a long one, and it
    CloseReason close_reason = CloseReason::finished;
    Seat seat = Seat::none;
    GateState gate = GateState::unasked;
    PeerKind peer = PeerKind::unknown;
    CoreId place_home = 0;    // of its address
    std::uint32_t place = 0;  // there, once admitted
    bool awaits_proxy_header : 1 = false;
    bool main_port : 1 = false;     // counted among the connections of the main port
    bool turned_away : 1 = false;   // refused before it said anything: one of those few
    bool stale : 1 = false;         // its ping has been unanswered for too long for comfort
    bool unauthorized : 1 = false;  // the app wants an authorisation, and the time for it runs since `opened`
    [[nodiscard]] std::uint32_t slot() const { return static_cast<std::uint32_t>(id); }
    [[nodiscard]] std::uint32_t generation() const {
        return static_cast<std::uint32_t>(id >> 32) & ClientId::kGenerationMask;
    }
};
static_assert(sizeof(Client) <= 192);

[[nodiscard]] constexpr WireForm wire_form(ClientKind kind) {
    return kind == ClientKind::pusher ? WireForm::pusher : WireForm::feed;
}
[[nodiscard]] constexpr bool is_websocket(ClientKind kind) {
    return kind != ClientKind::http && kind != ClientKind::ops;
}
/// Hears much and says little: the rates of what clients send are for these.
[[nodiscard]] constexpr bool only_listens(ClientKind kind) {
    return kind == ClientKind::pusher || kind == ClientKind::feed;
}
/// How the log calls a client: its core, slot and the slot's generation.
[[nodiscard]] std::string log_name(const Client& client);
/// Counted by the limits of clients; viewers of the dashboard are not.
[[nodiscard]] constexpr bool counts_as_client(ClientKind kind) {
    return is_websocket(kind) && kind != ClientKind::dashboard;
}

}  // namespace spillway::server
