// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What Pusher clients say and what they are answered: connecting, subscribing, client events, pings. Rules and texts are the
// protocol floor's; here they meet the core.
//
// Thread: the core.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <spillway/config.h>

#include "http/target.h"
#include "protocol/codec.h"
#include "protocol/errors.h"
#include "protocol/member.h"
#include "pubsub/local_channels.h"
#include "server/client.h"
#include "server/stats.h"

namespace spillway::server {

class Core;

class PusherFront {
public:
    explicit PusherFront(Core& core) : core_(core) {}

    /// The upgrade was checked; answers it with the connection's first event, or with an error and the close.
    void opened(Client& client, std::optional<AppIndex> app, std::string_view key, const http::Target& target);
    void message(Client& client, std::string_view text);
    /// The channel has the client: its subscription is confirmed, before anything that was sequenced after.
    void subscribed(Client& client, const pubsub::LocalChannel& channel);
    /// A presence channel has all the members it may have.
    void channel_full(Client& client, std::string_view channel);
    /// A cache channel has no event for its new subscriber.
    void cache_missed(Client& client, std::string_view channel);

    void error(Client& client, std::optional<std::uint16_t> code, std::string_view text);
    /// On the channel, and as pusher:error with `code` for whoever listens there.
    void subscription_error(Client& client, std::string_view channel, std::string_view type, std::string_view text,
                            std::uint16_t status, std::optional<std::uint16_t> code = std::nullopt);
    [[nodiscard]] std::string socket_id(const Client& client) const;

private:
    void refuse(Client& client, protocol::ErrorCode code, std::string_view text);
    [[nodiscard]] std::optional<protocol::ErrorCode> check_version(const AppConfig& app,
                                                                   const http::Target& target) const;
    void subscribe(Client& client, const protocol::Subscribe& wanted);
    /// Who the client is in a presence channel; nothing when it was told that it is nobody.
    [[nodiscard]] std::optional<protocol::Member> member_of(Client& client, const protocol::Subscribe& wanted);
    [[nodiscard]] bool authorised(Client& client, const protocol::Subscribe& wanted);
    void unsubscribe(Client& client, const protocol::Unsubscribe& wanted);
    [[nodiscard]] bool within_limits(Client& client, std::string_view channel);
    void client_event(Client& client, const protocol::ClientEvent& event);
    void refuse_client_event(Client& client, Refusal reason, std::optional<std::uint16_t> code, std::string_view text);
    [[nodiscard]] std::uint64_t now_ms() const;

    Core& core_;
    protocol::Scratch scratch_;
    std::string json_;
    std::string frame_;
};

}  // namespace spillway::server
