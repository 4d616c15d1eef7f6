// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/publisher.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "server/core.h"

namespace spillway::server {

Publisher::Publisher(Core& core) : core_(core), wanted_(core.cores) {}

std::size_t Publisher::publish(std::span<const Publication> publications, std::uint64_t reply_to) {
    std::ranges::fill(wanted_, 0);
    hashes_.clear();
    for (const Publication& publication : publications) {
        for (const std::string_view channel : publication.channels) {
            hashes_.push_back(pubsub::channel_hash(publication.app, channel));
            ++wanted_[hashes_.back() % core_.cores];
        }
    }
    for (std::size_t home = 0; home < wanted_.size(); ++home)
        if (wanted_[home] != 0 && !core_.port.may_publish(static_cast<CoreId>(home), wanted_[home])) return 0;

    std::size_t next = 0;
    for (const Publication& publication : publications) {
        PublishBody* body = make_body(publication);
        for (std::uint16_t target = 0; target < body->targets; ++target) {
            const std::uint64_t hash = hashes_[next + target];
            body->target_list()[target].hash = hash;
        }
        const auto first = static_cast<std::uint32_t>(next);
        next += body->targets;
        const std::uint16_t targets = body->targets;  // the body may be gone after the last push
        for (std::uint16_t target = 0; target < targets; ++target) {
            const auto home = static_cast<CoreId>(body->target_list()[target].hash % core_.cores);
            core_.port.note_published(home, 1);
            core_.port.send(home, Publish{body, reply_to, first + target, target});
        }
    }
    return hashes_.size();
}

PublishBody* Publisher::make_body(const Publication& publication) {
    std::size_t text_bytes = publication.event.size() + publication.data.size();
    for (const std::string_view channel : publication.channels) text_bytes += channel.size();
    const std::size_t targets = publication.channels.size();
    SPILLWAY_ASSERT(targets >= 1 && targets <= 0xFFFF);

    auto* body = core_.blocks.make<PublishBody>(targets * sizeof(PublishBody::Target) + text_bytes);
    body->targets = static_cast<std::uint16_t>(targets);
    body->exclude = publication.exclude.client.is_none() ? 0 : publication.exclude.client.packed();
    body->exclude_nonce = publication.exclude.nonce;
    body->app = publication.app;
    body->priority = publication.priority;
    body->counts_wanted = publication.counts_wanted;
    body->data_is_json = publication.data_is_json;
    pubsub::BlockPool::retain(body, static_cast<std::uint32_t>(targets - 1));

    std::uint32_t at = 0;
    const auto put = [&](std::string_view text) {
        if (!text.empty()) std::memcpy(body->texts() + at, text.data(), text.size());
        const PublishBody::Text placed{at, static_cast<std::uint32_t>(text.size())};
        at += placed.size;
        return placed;
    };
    body->event = put(publication.event);
    body->data = put(publication.data);
    for (std::size_t i = 0; i < targets; ++i) {
        const auto placed = put(publication.channels[i]);
        body->target_list()[i] = {0, placed.at, placed.size};
    }
    return body;
}

}  // namespace spillway::server
