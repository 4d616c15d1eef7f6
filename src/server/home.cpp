// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/home.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "protocol/codec.h"
#include "protocol/socket_id.h"
#include "server/core.h"
#include "ws/frame_writer.h"

namespace spillway::server {

Home::Home(Core& core) : core_(core), channels_(core.cores), credit_(core.cores) {}

void Home::join(CoreId from, const Join& join) {
    std::uint64_t first_seq = 0;
    if (join.name != nullptr) {
        const pubsub::ChannelKey key = join.name->key();
        if (channels_.find(key) == nullptr) core_.notices.occupied(key.app, key.name);
        first_seq = channels_.join(from, join.local, &key, join.form);
        core_.blocks.release(join.name);
    } else {
        first_seq = channels_.join(from, join.local, nullptr, join.form);
    }
    core_.stats.channels.set(static_cast<std::int64_t>(channels_.size()));
    if (witness_ != nullptr) witness_->joined(from, join.local, join.client);
    core_.port.send(from, Joined{join.client, first_seq, join.local, join.nonce});
}

void Home::leave(CoreId from, const Leave& leave) {
    const pubsub::HomeChannel& channel = channels_.of(from, leave.local);
    if (channel.subscribers() == 1) core_.notices.vacated(channel.key.app, channel.name);
    channels_.leave(from, leave.local, leave.form);
    core_.stats.channels.set(static_cast<std::int64_t>(channels_.size()));
}

void Home::publish(CoreId from, const Publish& publish) {
    // When it comes, not when it is sequenced: while it waits for room, its sender may leave, and the last one with it.
    if (publish.body->data_is_json) note_client_event(publish.body->key(publish.target), *publish.body);
    if (!waiting_.empty() || !try_sequence(from, publish)) waiting_.push_back({from, publish});
}

void Home::resume() {
    while (!waiting_.empty() && try_sequence(waiting_.front().from, waiting_.front().publish)) waiting_.pop_front();
}

bool Home::has_room(const pubsub::HomeChannel& channel) {
    return std::ranges::none_of(channel.shares,
                                [this](const pubsub::Share& s) { return core_.port.congested(s.core); });
}

bool Home::try_sequence(CoreId from, const Publish& publish) {
    const pubsub::ChannelKey key = publish.body->key(publish.target);
    pubsub::HomeChannel* channel = channels_.find(key);
    if (channel != nullptr) {
        if (!has_room(*channel)) return false;
        send_out(*channel, *publish.body);
    }
    if (witness_ != nullptr) witness_->sequenced(key.name, publish.body->text(publish.body->data));
    core_.stats.published.add();
    ++credit_[from];
    if (publish.reply_to != 0) {
        Sequenced answer{publish.reply_to, publish.place};
        if (publish.body->counts_wanted && channel != nullptr) answer.subscriptions = channel->subscribers();
        core_.port.send(from, answer);
    }
    core_.blocks.release(publish.body);
    return true;
}

void Home::send_out(pubsub::HomeChannel& channel, PublishBody& body) {
    ++channel.seq;
    pubsub::Message* message = encode(channel, body);
    // Counts are taken before the first push: a core may be done with its count before the next one has its own.
    pubsub::BlockPool::retain(message, static_cast<std::uint32_t>(channel.shares.size() - 1));
    for (const pubsub::Share& share : channel.shares) {
        const std::uint32_t expected = share.total();
        core_.stats.broadcast_sent.add(expected);
        core_.port.send(share.core, Broadcast{message, share.local, expected});
    }
}

void Home::note_client_event(const pubsub::ChannelKey& key, PublishBody& body) {
    if (!core_.notices.wanted(WebhookEvent::client_event, key.app, key.name)) return;
    const std::string socket_id = protocol::format_socket_id({body.exclude_nonce, ClientId::unpack(body.exclude)});
    core_.notices.client_event(key.app, key.name, body.text(body.event), body.text(body.data), socket_id,
                               body.text(body.user_id));
}

pubsub::Message* Home::encode(pubsub::HomeChannel& channel, PublishBody& body) {
    const std::string_view data = body.text(body.data);
    const bool pusher = channel.has(WireForm::pusher);
    const bool feed = channel.has(WireForm::feed);
    scratch_.clear();
    if (pusher) {
        const std::string_view user = body.text(body.user_id);
        const auto user_id = user.empty() ? std::nullopt : std::optional(user);
        if (body.data_is_json) {
            protocol::encode_client_event(scratch_, body.text(body.event), channel.name, data, user_id);
        } else {
            protocol::encode_channel_event(scratch_, body.text(body.event), channel.name, data, user_id);
        }
    }
    const std::size_t pusher_bytes = pusher ? ws::header_size(scratch_.size()) + scratch_.size() : 0;
    const std::size_t feed_bytes = feed ? ws::header_size(data.size()) + data.size() : 0;

    auto* message = core_.blocks.make<pubsub::Message>(pusher_bytes + feed_bytes);
    std::byte* at = message->storage();
    const auto put = [&](WireForm form, std::string_view payload, std::size_t bytes) {
        message->frame_at[static_cast<std::size_t>(form)] = static_cast<std::uint32_t>(at - message->storage());
        message->frame_bytes[static_cast<std::size_t>(form)] = static_cast<std::uint32_t>(bytes);
        const std::size_t header = ws::write_header(at, ws::Opcode::text, payload.size());
        std::memcpy(at + header, payload.data(), payload.size());
        at += bytes;
    };
    if (pusher) put(WireForm::pusher, scratch_, pusher_bytes);
    if (feed) put(WireForm::feed, data, feed_bytes);
    message->seq = channel.seq;
    message->exclude = body.exclude;
    message->exclude_nonce = body.exclude_nonce;
    message->event_hash = pubsub::event_hash(body.text(body.event));
    message->priority = body.priority;
    message->sequenced_at = core_.clock.now();
    return message;
}

void Home::send_credit() {
    for (std::size_t from = 0; from < credit_.size(); ++from) {
        if (credit_[from] == 0) continue;
        core_.port.send(static_cast<CoreId>(from), Credit{credit_[from]});
        credit_[from] = 0;
    }
}

}  // namespace spillway::server
