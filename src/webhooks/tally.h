// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What became of events, and of the POSTs that carried them. Written by the background thread alone, read by any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/counter.h"

namespace spillway::webhooks {

/// The end of one event for one webhook; the first two concern an event before it is looked at for any webhook.
enum class Fate : std::uint8_t {
    returned,   // whoever was gone came back in time, or the count was told later: two halves cancelled count two
    merged,     // said already by an event of the same channel that waits
    delivered,  // answered with 2xx
    expired,    // not delivered within its lifetime
    dropped,    // the webhook's queue was full
    unsent,     // the server ended first, or the webhook was taken out of the configuration
};
inline constexpr std::size_t kFates = 6;
[[nodiscard]] constexpr std::string_view to_string(Fate f) {
    constexpr std::string_view names[kFates] = {"returned", "merged", "delivered", "expired", "dropped", "unsent"};
    return names[static_cast<std::size_t>(f)];
}

/// The end of one POST.
enum class Answer : std::uint8_t {
    ok,       // 2xx
    status,   // any other status, redirects too
    timeout,  // no answer in time
    refused,  // the host has no address that may be connected to
    failed,   // name, connection, TLS, or no HTTP
};
inline constexpr std::size_t kAnswers = 5;
[[nodiscard]] constexpr std::string_view to_string(Answer a) {
    constexpr std::string_view names[kAnswers] = {"ok", "status", "timeout", "refused", "failed"};
    return names[static_cast<std::size_t>(a)];
}

struct alignas(64) Tally {
    std::array<base::Counter, kFates> events;
    std::array<base::Counter, kAnswers> posts;
    base::Gauge queued_events;
    base::Gauge queued_bytes;
    base::Gauge held;  // departures that wait for a return

    void count(Fate fate, std::uint64_t n = 1) { events[static_cast<std::size_t>(fate)].add(n); }
    [[nodiscard]] std::uint64_t of(Fate fate) const { return events[static_cast<std::size_t>(fate)].value(); }
    [[nodiscard]] std::uint64_t of(Answer answer) const { return posts[static_cast<std::size_t>(answer)].value(); }
};

}  // namespace spillway::webhooks
