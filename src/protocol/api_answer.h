// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Bodies of the HTTP API's answers: what channels are like, as far as it was asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/api.h"

namespace spillway::protocol {

/// Of one channel, at one moment.
struct ChannelCounts {
    std::uint32_t subscriptions = 0;
    std::uint32_t users = 0;  // of a presence channel
};

/// Appends `{"user_count":2,"subscription_count":3}`: the attributes asked for that a channel of this kind has, with
/// `first` (members with a comma behind each, or nothing) in front of them.
void append_channel_counts(std::string& out, std::string_view channel, InfoSet info, const ChannelCounts& counts,
                           std::string_view first = {});

/// The event that a cache channel keeps.
struct CachedEvent {
    std::string_view data;
    std::uint64_t ttl_seconds = 0;  // still to live
};

/// Appends `{"occupied":true,"user_count":2,"subscription_count":3,"cache":{"data":"…","ttl":60}}`, the attributes asked
/// for only. Counts of nobody are 0; a cache without an event is null.
void append_channel_state(std::string& out, std::string_view channel, InfoSet info, const ChannelCounts& counts,
                          const CachedEvent* cached);

/// What a publish call answers that asked for `info`: counts come in one by one, in any order.
class PublishAnswer {
public:
    /// Something is asked for.
    [[nodiscard]] static bool wanted(std::span<const PublishEvent> events);
    PublishAnswer(std::span<const PublishEvent> events, bool batch);

    /// Of the `place`-th channel, counted over all channels of all events in their order.
    void set(std::size_t place, const ChannelCounts& counts) { channels_[place].counts = counts; }
    /// `{"channels":{"c":{"subscription_count":13}}}`; of a batch `{"batch":[{"subscription_count":13},{}]}`, one object
    /// for each event.
    [[nodiscard]] std::string text() const;

private:
    struct Channel {
        std::string name;
        ChannelCounts counts;
    };
    struct Event {
        InfoSet info;
        std::size_t channels = 0;
    };
    void append_channels(std::string& out, InfoSet info, std::span<const Channel> channels) const;

    std::vector<Event> events_;
    std::vector<Channel> channels_;
    bool batch_ = false;
};

}  // namespace spillway::protocol
