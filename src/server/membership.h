// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Clients in channels, on the subscribing core. A join is a message to the channel's home, and its answer comes back
// through the same ring as the broadcasts: so a client sees exactly what was sequenced after it joined. A leave follows its
// join on the same ring even while that is pending; an answer whose nonce is no longer current inserts nothing.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <string_view>

#include <spillway/errors.h>

#include "protocol/member.h"
#include "pubsub/channel_key.h"
#include "server/client.h"
#include "server/envelope.h"

namespace spillway::server {

class Core;

class Membership {
public:
    explicit Membership(Core& core) : core_(core) {}

    /// Sends the join. False if the client is in the channel, or on its way into it, already.
    /// `member`: who the client is in a presence channel, nullptr for all others.
    [[nodiscard]] bool subscribe(Client& client, const pubsub::ChannelKey& key,
                                 const protocol::Member* member = nullptr);
    /// False if it was not in the channel. What is queued of it for the client is purged.
    [[nodiscard]] bool unsubscribe(Client& client, const pubsub::ChannelKey& key);
    /// In the channel, its join answered.
    [[nodiscard]] bool is_subscribed(Client& client, const pubsub::ChannelKey& key);
    /// Out of every channel at once; O(its own channels).
    void leave_all(Client& client);

    /// The home's answers.
    void joined(const Joined& answer);
    void cached(const Cached& answer);

private:
    /// The client whose join is answered and its place in the client's list; kNone when it left meanwhile.
    struct Asker {
        Client* client = nullptr;
        std::uint32_t place = SubscriptionList::kNone;
    };
    [[nodiscard]] Asker asker(std::uint64_t client, LocalChannelId local, std::uint32_t nonce);
    [[nodiscard]] MemberBlock* make_member(const protocol::Member& member);
    void leave(Client& client, std::uint32_t place, DropReason reason);

    Core& core_;
    std::uint32_t nonce_ = 0;
};

}  // namespace spillway::server
