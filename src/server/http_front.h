// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP on both ports: requests parsed (state lent only while one is incomplete or unanswered), routed, upgraded or
// answered, with keep-alive and pipelining.
//
// Several requests of a connection may be under way at once, up to kRequestsInFlightMax; their answers go out in the order
// of the requests. Beyond that, or while the mesh has no room for what a request would cause, the connection's input waits,
// and with it its peer, by TCP. A request that changes what the connection is (an upgrade, Expect: 100-continue) waits until
// every answer before it is out.
//
// Thread: the core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
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

/// A request that was read and whose answer is not out: what the answer must know of it, for its views may be gone by then.
struct Reply {
    std::uint32_t request = 0;  // its number on the connection
    Endpoint endpoint = Endpoint::other;
    bool keep_alive = true;
    bool head_only = false;
    int minor_version = 1;
    bool ready = false;
    CloseReason ends = CloseReason::finished;  // why the connection ends behind it, if it does
    std::string allow_origin;                  // of an API request from a page; empty = not asked for, or not allowed
    std::string bytes;                         // the answer, if it is ready behind one that is not
};

/// The requests under way on a connection.
class HttpExchange {
public:
    /// What the request at hand, which has been read whole (or to the end of its head), waits for.
    enum class Wait : std::uint8_t {
        nothing,
        turn,           // the answers before it
        turn_continue,  // the same; then its body is asked for
        room,           // in the mesh
        word,           // of another core
        gate,           // of the home of its address
    };

    HttpExchange(const http::Limits& limits, std::uint32_t limits_era) : parser(limits), era(limits_era) {}
    http::RequestParser parser;
    const std::uint32_t era;  // of the limits
    http::Target target;
    std::deque<Reply> replies;  // the last one is of the request at hand
    std::size_t ready_bytes = 0;
    std::size_t bytes_held = 0;  // by the parser, as accounted
    Wait wait = Wait::nothing;
    bool over = false;              // the connection ends with the last reply; what else comes in is not looked at
    std::uint64_t call = 0;         // of the request at hand, while it waits
    base::Instant waiting_since{};  // for room; zero: it does not
    std::string proxy_header;       // as far as it has come
    std::string accept_key;
    std::string subprotocol;
};

class HttpFront {
public:
    explicit HttpFront(Core& core);

    void feed(Client& client, std::span<const std::byte> bytes);
    /// Requests that begin from now on are held to the limits as they are now.
    void limits_changed();

    /// Answers the request at hand, behind the answers of those before it, and goes on with the connection as the request
    /// and the status say.
    void respond(Client& client, int status, std::string_view content_type, std::string_view body,
                 std::span<const http::Header> headers = {});
    void respond_text(Client& client, int status, std::string_view text, std::span<const http::Header> headers = {});
    void respond_json(Client& client, int status, std::string_view json);
    /// Answers a request that had to wait, if its connection is still there.
    void answer(std::uint64_t client, std::uint32_t request, int status, std::string_view content_type,
                std::string_view body, std::span<const http::Header> headers = {});
    /// Answers 101 for an upgrade that was checked; `first` are the first frames. The client goes on as what it became.
    void answer_upgrade(Client& client, std::string_view first = {});

    /// The opening handshake is in order; if not, it is refused here.
    [[nodiscard]] bool check_upgrade(Client& client, const http::Request& request);
    /// The home of its address has answered.
    void gate_opened(Client& client);
    /// There is room for one more client, which the connection becomes; if not, it is refused here.
    [[nodiscard]] bool enter(Client& client, ClientKind kind);
    /// The connection stays with HTTP: it takes a seat among those of the API.
    [[nodiscard]] bool settle_as_api(Client& client);

    /// The request at hand cannot be served yet: nothing behind it is looked at until it is.
    void put_off(Client& client, HttpExchange::Wait wait);
    /// What a request was put off for may have come.
    void go_on(Client& client);
    /// The request at hand was handled: its bytes may go, unless it waits.
    void request_done(Client& client);
    /// Looks after what has waited for too long.
    void step() { api_.step(); }
    /// Another core has said what the request at hand waits for.
    void word_came(Client& client);
    /// The reply of the request at hand.
    [[nodiscard]] static Reply& reply(Client& client) { return client.http->replies.back(); }
    /// Requests were read whose answers are not out.
    [[nodiscard]] static bool unanswered(const Client& client) {
        return client.http != nullptr &&
               (!client.http->replies.empty() || client.http->wait != HttpExchange::Wait::nothing);
    }

    /// The request took too long to come.
    void timed_out(Client& client);
    /// Everything that waited was sent: input that had to wait may go on.
    void flushed(Client& client);

    void give_back(Client& client);
    /// The request's head has come whole.
    [[nodiscard]] static bool head_complete(const Client& client) { return client.http->parser.head_complete(); }
    [[nodiscard]] std::size_t exchanges() const { return lent_; }
    /// Of the requests under way, for the memory budget.
    [[nodiscard]] std::size_t bytes_held() const { return bytes_held_ + lent_ * sizeof(HttpExchange); }

private:
    [[nodiscard]] static bool must_wait(const Client& client);
    [[nodiscard]] bool take_proxy_header(Client& client, std::span<const std::byte>& bytes);
    [[nodiscard]] bool pass_gate(Client& client, const http::Request& request);
    [[nodiscard]] bool step(Client& client, std::span<const std::byte>& bytes);
    void begin_reply(Client& client, bool keep_alive);
    void handle(Client& client);
    void handle_ops(Client& client, const http::Request& request);
    void route(Client& client, const http::Request& request, std::string_view path);
    void upgrade_pusher(Client& client, const http::Request& request, std::string_view key);
    void upgrade_feed(Client& client, const http::Request& request, std::string_view channel);
    void upgrade_echo(Client& client, const http::Request& request);
    [[nodiscard]] bool origin_passes(Client& client, const http::Request& request, AppIndex app);
    void put_answer(Client& client, Reply& reply, int status, std::string_view content_type, std::string_view body,
                    std::span<const http::Header> headers);
    void send_ready(Client& client);
    void lend(Client& client);
    void write_continue(Client& client);

    Core& core_;
    HttpApi api_;
    std::vector<std::unique_ptr<HttpExchange>> spare_;
    std::size_t lent_ = 0;
    std::size_t bytes_held_ = 0;
    std::uint32_t limits_era_ = 0;
    std::string scratch_;
    std::vector<http::Header> headers_;
};

}  // namespace spillway::server
