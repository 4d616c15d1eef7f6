// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/membership.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/assert.h"
#include "pubsub/channel_name.h"
#include "server/core.h"

namespace spillway::server {

bool Membership::subscribe(Client& client, const pubsub::ChannelKey& key, const protocol::Member* member) {
    const auto opened = core_.channels.open(key);
    if (!opened.is_new && client.subscriptions.find(opened.id) != SubscriptionList::kNone) return false;
    pubsub::LocalChannel& channel = *core_.channels.get(opened.id);

    NameBlock* name = nullptr;
    if (channel.at_home == 0) {
        name = NameBlock::make(core_.blocks, key);
    }
    ++channel.joins_pending;
    ++channel.at_home;
    const std::uint32_t nonce = ++nonce_;
    client.subscriptions.add({opened.id, Subscription::kPending, nonce});
    MemberBlock* block = nullptr;
    if (member != nullptr) {
        block = make_member(*member);
        // What the home makes of it goes to every core, so it takes credit as a publication does.
        core_.port.note_published(channel.home, 1);
    }
    core_.port.send(channel.home, Join{client.id, opened.id, name, block, nonce, wire_form(client.kind)});
    return true;
}

MemberBlock* Membership::make_member(const protocol::Member& member) {
    auto* block = core_.blocks.make<MemberBlock>(member.user_id.size() + member.user_info.size());
    block->id_bytes = static_cast<std::uint32_t>(member.user_id.size());
    block->info_bytes = static_cast<std::uint32_t>(member.user_info.size());
    std::ranges::copy(member.user_id, block->text());
    std::ranges::copy(member.user_info, block->text() + member.user_id.size());
    return block;
}

bool Membership::unsubscribe(Client& client, const pubsub::ChannelKey& key) {
    const LocalChannelId id = core_.channels.find(key);
    const std::uint32_t place = id.is_none() ? SubscriptionList::kNone : client.subscriptions.find(id);
    if (place == SubscriptionList::kNone) return false;
    leave(client, place, DropReason::unsubscribed);
    core_.sender.purge(client, id);
    return true;
}

bool Membership::is_subscribed(Client& client, const pubsub::ChannelKey& key) {
    const LocalChannelId id = core_.channels.find(key);
    if (id.is_none()) return false;
    const std::uint32_t place = client.subscriptions.find(id);
    return place != SubscriptionList::kNone && client.subscriptions[place].index != Subscription::kPending;
}

void Membership::leave_all(Client& client) {
    while (client.subscriptions.size() != 0)
        leave(client, static_cast<std::uint32_t>(client.subscriptions.size() - 1), DropReason::client_closed);
}

void Membership::leave(Client& client, std::uint32_t place, DropReason reason) {
    const Subscription subscription = client.subscriptions[place];
    pubsub::LocalChannel& channel = *core_.channels.get(subscription.channel);
    if (client.subscriptions.remove(place)) {
        const Subscription& moved = client.subscriptions[place];
        if (moved.index != Subscription::kPending)
            core_.channels.get(moved.channel)->subscribers[moved.index].back = place;
    }
    if (client.gaps) core_.gaps.left(client, subscription.channel);
    core_.port.send(channel.home, Leave{subscription.channel, wire_form(client.kind), client.id});
    --channel.at_home;
    if (subscription.index != Subscription::kPending) {
        if (!channel.hidden) core_.stats.subscriptions.subtract();
        pubsub::LocalChannels::for_each_owed(channel, subscription.index, [&](const pubsub::Held* held) {
            core_.stats.count_drop(reason, *held->message, client);
        });
        core_.channels.remove(channel, subscription.index,
                              [&](std::uint32_t slot, std::uint32_t back, std::uint32_t index) {
                                  core_.clients[slot].subscriptions[back].index = index;
                              });
    }
    core_.channels.close_if_unused(channel);
}

Membership::Asker Membership::asker(std::uint64_t id, LocalChannelId local, std::uint32_t nonce) {
    Client* client = core_.find(id);
    if (client == nullptr) return {};
    const std::uint32_t place = client->subscriptions.find(local);
    if (place == SubscriptionList::kNone || client->subscriptions[place].nonce != nonce) return {};
    return {client, place};
}

void Membership::joined(const Joined& answer) {
    pubsub::LocalChannel* channel = core_.channels.get(answer.local);
    SPILLWAY_ASSERT(channel != nullptr && channel->joins_pending != 0);
    --channel->joins_pending;
    const auto [client, place] = asker(answer.client, answer.local, answer.nonce);
    if (client == nullptr) {  // it left meanwhile
        if (answer.succeeded != nullptr) core_.blocks.release(answer.succeeded);
        core_.channels.close_if_unused(*channel);
        return;
    }
    if (answer.full) {
        const std::string name = channel->name;  // the channel may close
        leave(*client, place, DropReason::unsubscribed);
        core_.pusher.channel_full(*client, name);
        return;
    }
    if (client->unauthorized) client->unauthorized = !channel->hidden && !pubsub::classify(channel->name).needs_auth();
    // The answer goes into the client's stream before any message that was sequenced after it joined.
    if (answer.succeeded != nullptr) {
        core_.sender.answer(*client, answer.succeeded);
    } else if (channel->hidden) {
        core_.users.joined(*client);
    } else if (client->kind == ClientKind::pusher) {
        core_.pusher.subscribed(*client, *channel);
    } else {
        core_.ws.feed_ready(*client);
    }
    if (client->state != ClientState::open) return;  // its queue was full: it has left already
    const std::uint32_t index = core_.channels.add(*channel, client->slot(), place, answer.first_seq);
    client->subscriptions[place].index = index;
    if (client->gaps) core_.gaps.joined(*client, answer.local, answer.first_seq);
    if (!channel->hidden) core_.stats.subscriptions.add();
}

void Membership::cached(const Cached& answer) {
    const auto [client, place] = asker(answer.client, answer.local, answer.nonce);
    if (client == nullptr) {
        if (answer.message != nullptr) core_.blocks.release(answer.message);
    } else if (answer.message != nullptr) {
        core_.sender.answer(*client, answer.message);
    } else if (client->kind == ClientKind::pusher) {
        core_.pusher.cache_missed(*client, core_.channels.get(answer.local)->name);
    }
}

}  // namespace spillway::server
