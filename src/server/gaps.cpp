// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/gaps.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "protocol/codec.h"
#include "server/core.h"
#include "ws/frame_writer.h"

namespace spillway::server {

Gaps::Track* Gaps::find(const Client& client, LocalChannelId channel) {
    const auto tracks = clients_.find(client.id);
    if (tracks == clients_.end()) return nullptr;
    const auto track = std::ranges::find(tracks->second, channel, &Track::channel);
    return track == tracks->second.end() ? nullptr : &*track;
}

void Gaps::joined(const Client& client, LocalChannelId channel, std::uint64_t first_seq) {
    clients_[client.id].push_back({channel, first_seq - 1, first_seq - 1, 0, {}});
}

void Gaps::left(const Client& client, LocalChannelId channel) {
    const auto tracks = clients_.find(client.id);
    if (tracks == clients_.end()) return;
    std::erase_if(tracks->second, [channel](const Track& t) { return t.channel == channel; });
}

void Gaps::forget(Client& client) {
    clients_.erase(client.id);
    client.gaps = false;
}

void Gaps::queued(const Client& client, LocalChannelId channel, std::uint64_t seq) {
    if (Track* track = find(client, channel)) track->last_queued = seq;
}

void Gaps::excluded(const Client& client, LocalChannelId channel, std::uint64_t seq) {
    Track* track = find(client, channel);
    if (track == nullptr) return;
    auto& skipped = track->skipped;
    if (skipped.empty() || skipped.back().seq < track->last_queued) {
        skipped.push_back({seq, 1});
    } else {
        skipped.back() = {seq, skipped.back().count + 1};
    }
}

void Gaps::withdrawn(const Client& client, LocalChannelId channel, std::uint64_t seq) {
    Track* track = find(client, channel);
    if (track == nullptr) return;
    track->skipped.insert(std::ranges::lower_bound(track->skipped, seq, {}, &Track::Skipped::seq), {seq, 1});
}

std::uint64_t Gaps::missing_before(const Track& track, std::uint64_t seq) {
    SPILLWAY_ASSERT(seq > track.seen);
    std::uint64_t missing = seq - track.seen - 1;
    for (const Track::Skipped& s : track.skipped)
        if (s.seq > track.seen && s.seq < seq) missing -= s.count;
    return missing;
}

void Gaps::passed(const Client& client, const pubsub::QueueEntry& entry) {
    Track* track = find(client, entry.channel);
    const std::uint64_t seq = entry.held->message->seq;
    if (track == nullptr) return;
    track->passed = seq;
    std::erase_if(track->skipped, [seq](const Track::Skipped& s) { return s.seq < seq; });
}

void Gaps::put_notices(Client& client) {
    const auto tracks = clients_.find(client.id);
    if (tracks == clients_.end()) return;
    for (Track& track : tracks->second) track.seen = track.passed;
    pubsub::SendQueue& queue = client.out->queue;
    for (std::size_t i = 0; i < std::min(queue.size(), kGatherMax); ++i) {
        const bool begun = i == 0 && queue.head_taken() != 0;
        const pubsub::QueueEntry entry = queue.at(i);
        const pubsub::Message& message = *entry.held->message;
        Track* track = entry.channel.is_none() ? nullptr : find(client, entry.channel);
        if (track == nullptr) continue;  // an answer, or left over from an earlier stay
        if (message.notice && !begun) {
            // It did not get out and may have become wrong: more was lost since, before or behind it.
            core_.sender.take_out(client, i--);
            continue;
        }
        if (const std::uint64_t missing = begun ? 0 : missing_before(*track, message.seq); missing != 0) {
            pubsub::Held* notice = make_notice(client, entry.channel, message.seq - 1, missing);
            core_.sender.insert(client, i++, {notice, entry.channel});
        }
        track->seen = std::max(track->seen, message.seq);
    }
}

pubsub::Held* Gaps::make_notice(const Client& client, LocalChannelId channel, std::uint64_t upto, std::uint64_t count) {
    const pubsub::LocalChannel* of = core_.channels.get(channel);
    SPILLWAY_ASSERT(of != nullptr);  // the client is in it
    json_.clear();
    protocol::encode_gap(json_, of->name, count);
    const std::size_t bytes = ws::header_size(json_.size()) + json_.size();
    auto* message = core_.blocks.make<pubsub::Message>(bytes);
    const std::size_t header = ws::write_header(message->storage(), ws::Opcode::text, json_.size());
    std::memcpy(message->storage() + header, json_.data(), json_.size());
    message->frame_bytes[static_cast<std::size_t>(wire_form(client.kind))] = static_cast<std::uint32_t>(bytes);
    message->seq = upto;
    message->priority = Priority::urgent;
    message->notice = true;
    return core_.holds.take(message);
}

}  // namespace spillway::server
