// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/api_answer.h"

#include <algorithm>

#include "base/format.h"
#include "protocol/json_escape.h"
#include "pubsub/channel_name.h"

namespace spillway::protocol {

void append_channel_counts(std::string& out, std::string_view channel, InfoSet info, const ChannelCounts& counts,
                           std::string_view first) {
    base::append(out, "{", first);
    if (info.user_count && pubsub::classify(channel).presence) base::append(out, "\"user_count\":", counts.users, ",");
    if (info.subscription_count) base::append(out, "\"subscription_count\":", counts.subscriptions, ",");
    if (out.back() == ',') {
        out.back() = '}';
    } else {
        out += '}';
    }
}

void append_channel_state(std::string& out, std::string_view channel, InfoSet info, const ChannelCounts& counts,
                          const CachedEvent* cached) {
    append_channel_counts(out, channel, info, counts,
                          counts.subscriptions != 0 ? "\"occupied\":true," : "\"occupied\":false,");
    if (!info.cache) return;
    out.back() = ',';
    if (cached == nullptr) {
        out += "\"cache\":null}";
        return;
    }
    out += "\"cache\":{\"data\":";
    append_json_string(out, cached->data);
    base::append(out, ",\"ttl\":", cached->ttl_seconds, "}}");
}

bool PublishAnswer::wanted(std::span<const PublishEvent> events) {
    return std::ranges::any_of(events, [](const PublishEvent& event) { return event.info.any(); });
}

PublishAnswer::PublishAnswer(std::span<const PublishEvent> events, bool batch) : batch_(batch) {
    for (const PublishEvent& event : events) {
        events_.push_back({event.info, event.channels.size()});
        for (const std::string_view channel : event.channels) channels_.push_back({std::string(channel), {}});
    }
}

std::string PublishAnswer::text() const {
    std::string out = batch_ ? "{\"batch\":[" : "";
    std::span<const Channel> rest = channels_;
    for (const Event& event : events_) {
        const auto channels = rest.first(event.channels);
        rest = rest.subspan(event.channels);
        if (batch_ && out.back() != '[') out += ',';
        if (!event.info.any()) {
            out += "{}";
        } else if (batch_ && channels.size() == 1) {
            append_channel_counts(out, channels.front().name, event.info, channels.front().counts);
        } else {
            append_channels(out, event.info, channels);
        }
    }
    if (batch_) out += "]}";
    return out;
}

void PublishAnswer::append_channels(std::string& out, InfoSet info, std::span<const Channel> channels) const {
    out += "{\"channels\":{";
    for (const Channel& channel : channels) {
        if (out.back() != '{') out += ',';
        append_json_string(out, channel.name);
        out += ':';
        append_channel_counts(out, channel.name, info, channel.counts);
    }
    out += "}}";
}

}  // namespace spillway::protocol
