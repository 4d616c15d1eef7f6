// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/home.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "protocol/codec.h"
#include "protocol/socket_id.h"
#include "pubsub/channel_name.h"
#include "server/core.h"
#include "ws/frame_writer.h"

namespace spillway::server {

Home::Home(Core& core)
    : core_(core),
      channels_(core.cores),
      credit_(core.cores),
      held_credit_(core.cores),
      cache_({}, core.now),
      counts_(core) {}

// ---- joining and leaving

std::unique_ptr<pubsub::ChannelState> Home::make_state(const pubsub::ChannelKey& key) const {
    const pubsub::ChannelTraits traits = pubsub::classify(key.name);
    if (!traits.presence && !traits.cache) return nullptr;
    auto state = std::make_unique<pubsub::ChannelState>();
    if (traits.presence) state->roster = std::make_unique<pubsub::Roster>();
    state->caches = traits.cache;
    return state;
}

void Home::count_changed(pubsub::HomeChannel& channel) {
    const pubsub::ChannelKey& key = channel.key;
    if (!core_.apps[key.app].subscription_count) return;
    const pubsub::ChannelTraits traits = pubsub::classify(key.name);
    if (traits.presence || traits.server_to_user) return;
    if (channel.state == nullptr) channel.state = std::make_unique<pubsub::ChannelState>();
    counts_.changed(channel);
}

void Home::join(CoreId from, const Join& join) {
    std::optional<pubsub::ChannelKey> name;
    if (join.name != nullptr) name = join.name->key();
    pubsub::HomeChannel& channel = channels_.open(from, join.local, name ? &*name : nullptr);
    if (join.name != nullptr) core_.blocks.release(join.name);
    if (channel.shares.empty()) {
        channel.state = make_state(channel.key);
        occupied(channel);
    }

    Joined answer{join.client, 0, join.local, join.nonce};
    if (join.member != nullptr) enter(channel, from, join, answer);
    answer.first_seq = channels_.join(channel, from, join.local, join.form);
    note_channels();
    if (witness_ != nullptr) witness_->joined(from, join.local, join.client);
    core_.port.send(from, answer);
    if (answer.full) return;
    if (channel.state != nullptr && channel.state->caches) send_cached(channel, from, join);
    count_changed(channel);
}

void Home::enter(pubsub::HomeChannel& channel, CoreId from, const Join& join, Joined& answer) {
    SPILLWAY_ASSERT(channel.state != nullptr && channel.state->roster != nullptr);
    pubsub::Roster& roster = *channel.state->roster;
    MemberBlock& member = *join.member;
    const auto entry =
        roster.enter(join.client, member.id(), member.info(), core_.apps[channel.key.app].max_presence_members);
    answer.full = entry == pubsub::Roster::Entry::full;
    if (entry == pubsub::Roster::Entry::first) {
        ++members_;
        core_.notices.member_added(channel.key.app, channel.name, member.id());
        if (witness_ != nullptr) witness_->member(channel.name, member.id(), true);
        scratch_.clear();
        protocol::encode_member_added(scratch_, channel.name, member.id(), member.info());
        announce(channel, Priority::urgent, 0);
    }
    if (!answer.full) {
        scratch_.clear();
        protocol::encode_presence_succeeded(scratch_, channel.name, roster);
        answer.succeeded = make_message(WireForm::pusher, scratch_);
        answer.succeeded->priority = Priority::urgent;
    }
    core_.blocks.release(join.member);
    ++held_credit_[from];
    ++held_credits_;
}

void Home::leave(CoreId from, const Leave& leave) {
    pubsub::HomeChannel* channel = &channels_.of(from, leave.local);
    std::optional<std::string> gone;
    if (pubsub::ChannelState* state = channel->state.get()) {
        if (state->roster != nullptr) gone = state->roster->leave(leave.client);
        if (gone) note_gone(*channel, *gone);
        if (channel->subscribers() == 1) counts_.forget(*channel);
    }
    if (channel->subscribers() == 1) vacated(*channel);
    if (witness_ != nullptr) witness_->left(from, channel->name);
    channel = channels_.leave(from, leave.local, leave.form);
    note_channels();
    if (channel == nullptr) return;
    if (gone) {
        scratch_.clear();
        protocol::encode_member_removed(scratch_, channel->name, *gone);
        announce(*channel, Priority::urgent, 0);
    }
    count_changed(*channel);
}

void Home::occupied(const pubsub::HomeChannel& channel) {
    if (channel.hidden) {
        core_.users.changed(channel.key, pubsub::Online::yes);
    } else {
        core_.notices.occupied(channel.key.app, channel.name);
    }
}

void Home::vacated(const pubsub::HomeChannel& channel) {
    if (channel.hidden) {
        core_.users.changed(channel.key, pubsub::Online::no);
    } else {
        core_.notices.vacated(channel.key.app, channel.name);
    }
}

void Home::note_channels() {
    core_.stats.channels.set(static_cast<std::int64_t>(channels_.size() - channels_.hidden()));
}

void Home::terminate(CoreId from, const Terminate& terminate) {
    if (const pubsub::HomeChannel* channel = channels_.find(terminate.name->key()))
        for (const pubsub::Share& share : channel->shares) core_.port.send(share.core, Expel{share.local});
    core_.blocks.release(terminate.name);
    core_.port.send(from, Sequenced{terminate.reply_to, 0, 0, 0});
}

void Home::note_gone(const pubsub::HomeChannel& channel, const std::string& id) {
    --members_;
    core_.notices.member_removed(channel.key.app, channel.name, id);
    if (witness_ != nullptr) witness_->member(channel.name, id, false);
}

void Home::announce(pubsub::HomeChannel& channel, Priority priority, std::uint64_t event_hash) {
    if (!channel.has(WireForm::pusher)) return;
    pubsub::Message* message = make_message(WireForm::pusher, scratch_);
    message->seq = ++channel.seq;
    message->priority = priority;
    message->event_hash = event_hash;
    message->kind = channel.kind;
    message->pusher_only = true;
    // To cores with feeds alone, too: whoever asks to be told of gaps there must see that this number was not for it.
    broadcast(channel, message);
}

void Home::tell_count(pubsub::HomeChannel& channel) {
    constexpr std::string_view kEvent = "pusher_internal:subscription_count";
    const std::uint32_t count = channel.subscribers();
    core_.notices.subscription_count(channel.key.app, channel.name, count);
    scratch_.clear();
    protocol::encode_subscription_count(scratch_, channel.name, count);
    // The next one makes good for one that is lost, so it closes nobody whose queue is full.
    announce(channel, Priority::high, pubsub::event_hash(kEvent));
}

const pubsub::Roster* Home::roster(const pubsub::ChannelKey& key) const {
    const pubsub::HomeChannel* channel = channels_.find(key);
    return channel == nullptr || channel->state == nullptr ? nullptr : channel->state->roster.get();
}

// ---- the last event

void Home::keep(const pubsub::ChannelKey& key, PublishBody& body) {
    if (body.data_is_json) return;  // clients' events are not kept
    cache_.put(key, body.text(body.event), body.text(body.data), core_.now, core_.apps[key.app].cache_ttl);
    if (witness_ != nullptr) witness_->kept(key.name, body.text(body.data));
}

std::optional<pubsub::EventCache::Event> Home::cached(const pubsub::ChannelKey& channel) const {
    return cache_.find(channel, core_.now);
}

void Home::send_cached(const pubsub::HomeChannel& channel, CoreId from, const Join& join) {
    Cached answer{join.client, join.local, nullptr, join.nonce};
    if (const auto event = cached(channel.key)) {
        scratch_.clear();
        if (join.form == WireForm::pusher)
            protocol::encode_channel_event(scratch_, event->name, channel.name, event->data);
        answer.message = make_message(join.form, join.form == WireForm::pusher ? scratch_ : event->data);
        answer.message->priority = Priority::urgent;
    } else {
        core_.notices.cache_miss(channel.key.app, channel.name);
    }
    core_.port.send(from, answer);
}

// ---- publications

void Home::publish(CoreId from, const Publish& publish) {
    std::string sender = sender_of(publish);
    // When it comes, not when it is sequenced: while it waits for room, its sender may leave, and the last one with it.
    if (publish.body->data_is_json) note_client_event(publish.body->key(publish.target), *publish.body, sender);
    if (!waiting_.empty() || !try_sequence(from, publish, sender))
        waiting_.push_back({from, publish, std::move(sender)});
}

std::string Home::sender_of(const Publish& publish) {
    if (!publish.body->data_is_json) return {};
    const pubsub::Roster* members = roster(publish.body->key(publish.target));
    const pubsub::Roster::Member* member = members == nullptr ? nullptr : members->member_of(publish.body->exclude);
    return member == nullptr ? std::string{} : member->id;
}

void Home::resume() {
    const auto try_next = [this](const Waiting& next) { return try_sequence(next.from, next.publish, next.sender); };
    while (!waiting_.empty() && try_next(waiting_.front())) waiting_.pop_front();
}

bool Home::has_room(const pubsub::HomeChannel& channel) {
    return std::ranges::none_of(channel.shares,
                                [this](const pubsub::Share& s) { return core_.port.congested(s.core); });
}

bool Home::try_sequence(CoreId from, const Publish& publish, std::string_view sender) {
    const pubsub::ChannelKey key = publish.body->key(publish.target);
    pubsub::HomeChannel* channel = channels_.find(key);
    if (channel != nullptr) {
        if (!has_room(*channel)) return false;
        send_out(*channel, *publish.body, sender);
    }
    if (witness_ != nullptr) witness_->sequenced(key.name, publish.body->text(publish.body->data));
    if (channel == nullptr ? pubsub::classify(key.name).cache : channel->state != nullptr && channel->state->caches)
        keep(key, *publish.body);
    core_.stats.published.add();
    ++credit_[from];
    if (publish.reply_to != 0) {
        Sequenced answer{publish.reply_to, publish.place};
        if (publish.body->counts_wanted) {
            const protocol::ChannelCounts now = counts(key);
            answer.subscriptions = now.subscriptions;
            answer.users = now.users;
        }
        core_.port.send(from, answer);
    }
    core_.blocks.release(publish.body);
    return true;
}

protocol::ChannelCounts Home::counts(const pubsub::ChannelKey& key) const {
    const pubsub::HomeChannel* channel = channels_.find(key);
    if (channel == nullptr) return {};
    const pubsub::Roster* members = roster(key);
    return {channel->subscribers(), members == nullptr ? 0 : static_cast<std::uint32_t>(members->size())};
}

void Home::send_out(pubsub::HomeChannel& channel, PublishBody& body, std::string_view sender) {
    ++channel.seq;
    broadcast(channel, encode(channel, body, sender));
}

void Home::broadcast(const pubsub::HomeChannel& channel, pubsub::Message* message) {
    // Counts are taken before the first push: a core may be done with its count before the next one has its own.
    pubsub::BlockPool::retain(message, static_cast<std::uint32_t>(channel.shares.size() - 1));
    for (const pubsub::Share& share : channel.shares) {
        const std::uint32_t expected = share.total();
        core_.stats.broadcast_sent.add(expected);
        if (witness_ != nullptr) witness_->sent(channel.name, *message, share.core, expected);
        core_.port.send(share.core, Broadcast{message, share.local, expected});
    }
}

void Home::note_client_event(const pubsub::ChannelKey& key, PublishBody& body, std::string_view sender) {
    if (!core_.notices.wanted(WebhookEvent::client_event, key.app, key.name)) return;
    const std::string socket_id = protocol::format_socket_id({body.exclude_nonce, ClientId::unpack(body.exclude)});
    core_.notices.client_event(key.app, key.name, body.text(body.event), body.text(body.data), socket_id, sender);
}

pubsub::Message* Home::encode(pubsub::HomeChannel& channel, PublishBody& body, std::string_view sender) {
    const std::string_view data = body.text(body.data);
    const bool pusher = channel.has(WireForm::pusher);
    const bool feed = channel.has(WireForm::feed);
    scratch_.clear();
    if (pusher) {
        if (body.data_is_json) {
            protocol::encode_client_event(scratch_, body.text(body.event), channel.name, data,
                                          sender.empty() ? std::nullopt : std::optional(sender));
        } else {
            protocol::encode_channel_event(scratch_, body.text(body.event), channel.name, data);
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
    message->kind = channel.kind;
    message->sequenced_at = core_.clock.now();
    return message;
}

pubsub::Message* Home::make_message(WireForm form, std::string_view payload) {
    const std::size_t header = ws::header_size(payload.size());
    auto* message = core_.blocks.make<pubsub::Message>(header + payload.size());
    message->frame_bytes[static_cast<std::size_t>(form)] = static_cast<std::uint32_t>(header + payload.size());
    static_cast<void>(ws::write_header(message->storage(), ws::Opcode::text, payload.size()));
    std::memcpy(message->storage() + header, payload.data(), payload.size());
    message->sequenced_at = core_.clock.now();
    return message;
}

// ---- once per turn

void Home::tell_due() {
    counts_.tell();
    cache_.expire(core_.now);
    send_credit();
}

void Home::send_credit() {
    const auto congested = [this] {
        for (std::size_t to = 0; to < core_.cores; ++to)
            if (core_.port.congested(static_cast<CoreId>(to))) return true;
        return false;
    };
    if (held_credits_ != 0 && !congested()) {
        for (std::size_t from = 0; from < credit_.size(); ++from) credit_[from] += std::exchange(held_credit_[from], 0);
        held_credits_ = 0;
    }
    for (std::size_t from = 0; from < credit_.size(); ++from) {
        if (credit_[from] == 0) continue;
        core_.port.send(static_cast<CoreId>(from), Credit{credit_[from]});
        credit_[from] = 0;
    }
}

}  // namespace spillway::server
