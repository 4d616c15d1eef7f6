// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The signed HTTP API under /apps/{id}: who may ask for what, and with which answer. The answer to a publication goes out
// only when every home core concerned has sequenced it, so a publisher that waits for its answers gets its order.
//
// Order of the checks, each with its status: endpoint and app (404), method (405), form bodies (415), signature (401), app
// disabled (403), body and parameters (400, 413), rate (429), room (503).
//
// Thread: the core.
#pragma once

#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/request.h"
#include "protocol/api.h"
#include "protocol/auth.h"
#include "server/client.h"
#include "server/publisher.h"
#include "server/stats.h"

namespace spillway::server {

class Core;

class HttpApi {
public:
    explicit HttpApi(Core& core) : core_(core) {}

    /// A request for /apps/{id}/…; answers it, or leaves it to a call. `path` is without the configured prefix.
    void handle(Client& client, const http::Request& request, std::string_view path);
    /// What the request at hand was put off for may have come.
    void resume(Client& client);
    /// Looks after requests that waited for room for too long.
    void step();

private:
    struct Request {
        Client& client;
        const http::Request& http;
        AppIndex app;
        std::string_view word;  // of the path: what stands for `*` in the route
    };
    struct Route {
        Endpoint endpoint;
        std::string_view method;  // GET stands for HEAD, too
        std::string_view path;    // behind /apps/{id}/; a `*` stands for one segment of any text
        void (HttpApi::*serve)(const Request&);
    };
    static const Route kRoutes[];

    [[nodiscard]] static const Route* find_route(std::span<const std::string_view> segments, std::string_view& word);
    [[nodiscard]] bool authorised(Client& client, const http::Request& request, std::string_view path, AppIndex app);
    void publish(const Request& request);
    void publish_events(Client& client, std::span<const protocol::PublishEvent> events, bool batch);
    [[nodiscard]] bool may_publish(Client& client, std::span<const protocol::PublishEvent> events);
    [[nodiscard]] bool key_allows(Client& client, std::string_view key);
    void wait_for_room(Client& client);
    void refuse_for_room(Client& client);
    void upgrade(const Request& request);
    void terminate(const Request& request);
    void list_channels(const Request& request);
    void tell_channel(const Request& request);
    void tell_users(const Request& request);
    void ask(Client& client, Query::What what, const pubsub::ChannelKey& channel, protocol::InfoSet info);
    [[nodiscard]] static std::string_view methods(const Route& route);
    void answer_options(Client& client, const Route& route);
    void allow_origin(Client& client, const http::Request& request, AppIndex app);
    [[nodiscard]] std::span<const protocol::ApiParameter> parameters(const Client& client);
    [[nodiscard]] protocol::ApiLimits limits(AppIndex app) const;
    void refuse(Client& client, const protocol::ApiError& error);

    Core& core_;
    protocol::ApiScratch scratch_;
    std::vector<protocol::QueryParam> query_;
    std::vector<protocol::ApiParameter> parameters_;
    std::vector<Publication> publications_;
    struct Patience {
        std::uint64_t client = 0;
        std::uint32_t request = 0;
        base::Instant until{};
    };
    std::deque<Patience> patience_;  // requests that wait for room, the first to begin first
};

}  // namespace spillway::server
