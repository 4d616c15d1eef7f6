// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/event_cache.h"

#include "base/assert.h"

namespace spillway::pubsub {
namespace {

constexpr base::Duration kTick = std::chrono::milliseconds{500};
constexpr std::size_t kBuckets = 4096;  // 34 minutes: longer than the usual time of an event

}  // namespace

EventCache::EventCache(const Limits& limits, base::Instant start) : limits_(limits), timers_(kTick, kBuckets, start) {}

void EventCache::put(const ChannelKey& channel, std::string_view name, std::string_view data, base::Instant now,
                     base::Duration ttl) {
    const auto found = by_channel_.find(channel);
    const std::size_t needed = sizeof(Entry) + channel.name.size() + name.size() + data.size();
    if (needed > limits_.bytes_max || limits_.events_max == 0) {
        if (found != by_channel_.end()) erase(found->second);
        ++evicted_;
        return;
    }
    const Place place = found == by_channel_.end() ? insert() : found->second;
    if (found != by_channel_.end()) {
        bytes_ -= place->bytes();
        by_channel_.erase(found);  // its key is about to move
    }
    fill(*place, channel, name, data);
    bytes_ += place->bytes();
    by_channel_.emplace(place->channel, place);
    place->expires = now + ttl;
    // One that is set for earlier fires, and is then set for what is left.
    if (!timers_.is_set(place->timer)) timers_.set(place->timer, place->expires);
    entries_.splice(entries_.end(), entries_, place);
    while (entries_.size() > limits_.events_max || bytes_ > limits_.bytes_max) {
        erase(entries_.begin());
        ++evicted_;
    }
}

EventCache::Place EventCache::insert() {
    const Place place = entries_.insert(entries_.end(), Entry{});
    if (free_timers_.empty()) {
        free_timers_.push_back(static_cast<std::uint32_t>(by_timer_.size()));
        by_timer_.push_back(place);
    }
    place->timer = free_timers_.back();
    free_timers_.pop_back();
    by_timer_[place->timer] = place;
    return place;
}

void EventCache::fill(Entry& entry, const ChannelKey& channel, std::string_view name, std::string_view data) {
    std::string text;
    text.reserve(channel.name.size() + name.size() + data.size());
    text.append(channel.name).append(name).append(data);
    entry.text = std::move(text);
    entry.channel = {channel.hash, channel.app, std::string_view(entry.text).substr(0, channel.name.size())};
    entry.name_bytes = name.size();
}

void EventCache::erase(Place place) {
    bytes_ -= place->bytes();
    timers_.cancel(place->timer);
    free_timers_.push_back(place->timer);
    by_timer_[place->timer] = entries_.end();
    by_channel_.erase(place->channel);
    entries_.erase(place);
}

std::optional<EventCache::Event> EventCache::find(const ChannelKey& channel, base::Instant now) const {
    const auto found = by_channel_.find(channel);
    if (found == by_channel_.end() || found->second->expires <= now) return std::nullopt;
    const Entry& entry = *found->second;
    const std::string_view text = std::string_view(entry.text).substr(entry.channel.name.size());
    return Event{text.substr(0, entry.name_bytes), text.substr(entry.name_bytes), entry.expires};
}

void EventCache::expire(base::Instant now) {
    if (entries_.empty()) return;
    timers_.advance(now, [&](std::uint32_t timer) {
        const Place place = by_timer_[timer];
        if (place->expires > now) {
            timers_.set(timer, place->expires);
        } else {
            erase(place);
        }
    });
}

void EventCache::check_invariants() const {
    timers_.check_invariants();
    SPILLWAY_ASSERT(entries_.size() == by_channel_.size() && entries_.size() == timers_.size());
    SPILLWAY_ASSERT(entries_.size() <= limits_.events_max && bytes_ <= limits_.bytes_max);
    std::size_t bytes = 0;
    for (const Entry& entry : entries_) {
        bytes += entry.bytes();
        SPILLWAY_ASSERT(&*by_channel_.at(entry.channel) == &entry);
        SPILLWAY_ASSERT(&*by_timer_[entry.timer] == &entry);
    }
    SPILLWAY_ASSERT(bytes == bytes_);
}

}  // namespace spillway::pubsub
