// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The last event of each cache channel that lives on a core, kept for its time whether or not anybody subscribes. Bounded:
// at most so many events and bytes, and the one that was published longest ago gives way.
//
// Time comes in as an argument. find() is exact; expire() gives the memory back, within a second of it, and touches only
// what is due.
//
// Thread: the home core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <spillway/limits.h>

#include "base/clock.h"
#include "base/timer_wheel.h"
#include "pubsub/channel_key.h"

namespace spillway::pubsub {

class EventCache {
public:
    struct Limits {
        std::size_t events_max = kCachedEventsMax;
        std::size_t bytes_max = kCachedBytesMax;
    };
    /// Views are valid until the cache changes.
    struct Event {
        std::string_view name;
        std::string_view data;
        base::Instant expires{};
    };

    EventCache(const Limits& limits, base::Instant start);

    /// Replaces the channel's event. One that is larger than the whole cache only removes what was there.
    void put(const ChannelKey& channel, std::string_view name, std::string_view data, base::Instant now,
             base::Duration ttl);
    /// Nothing when there is none, or its time is over.
    [[nodiscard]] std::optional<Event> find(const ChannelKey& channel, base::Instant now) const;
    void expire(base::Instant now);

    [[nodiscard]] std::size_t size() const { return by_channel_.size(); }
    /// Texts and what is needed around them.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// Events that gave way before their time.
    [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

    void check_invariants() const;

private:
    struct Entry {
        std::string text;  // channel, name and data, one behind the other
        ChannelKey channel;
        std::size_t name_bytes = 0;
        base::Instant expires{};
        std::uint32_t timer = 0;

        [[nodiscard]] std::size_t bytes() const { return sizeof(Entry) + text.size(); }
    };
    using Place = std::list<Entry>::iterator;

    [[nodiscard]] Place insert();
    static void fill(Entry& entry, const ChannelKey& channel, std::string_view name, std::string_view data);
    void erase(Place place);

    const Limits limits_;
    std::list<Entry> entries_;  // published longest ago first
    std::unordered_map<ChannelKey, Place, ChannelKeyHash> by_channel_;
    std::vector<Place> by_timer_;  // id of a timer -> entry
    std::vector<std::uint32_t> free_timers_;
    base::TimerWheel timers_;
    std::size_t bytes_ = 0;
    std::uint64_t evicted_ = 0;
};

}  // namespace spillway::pubsub
