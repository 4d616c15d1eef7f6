// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/http_front.h"

#include <array>

#include "base/format.h"
#include "base/log.h"
#include "http/proxy_header.h"
#include "protocol/auth.h"
#include "protocol/errors.h"
#include "pubsub/channel_name.h"
#include "server/core.h"

namespace spillway::server {
namespace {

constexpr std::size_t kSpareExchanges = 64;
/// A client that pipelines without reading its answers is not served further until it does.
constexpr std::size_t kUnreadMax = 256 * kKiB;
/// Input that waited for answers goes on when so few are left: not for each, because what waits is copied.
constexpr std::size_t kRequestsGoOn = kRequestsInFlightMax / 2;

constexpr std::string_view kNoMemory = "The server has no memory for more clients";

constexpr http::Header kRetryAfter[] = {{"Retry-After", "1"}};

void end_with_reply(Client& client) { HttpFront::reply(client).keep_alive = false; }

/// Wants to be told in-band what it misses.
bool asks_for_gaps(const http::Target& target) { return target.parameter("gaps") == "1"; }

bool is_get(const http::Request& request) { return request.method == "GET" || request.method == "HEAD"; }

}  // namespace

HttpFront::HttpFront(Core& core) : core_(core), api_(core) {}

void HttpFront::lend(Client& client) {
    if (spare_.empty()) {
        const http::Limits limits{core_.config.max_header_bytes, core_.config.max_headers, core_.config.max_http_body};
        spare_.push_back(std::make_unique<HttpExchange>(limits, limits_era_));
    }
    client.http = spare_.back().release();
    spare_.pop_back();
    ++lent_;
    if (client.opened == base::Instant{}) client.opened = core_.now;
    core_.life.watch(client);
}

void HttpFront::limits_changed() {
    ++limits_era_;
    spare_.clear();
}

void HttpFront::give_back(Client& client) {
    if (client.http == nullptr) return;
    client.http->proxy_header.clear();
    std::unique_ptr<HttpExchange> exchange(client.http);
    bytes_held_ -= exchange->bytes_held;
    exchange->bytes_held = 0;
    client.http = nullptr;
    --lent_;
    if (exchange->call != 0) core_.calls.abandon(exchange->call);
    exchange->parser.reset();
    exchange->replies.clear();
    exchange->ready_bytes = 0;
    exchange->wait = HttpExchange::Wait::nothing;
    exchange->over = false;
    exchange->call = 0;
    exchange->waiting_since = {};
    if (spare_.size() < kSpareExchanges && exchange->era == limits_era_) spare_.push_back(std::move(exchange));
}

// ---- requests

bool HttpFront::must_wait(const Client& client) {
    if (client.awaiting || (client.out != nullptr && client.out->bytes() > kUnreadMax)) return true;
    if (client.http == nullptr) return false;
    const HttpExchange& exchange = *client.http;
    return exchange.wait != HttpExchange::Wait::nothing || exchange.replies.size() >= kRequestsInFlightMax ||
           exchange.ready_bytes > kUnreadMax;
}

void HttpFront::feed(Client& client, std::span<const std::byte> bytes) {
    while (!bytes.empty() && client.state == ClientState::open) {
        if (client.http != nullptr && client.http->over) return;
        if (is_websocket(client.kind) && !client.awaiting) return core_.ws.feed(client, bytes);
        if (must_wait(client)) return core_.life.hold_input(client, bytes);
        if (!step(client, bytes)) return;
    }
}

bool HttpFront::step(Client& client, std::span<const std::byte>& bytes) {
    if (client.http == nullptr) lend(client);
    if (client.awaits_proxy_header && !take_proxy_header(client, bytes)) return false;
    HttpExchange& exchange = *client.http;
    std::size_t consumed = 0;
    const http::Outcome outcome = exchange.parser.feed(bytes, consumed);
    bytes_held_ += exchange.parser.bytes_held() - exchange.bytes_held;
    exchange.bytes_held = exchange.parser.bytes_held();
    bytes = bytes.subspan(consumed);
    switch (outcome) {
        case http::Outcome::need_more: return false;
        case http::Outcome::head_complete_expecting_continue:
            if (exchange.replies.empty()) {
                write_continue(client);
            } else {
                put_off(client, HttpExchange::Wait::turn_continue);
            }
            return true;
        case http::Outcome::error:
            begin_reply(client, false);
            respond_text(client, exchange.parser.status(), exchange.parser.reason());
            return false;
        case http::Outcome::complete: break;
    }
    handle(client);
    request_done(client);
    return true;
}

void HttpFront::write_continue(Client& client) {
    scratch_.clear();
    http::write_continue(scratch_);
    core_.sender.stream(client, scratch_);
}

void HttpFront::begin_reply(Client& client, bool keep_alive) {
    HttpExchange& exchange = *client.http;
    Reply& reply = exchange.replies.emplace_back();
    reply.request = ++client.request;
    reply.keep_alive = keep_alive;
    if (!keep_alive) exchange.over = true;
}

void HttpFront::handle(Client& client) {
    HttpExchange& exchange = *client.http;
    const http::Request& request = exchange.parser.request();
    if (request.upgrade && !exchange.replies.empty()) return put_off(client, HttpExchange::Wait::turn);
    if (request.upgrade && client.main_port && !pass_gate(client, request)) return;
    begin_reply(client, request.keep_alive && !core_.drain.active());
    exchange.replies.back().head_only = request.method == "HEAD";
    exchange.replies.back().minor_version = request.minor_version;
    const http::TargetError error = exchange.target.parse(request.path, request.query);
    if (error != http::TargetError::none) {
        respond_text(client, 400, http::to_string(error));
        return;
    }
    if (client.kind == ClientKind::ops) {
        exchange.replies.back().endpoint = Endpoint::ops;
        handle_ops(client, request);
        return;
    }
    if (!request.upgrade && !settle_as_api(client)) {
        core_.stats.count_refusal(Refusal::max_api_connections);
        end_with_reply(client);
        respond_text(client, 503, "The API has all the connections it may have.", kRetryAfter);
        return;
    }
    std::string_view path = request.path;
    const std::string_view prefix = core_.config.path_prefix;
    if (!prefix.empty()) {
        const std::string_view rest = path.substr(std::min(prefix.size(), path.size()));
        if (!path.starts_with(prefix) || !rest.starts_with('/')) {
            respond_text(client, 404, "Nothing is served at this path.");
            return;
        }
        path = rest;
        static_cast<void>(exchange.target.parse(path, request.query));  // a part of what was parsed above
    }
    route(client, request, path);
}

void HttpFront::request_done(Client& client) {
    if (client.http == nullptr || client.state != ClientState::open) return;
    HttpExchange& exchange = *client.http;
    if (exchange.wait != HttpExchange::Wait::nothing || is_websocket(client.kind)) return;
    exchange.waiting_since = {};
    if (exchange.replies.empty()) {
        give_back(client);
        client.opened = {};
    } else {
        exchange.parser.next();
    }
    core_.life.watch(client);
}

void HttpFront::put_off(Client& client, HttpExchange::Wait wait) {
    client.http->wait = wait;
    core_.life.watch(client);
}

void HttpFront::word_came(Client& client) {
    if (client.http == nullptr || client.http->wait != HttpExchange::Wait::word) return;
    client.http->wait = HttpExchange::Wait::room;
    if (client.state == ClientState::open && !client.paused) core_.life.go_on(client);
}

void HttpFront::go_on(Client& client) {
    using Wait = HttpExchange::Wait;
    if (client.http == nullptr || client.state != ClientState::open) return;
    HttpExchange& exchange = *client.http;
    const Wait wait = exchange.wait;
    const bool turn_due = (wait == Wait::turn || wait == Wait::turn_continue) && !exchange.replies.empty();
    if (wait == Wait::nothing || wait == Wait::word || wait == Wait::gate || turn_due) return;
    exchange.wait = Wait::nothing;
    if (wait == Wait::turn_continue) {
        write_continue(client);
        core_.life.watch(client);
        return;
    }
    if (wait == Wait::turn) {
        handle(client);
    } else {
        api_.resume(client);
    }
    request_done(client);
}

bool HttpFront::pass_gate(Client& client, const http::Request& request) {
    switch (core_.gate.ask(client, request)) {
        case Gate::Answer::pass: return true;
        case Gate::Answer::wait: put_off(client, HttpExchange::Wait::gate); return false;
        case Gate::Answer::refuse: break;
    }
    core_.stats.count_refusal(Refusal::max_clients_per_ip);
    begin_reply(client, false);
    reply(client).endpoint = Endpoint::upgrade;
    respond_text(client, 503, "This address has all the clients it may have.", kRetryAfter);
    return false;
}

void HttpFront::gate_opened(Client& client) {
    if (client.http == nullptr || client.http->wait != HttpExchange::Wait::gate) return;
    client.http->wait = HttpExchange::Wait::nothing;
    handle(client);
    request_done(client);
    if (client.state == ClientState::open) core_.life.go_on(client);
}

/// What a trusted proxy says before the first request. True when it is complete and the request may be looked at.
bool HttpFront::take_proxy_header(Client& client, std::span<const std::byte>& bytes) {
    std::string& said = client.http->proxy_header;
    const std::size_t before = said.size();
    said.append(reinterpret_cast<const char*>(bytes.data()),
                std::min(bytes.size(), http::kProxyHeaderMax - std::min(before, http::kProxyHeaderMax)));
    const http::ProxyHeader header = http::parse_proxy_header(said);
    if (header.outcome == http::ProxyOutcome::need_more) {
        bytes = {};
        return false;
    }
    said.clear();
    client.awaits_proxy_header = false;
    if (header.outcome == http::ProxyOutcome::malformed) {
        core_.stats.count_refusal(Refusal::proxy_header);
        begin_reply(client, false);
        respond_text(client, 400, "A PROXY protocol header is expected from this address.");
        return false;
    }
    bytes = bytes.subspan(header.bytes - before);
    if (!header.client.is_none()) core_.gate.speaks_for(client, header.client);
    return !bytes.empty();
}

void HttpFront::route(Client& client, const http::Request& request, std::string_view path) {
    HttpExchange& exchange = *client.http;
    const auto segments = exchange.target.segments();
    if (segments.size() == 2 && segments[0] == "app" && !segments[1].empty()) {
        exchange.replies.back().endpoint = Endpoint::upgrade;
        upgrade_pusher(client, request, segments[1]);
    } else if (segments.size() == 2 && segments[0] == "feed") {
        exchange.replies.back().endpoint = Endpoint::upgrade;
        upgrade_feed(client, request, segments[1]);
    } else if (segments.size() >= 3 && segments[0] == "apps") {
        api_.handle(client, request, path);
    } else if (!core_.config.echo_path.empty() && path == core_.config.echo_path) {
        exchange.replies.back().endpoint = Endpoint::upgrade;
        upgrade_echo(client, request);
    } else {
        respond_text(client, 404, "Nothing is served at this path.");
    }
}

// ---- upgrades

bool HttpFront::check_upgrade(Client& client, const http::Request& request) {
    const auto fields = ws::upgrade_fields(request.method, request.minor_version, request.headers);
    const auto checked = ws::check_upgrade(fields);
    if (!checked) {
        const http::Header version[] = {{"Sec-WebSocket-Version", "13"}};
        end_with_reply(client);
        respond_text(
            client, checked.error().status, checked.error().reason,
            checked.error().status == 426 ? std::span<const http::Header>(version) : std::span<const http::Header>());
        return false;
    }
    if (base::log::enabled(base::log::Level::debug))
        base::log::debug(base::concat(log_name(client), " asks for ", base::log::escaped(request.target), ", origin \"",
                                      base::log::escaped(request.header("Origin").value_or("")), "\", agent \"",
                                      base::log::escaped(request.header("User-Agent").value_or("")), '"'));
    client.http->accept_key = checked->accept_key;
    client.http->subprotocol = checked->subprotocol;
    return true;
}

bool HttpFront::origin_passes(Client& client, const http::Request& request, AppIndex app) {
    const auto origin = request.header("Origin");
    if (!origin || origin_allowed(core_.apps[app], *origin)) return true;
    core_.stats.count_refusal(Refusal::origin);
    end_with_reply(client);
    respond_text(client, 403, "This origin may not connect to this app.");
    return false;
}

bool HttpFront::enter(Client& client, ClientKind kind) {
    // Who speaks Pusher's protocol is told by its code, once it is connected.
    if (kind != ClientKind::pusher && counts_as_client(kind) && core_.memory.refuses_clients()) {
        core_.stats.count_refusal(Refusal::memory);
        end_with_reply(client);
        respond_text(client, 503, kNoMemory, kRetryAfter);
        return false;
    }
    const bool draining = core_.drain.refuses_clients();
    if (draining || !core_.life.take_seat(client, Seat::client)) {
        core_.stats.count_refusal(draining ? Refusal::draining : Refusal::max_clients);
        end_with_reply(client);
        respond_text(client, 503,
                     draining ? "The server is shutting down." : "The server has all the clients it may have.",
                     kRetryAfter);
        return false;
    }
    const bool no_memory = counts_as_client(kind) && core_.memory.refuses_clients();
    core_.stats.clients[static_cast<std::size_t>(client.kind)].subtract();
    client.kind = kind;
    core_.stats.clients[static_cast<std::size_t>(kind)].add();
    if (no_memory) {
        answer_upgrade(client);
        core_.life.send_off(client, Refusal::memory, kNoMemory);
        return false;
    }
    if (client.gate != GateState::too_fast) return true;
    answer_upgrade(client);
    core_.life.send_off(client, Refusal::connect_rate, "Too many connections from this address in too short a time");
    return false;
}

bool HttpFront::settle_as_api(Client& client) {
    return client.seat != Seat::handshake || core_.life.take_seat(client, Seat::api);
}

void HttpFront::upgrade_pusher(Client& client, const http::Request& request, std::string_view key) {
    if (!check_upgrade(client, request)) return;
    const auto app = core_.apps.by_key(key);
    if (app && !origin_passes(client, request, *app)) return;
    if (!enter(client, ClientKind::pusher)) return;
    client.gaps = asks_for_gaps(client.http->target);
    core_.pusher.opened(client, app, key, client.http->target);
}

void HttpFront::upgrade_feed(Client& client, const http::Request& request, std::string_view channel) {
    if (!check_upgrade(client, request)) return;
    const http::Target& target = client.http->target;
    const auto key = target.parameter("key");
    const auto app = key ? core_.apps.by_key(*key) : std::nullopt;
    const auto refuse = [&](int status, std::string_view reason) {
        end_with_reply(client);
        respond_text(client, status, reason);
    };
    if (!key) return refuse(401, "The parameter key is missing.");
    if (!app) {
        core_.stats.count_refusal(Refusal::unknown_app);
        return refuse(404, "There is no app with this key.");
    }
    const AppConfig& settings = core_.apps[*app];
    if (!settings.enabled) {
        core_.stats.count_refusal(Refusal::app_disabled);
        return refuse(403, "This app is disabled.");
    }
    if (!origin_passes(client, request, *app)) return;
    if (!pubsub::is_valid_channel_name(channel, settings.max_channel_name))
        return refuse(400, "This is no valid channel name.");
    const pubsub::ChannelTraits traits = pubsub::classify(channel);
    if (traits.presence || traits.encrypted) return refuse(403, "Presence and encrypted channels cannot be fed.");
    if (traits.private_ || settings.require_authorization) {
        const auto auth = target.parameter("auth");
        if (!auth)
            return refuse(401, traits.private_ ? "The parameter auth is missing: this channel is private."
                                               : "The parameter auth is missing: this app requires authorization.");
        const protocol::AppSecrets secrets{settings.secret, settings.secret_previous};
        if (protocol::verify_feed_auth(settings.key, secrets, channel, *auth) != protocol::AuthResult::ok)
            return refuse(401, "The signature in auth is not valid for this channel.");
    }
    if (!core_.quotas.per_app[*app].enter(settings.max_clients)) {
        core_.stats.count_refusal(Refusal::app_quota);
        end_with_reply(client);
        respond_text(client, 503, "This app has all the clients it may have.", kRetryAfter);
        return;
    }
    if (!enter(client, ClientKind::feed)) {
        core_.quotas.per_app[*app].leave();
        return;
    }
    client.app = *app;
    client.has_app = true;
    client.gaps = asks_for_gaps(target);
    client.awaiting = true;  // 101 follows when the channel has it
    static_cast<void>(core_.membership.subscribe(client, pubsub::channel_key(*app, channel)));
}

void HttpFront::upgrade_echo(Client& client, const http::Request& request) {
    if (check_upgrade(client, request) && enter(client, ClientKind::echo)) answer_upgrade(client);
}

void HttpFront::answer_upgrade(Client& client, std::string_view first) {
    std::string bytes;
    ws::write_accept(bytes, {client.http->accept_key, client.http->subprotocol});
    bytes += first;
    core_.stats.count_http(Endpoint::upgrade, 101);
    if (base::log::enabled(base::log::Level::debug)) base::log::debug(base::concat(log_name(client), " opened"));
    give_back(client);
    client.awaiting = false;
    core_.sender.control(client, std::move(bytes));
    core_.life.watch(client);
}

// ---- answers

void HttpFront::respond(Client& client, int status, std::string_view content_type, std::string_view body,
                        std::span<const http::Header> headers) {
    client.awaiting = false;
    put_answer(client, client.http->replies.back(), status, content_type, body, headers);
}

void HttpFront::respond_text(Client& client, int status, std::string_view text, std::span<const http::Header> headers) {
    std::string line(text);
    line += '\n';
    respond(client, status, "text/plain; charset=utf-8", line, headers);
}

void HttpFront::respond_json(Client& client, int status, std::string_view json) {
    respond(client, status, "application/json", json);
}

void HttpFront::answer(std::uint64_t id, std::uint32_t request, int status, std::string_view content_type,
                       std::string_view body, std::span<const http::Header> headers) {
    Client* client = core_.find(id);
    if (client == nullptr || client->state != ClientState::open || client->http == nullptr) return;
    HttpExchange& exchange = *client->http;
    if (exchange.replies.empty()) return;
    const std::uint32_t place = request - exchange.replies.front().request;
    if (place >= exchange.replies.size() || exchange.replies[place].ready) return;
    const bool at_hand = exchange.wait == HttpExchange::Wait::word && place + 1 == exchange.replies.size();
    if (at_hand) exchange.wait = HttpExchange::Wait::nothing;
    put_answer(*client, exchange.replies[place], status, content_type, body, headers);
    if (client->state != ClientState::open) return;
    if (at_hand) {
        request_done(*client);
    } else if (exchange.replies.empty() && exchange.wait == HttpExchange::Wait::nothing && exchange.parser.idle()) {
        give_back(*client);
        client->opened = {};
    }
    const std::size_t left = client->http == nullptr ? 0 : client->http->replies.size();
    if (left == 0 || (client->held_input != nullptr && left <= kRequestsGoOn)) {
        core_.life.go_on(*client);
        if (client->state == ClientState::open) core_.life.watch(*client);
    }
}

void HttpFront::put_answer(Client& client, Reply& reply, int status, std::string_view content_type,
                           std::string_view body, std::span<const http::Header> headers) {
    HttpExchange& exchange = *client.http;
    core_.stats.count_http(reply.endpoint, status);
    const bool last = &reply == &exchange.replies.back();
    if (last && client.input_over && client.held_input == nullptr) reply.keep_alive = false;
    // An upgrade that was refused: it may go on only with a seat that it can keep.
    if (reply.keep_alive && !settle_as_api(client)) reply.keep_alive = false;
    if (client.gate != GateState::unasked) core_.gate.leave(client);
    headers_.assign(headers.begin(), headers.end());
    if (!reply.allow_origin.empty()) {
        headers_.push_back({"Access-Control-Allow-Origin", reply.allow_origin});
        if (reply.allow_origin != "*") headers_.push_back({"Vary", "Origin"});
    }
    scratch_.clear();
    http::write_response(scratch_, status, content_type, body,
                         {reply.keep_alive, reply.head_only, reply.minor_version, headers_});
    reply.ready = true;
    if (status >= 400) reply.ends = status == 408 ? CloseReason::handshake_timeout : CloseReason::protocol_error;
    if (status >= 400 && reply.endpoint == Endpoint::upgrade && base::log::enabled(base::log::Level::debug))
        base::log::debug(base::concat(log_name(client), " refused: ", status, ", ", base::log::escaped(body)));
    if (!reply.keep_alive) exchange.over = true;
    if (&reply == &exchange.replies.front()) {
        core_.sender.stream(client, scratch_);
        if (client.state == ClientState::open) send_ready(client);
    } else {
        reply.bytes = scratch_;
        exchange.ready_bytes += reply.bytes.size();
    }
}

/// The first answer went out: so may those that were ready behind it.
void HttpFront::send_ready(Client& client) {
    HttpExchange& exchange = *client.http;
    bool keep_alive = true;
    CloseReason ends = CloseReason::finished;
    const auto pop = [&] {
        keep_alive = exchange.replies.front().keep_alive;
        ends = exchange.replies.front().ends;
        exchange.replies.pop_front();
    };
    pop();
    while (!exchange.replies.empty() && exchange.replies.front().ready) {
        core_.sender.stream(client, exchange.replies.front().bytes);
        exchange.ready_bytes -= exchange.replies.front().bytes.size();
        pop();
    }
    if (!exchange.replies.empty()) return;
    client.opened = core_.now;
    if (!keep_alive) core_.life.close(client, {0, ends, {}, false});
}

void HttpFront::timed_out(Client& client) {
    if (client.http->parser.idle()) return;
    begin_reply(client, false);
    respond_text(client, 408, "The request took too long to come.");
}

void HttpFront::flushed(Client& client) {
    // Not here and now: what was sent is being settled, and input may cause more sends.
    if (client.held_input != nullptr && !must_wait(client)) core_.life.pause(client);
}

// ---- the metrics port

void HttpFront::handle_ops(Client& client, const http::Request& request) {
    if (core_.dashboard.handle(client, request)) return;
    if (!is_get(request)) {
        const http::Header allow[] = {{"Allow", "GET, HEAD"}};
        respond_text(client, 405, "Only GET and HEAD are served here.", allow);
        return;
    }
    if (request.path == "/healthz") {
        const auto health = core_.ops.health(core_.now);
        respond_text(client, health.ok ? 200 : 503, health.text);
    } else if (request.path == "/readyz") {
        const auto ready = core_.ops.readiness(core_.now, core_.health);
        respond_text(client, ready.ok ? 200 : 503, ready.text);
    } else if (request.path == "/metrics") {
        respond(client, 200, "text/plain; version=0.0.4; charset=utf-8", core_.ops.metrics_text(core_.health));
    } else if (request.path == "/stats") {
        respond_json(client, 200, core_.ops.stats_json(core_.now, core_.health));
    } else {
        respond_text(client, 404, "Spillway serves /healthz /readyz /metrics /stats here, and its dashboard at /.");
    }
}

}  // namespace spillway::server
