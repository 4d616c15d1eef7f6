// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Users: connections that are signed in, and those that watch them.
//
// Whoever signs in as a user joins the user's hidden channel, like any other channel: through Membership to the user's home.
// What is published to the user is published to that channel, who is online is who is in it, and the end of a connection is its
// leave. signin_success is the join's answer, so what is published after it arrives.
//
// A watchlist is questions to the homes of the watched, one per core and user. When all have answered, the client is told the
// state of everybody in one frame, and then every change, once and in the order of the home.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.h"
#include "protocol/user_data.h"
#include "pubsub/home_watches.h"
#include "pubsub/local_watches.h"
#include "server/client.h"
#include "server/envelope.h"

namespace spillway::server {

class Core;

/// What is kept of a client that has signed in. Lent to those alone.
struct SignedInUser {
    struct Place {
        pubsub::WatchId watch{};
        std::uint32_t index = 0;  // among its watchers
    };

    std::string id;
    std::string user_info;          // JSON text; empty = none
    std::string user_data;          // as signed; until the sign-in is answered
    std::uint32_t answers_due = 0;  // signin_success, while the join is on its way
    bool joined = false;
    bool subscribed = false;    // has asked for its hidden channel by name
    bool too_many = false;      // its watchlist was cut
    bool told = false;          // of its watchlist's state
    std::uint32_t unknown = 0;  // watches whose first answer has not come
    std::vector<Place> watches;
};

class Users {
public:
    explicit Users(Core& core);

    void sign_in(Client& client, const protocol::Signin& signin);
    /// `pusher:subscribe` and `pusher:unsubscribe` of a hidden channel: the client's own, or refused.
    void subscribe(Client& client, std::string_view channel);
    void unsubscribe(Client& client, std::string_view channel);
    /// The home has the client in its user's channel.
    void joined(Client& client);
    /// The client has left the service.
    void left(Client& client);

    /// Everybody signed in as the user is closed; `call` is answered when the home has seen to it.
    void terminate(std::uint64_t call, AppIndex app, std::string_view user);

    // On the cores that watch.
    void watched(const Watched& answer);
    void expel(const Expel& order);
    /// Goes on with walks that were too long for one turn.
    void go_on();
    [[nodiscard]] bool busy() const { return !walks_.empty(); }

    // On the home core.
    void watch(CoreId from, const Watch& question);
    void unwatch(CoreId from, const Unwatch& end);
    /// A user's hidden channel gained its first subscriber, or loses its last.
    void changed(const pubsub::ChannelKey& key, pubsub::Online online);

    [[nodiscard]] std::size_t watches() const { return local_.size() + home_.size(); }
    void check_invariants();

private:
    void refuse(Client& client, std::string_view text);
    void answer_sign_in(Client& client);
    void answer_subscribe(Client& client);
    void start_watching(Client& client, const std::vector<std::string_view>& ids);
    void tell_watchlist(Client& client);
    void walk(pubsub::LocalWatch& watch, std::size_t& looks);
    void send(Client& client);

    Core& core_;
    protocol::UserScratch scratch_;
    pubsub::LocalWatches local_;
    pubsub::HomeWatches home_;
    std::deque<pubsub::WatchId> walks_;
    std::string json_;
    std::string frame_;
};

}  // namespace spillway::server
