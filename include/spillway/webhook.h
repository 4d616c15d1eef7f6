// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What an app's backend can be told by HTTP, by the protocol's names, and sets of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spillway {

enum class WebhookEvent : std::uint8_t {
    channel_occupied,
    channel_vacated,
    member_added,
    member_removed,
    client_event,
    cache_miss,
    subscription_count,
};
inline constexpr std::size_t kWebhookEvents = 7;

[[nodiscard]] constexpr std::string_view to_string(WebhookEvent e) {
    constexpr std::string_view names[kWebhookEvents] = {"channel_occupied",  "channel_vacated", "member_added",
                                                        "member_removed",    "client_event",    "cache_miss",
                                                        "subscription_count"};
    return names[static_cast<std::size_t>(e)];
}

/// A set of events in one byte.
class WebhookEvents {
public:
    [[nodiscard]] static constexpr WebhookEvents all() {
        WebhookEvents set;
        set.bits_ = (1U << kWebhookEvents) - 1;
        return set;
    }
    constexpr void add(WebhookEvent e) { bits_ = static_cast<std::uint8_t>(bits_ | bit(e)); }
    constexpr void add(WebhookEvents other) { bits_ = static_cast<std::uint8_t>(bits_ | other.bits_); }
    [[nodiscard]] constexpr bool has(WebhookEvent e) const { return (bits_ & bit(e)) != 0; }
    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }

    /// With the opposite of each event that is held back for a return: the one cancels the other.
    [[nodiscard]] constexpr WebhookEvents with_opposites() const {
        WebhookEvents set = *this;
        if (has(WebhookEvent::channel_vacated)) set.add(WebhookEvent::channel_occupied);
        if (has(WebhookEvent::channel_occupied)) set.add(WebhookEvent::channel_vacated);
        if (has(WebhookEvent::member_removed)) set.add(WebhookEvent::member_added);
        if (has(WebhookEvent::member_added)) set.add(WebhookEvent::member_removed);
        return set;
    }

    friend constexpr bool operator==(WebhookEvents, WebhookEvents) = default;

private:
    static constexpr std::uint8_t bit(WebhookEvent e) {
        return static_cast<std::uint8_t>(1U << static_cast<unsigned>(e));
    }
    std::uint8_t bits_ = 0;
};

}  // namespace spillway
