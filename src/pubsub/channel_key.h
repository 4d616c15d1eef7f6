// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A channel's identity: the app and the name. Its hash decides the home core, so it must be equal on every core and node.
#pragma once

#include <cstdint>
#include <string_view>

#include <spillway/ids.h>

namespace spillway::pubsub {

/// Names a channel while `name` lives. `hash` is channel_hash(app, name), computed once and carried along.
struct ChannelKey {
    std::uint64_t hash = 0;
    AppIndex app = 0;
    std::string_view name;

    friend bool operator==(const ChannelKey& a, const ChannelKey& b) {
        return a.hash == b.hash && a.app == b.app && a.name == b.name;
    }
};

struct ChannelKeyHash {
    std::size_t operator()(const ChannelKey& key) const noexcept { return static_cast<std::size_t>(key.hash); }
};

/// XXH3 of the name, seeded with the app.
[[nodiscard]] std::uint64_t channel_hash(AppIndex app, std::string_view name);

[[nodiscard]] inline ChannelKey channel_key(AppIndex app, std::string_view name) {
    return {channel_hash(app, name), app, name};
}

/// The core that gives the channel its one order.
[[nodiscard]] inline CoreId home_core(const ChannelKey& key, std::size_t cores) {
    return static_cast<CoreId>(key.hash % cores);
}

/// XXH3 of an event's name, for conflation. Never 0.
[[nodiscard]] std::uint64_t event_hash(std::string_view event);

}  // namespace spillway::pubsub
