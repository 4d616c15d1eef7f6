// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Why things end: close reasons of a client and reasons for a dropped delivery. The enumerators are also the values of
// the `reason` labels in the metrics, so adding one is adding a time series.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spillway {

/// Why a client was closed, whoever began it.
enum class CloseReason : std::uint8_t {
    peer_closed,     // close frame or end of input from the peer
    peer_reset,      // ECONNRESET, EPIPE and kin
    protocol_error,  // RFC 6455 violation, bad UTF-8, bad HTTP
    message_too_big,
    policy,  // Pusher 4000-4099 and kin: unknown app, quota, unauthorised
    handshake_timeout,
    pong_timeout,
    read_timeout,
    write_timeout,
    queue_full,
    over_capacity,  // 4100
    drain,
    finished,  // an HTTP exchange that ended as it should
    internal,  // a fault of ours
    memory,    // 4100: its backlog was among the largest when memory ran out
};
inline constexpr std::size_t kCloseReasons = 15;

/// Why one delivery (one message to one subscriber) did not happen.
enum class DropReason : std::uint8_t {
    queue_threshold,  // the client's queue was over the threshold of the message's priority
    queue_full,       // at 100 %, or at 80 % with `disconnect`: the client is closed for it as well
    displaced,        // drop-oldest made room for a newer one
    conflated,        // replaced by a newer message of the same channel and event
    memory,           // global budget
    client_closed,    // was queued or under way when its client ended
    unsubscribed,     // was queued when its client left the channel
};
inline constexpr std::size_t kDropReasons = 7;

enum class Priority : std::uint8_t { low, normal, high, urgent };
inline constexpr std::size_t kPriorities = 4;

/// What to do with a message that finds its client's queue over the threshold.
enum class OverflowPolicy : std::uint8_t { drop_newest, drop_oldest, conflate, disconnect };

[[nodiscard]] constexpr std::string_view to_string(CloseReason r) {
    constexpr std::string_view names[kCloseReasons] = {
        "peer_closed",       "peer_reset",   "protocol_error", "message_too_big", "policy",
        "handshake_timeout", "pong_timeout", "read_timeout",   "write_timeout",   "queue_full",
        "over_capacity",     "drain",        "finished",       "internal",        "memory"};
    return names[static_cast<std::size_t>(r)];
}
[[nodiscard]] constexpr std::string_view to_string(DropReason r) {
    constexpr std::string_view names[kDropReasons] = {"queue_threshold", "queue_full",    "displaced",   "conflated",
                                                      "memory",          "client_closed", "unsubscribed"};
    return names[static_cast<std::size_t>(r)];
}
[[nodiscard]] constexpr std::string_view to_string(Priority p) {
    constexpr std::string_view names[kPriorities] = {"low", "normal", "high", "urgent"};
    return names[static_cast<std::size_t>(p)];
}

}  // namespace spillway
