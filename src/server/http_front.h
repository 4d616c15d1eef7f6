// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP on both ports: requests parsed (state lent only while one is incomplete or unanswered), routed, upgraded or
// answered, in order, with keep-alive and pipelining.
//
// Thread: the core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/request_parser.h"
#include "http/response.h"
#include "http/target.h"
#include "server/client.h"
#include "server/http_api.h"
#include "server/stats.h"
#include "ws/handshake.h"

namespace spillway::server {

class Core;

/// One request under way on a connection.
class HttpExchange {
public:
    HttpExchange(const http::Limits& limits, std::uint32_t limits_era) : parser(limits), era(limits_era) {}
    http::RequestParser parser;
    const std::uint32_t era;  // of the limits
    http::Target target;
    Endpoint endpoint = Endpoint::other;
    // Kept while an answer is due: the request's own views may be gone by then.
    bool keep_alive = true;
    bool head_only = false;
    int minor_version = 1;
    std::string accept_key;
    std::string subprotocol;
};

class HttpFront {
public:
    explicit HttpFront(Core& core);

    void feed(Client& client, std::span<const std::byte> bytes);
    /// Requests that begin from now on are held to the limits as they are now.
    void limits_changed();

    /// Answers the exchange under way and goes on with the connection as the request and the status say.
    void respond(Client& client, int status, std::string_view content_type, std::string_view body,
                 std::span<const http::Header> headers = {});
    void respond_text(Client& client, int status, std::string_view text, std::span<const http::Header> headers = {});
    void respond_json(Client& client, int status, std::string_view json);
    /// Answers 101 for an upgrade that was checked; `first` are the first frames. The client goes on as what it became.
    void answer_upgrade(Client& client, std::string_view first = {});

    /// The opening handshake is in order; if not, it is refused here.
    [[nodiscard]] bool check_upgrade(Client& client, const http::Request& request);
    /// There is room for one more client, which the connection becomes; if not, it is refused here.
    [[nodiscard]] bool enter(Client& client, ClientKind kind);

    /// A home core has sequenced a publication of the request under way.
    void sequenced(const Sequenced& answer);
    /// The request took too long to come.
    void timed_out(Client& client);
    /// Everything that waited was sent: input that had to wait may go on.
    void flushed(Client& client);

    void give_back(Client& client);
    /// The request's head has come whole.
    [[nodiscard]] static bool head_complete(const Client& client) { return client.http->parser.head_complete(); }
    [[nodiscard]] std::size_t exchanges() const { return lent_; }

private:
    [[nodiscard]] bool step(Client& client, std::span<const std::byte>& bytes);
    void handle(Client& client);
    void handle_ops(Client& client, const http::Request& request);
    void route(Client& client, const http::Request& request, std::string_view path);
    void upgrade_pusher(Client& client, const http::Request& request, std::string_view key);
    void upgrade_feed(Client& client, const http::Request& request, std::string_view channel);
    void upgrade_echo(Client& client, const http::Request& request);
    [[nodiscard]] bool origin_passes(Client& client, const http::Request& request, AppIndex app);
    void lend(Client& client);

    Core& core_;
    HttpApi api_;
    std::vector<std::unique_ptr<HttpExchange>> spare_;
    std::size_t lent_ = 0;
    std::uint32_t limits_era_ = 0;
    std::string scratch_;
};

}  // namespace spillway::server
