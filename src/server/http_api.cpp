// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/http_api.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/format.h"
#include "pubsub/channel_name.h"
#include "server/core.h"
#include "ws/utf8.h"

namespace spillway::server {
namespace {

/// How long a publication may wait for room in the mesh. Its connection is not read meanwhile.
constexpr std::chrono::milliseconds kPatience{1000};

constexpr std::string_view kNoMemory = "The server has no memory for this now; nothing was published.";

constexpr http::Header kRetryAfter[] = {{"Retry-After", "1"}};

/// A media type's name knows no case (RFC 9110 section 8.3.1).
bool is_form(std::string_view type) {
    const auto begins = [type](std::string_view name) {
        return http::equals_ignoring_case(type.substr(0, name.size()), name);
    };
    return begins("application/x-www-form-urlencoded") || begins("multipart/");
}

/// `path` is of a route.
bool matches(std::string_view path, std::span<const std::string_view> segments, std::string_view& word) {
    for (const std::string_view segment : segments) {
        if (path.empty()) return false;
        const std::string_view part = path.substr(0, path.find('/'));
        if (part == "*" && !segment.empty()) {
            word = segment;
        } else if (part != segment) {
            return false;
        }
        path.remove_prefix(std::min(part.size() + 1, path.size()));
    }
    return path.empty();
}

}  // namespace

const HttpApi::Route HttpApi::kRoutes[] = {
    {Endpoint::events, "POST", "events", &HttpApi::publish},
    {Endpoint::batch_events, "POST", "batch_events", &HttpApi::publish},
    {Endpoint::terminate, "POST", "users/*/terminate_connections", &HttpApi::terminate},
    {Endpoint::upgrade, "GET", "publish", &HttpApi::upgrade},
    {Endpoint::channels, "GET", "channels", &HttpApi::list_channels},
    {Endpoint::channel, "GET", "channels/*", &HttpApi::tell_channel},
    {Endpoint::users, "GET", "channels/*/users", &HttpApi::tell_users},
};

std::string_view HttpApi::methods(const Route& route) {
    return route.method == "GET" ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
}

const HttpApi::Route* HttpApi::find_route(std::span<const std::string_view> segments, std::string_view& word) {
    const auto found =
        std::ranges::find_if(kRoutes, [&](const Route& route) { return matches(route.path, segments, word); });
    return found == std::end(kRoutes) ? nullptr : &*found;
}

void HttpApi::handle(Client& client, const http::Request& request, std::string_view path) {
    HttpFront& front = core_.http;
    const auto segments = client.http->target.segments();
    std::string_view word;
    const Route* const route = find_route(segments.subspan(2), word);
    if (route == nullptr) {
        front.respond_text(client, 404, "The API has no such endpoint.");
        return;
    }
    HttpFront::reply(client).endpoint = route->endpoint;
    const auto app = core_.apps.by_id(segments[1]);
    if (!app) {
        front.respond_text(client, 404, "There is no app with this id.");
        return;
    }
    allow_origin(client, request, *app);
    if (request.method == "OPTIONS") return answer_options(client, *route);
    if (request.method != route->method && !(request.method == "HEAD" && route->method == "GET")) {
        const http::Header allow[] = {{"Allow", methods(*route)}};
        front.respond_text(client, 405, "This endpoint does not serve this method.", allow);
        return;
    }
    if (const auto type = request.header("Content-Type"); type && is_form(*type)) {
        front.respond_text(client, 415, "The body must be JSON.");
        return;
    }
    if (route->endpoint == Endpoint::upgrade && !front.check_upgrade(client, request)) return;
    if (!authorised(client, request, path, *app)) return;
    if (!core_.apps[*app].enabled) {
        front.respond_text(client, 403, "This app is disabled.");
        return;
    }
    client.app = *app;
    (this->*route->serve)({client, request, *app, word});
}

bool HttpApi::authorised(Client& client, const http::Request& request, std::string_view path, AppIndex app) {
    query_.clear();
    for (const http::Parameter& p : client.http->target.parameters()) query_.emplace_back(p.key, p.value);
    const AppConfig& settings = core_.apps[app];
    const protocol::AppSecrets secrets{settings.secret, settings.secret_previous};
    const std::int64_t now = core_.clock.unix_seconds();
    const auto verify = [&](std::string_view signed_path) {
        return protocol::verify_api_request({request.method, signed_path, query_, request.body}, settings.key, secrets,
                                            now);
    };
    // Pusher's own library for Node signs a user's id as it is and lets its HTTP client escape it.
    const auto verify_plain = [&](std::string_view escaped) {
        std::string plain;
        const auto is_control = [](unsigned char c) { return c < ' '; };
        return http::percent_decode(escaped, false, plain) && std::ranges::none_of(plain, is_control) && verify(plain);
    };
    auto verified = verify(path);
    // Behind a prefix, clients sign the path that they used.
    if (!verified && path.size() != request.path.size()) verified = verify(request.path);
    if (!verified && path.contains('%') && (verify_plain(path) || verify_plain(request.path))) return true;
    if (verified) return true;
    core_.http.respond_text(client, 401, verified.error());
    return false;
}

// ---- pages of other origins

void HttpApi::allow_origin(Client& client, const http::Request& request, AppIndex app) {
    const auto origin = request.header("Origin");
    if (!origin) return;
    const AppConfig& settings = core_.apps[app];
    if (settings.allowed_origins.empty()) {
        HttpFront::reply(client).allow_origin = "*";
    } else if (origin_allowed(settings, *origin)) {
        HttpFront::reply(client).allow_origin = *origin;
    }
}

void HttpApi::answer_options(Client& client, const Route& route) {
    const http::Header headers[] = {{"Allow", methods(route)},
                                    {"Access-Control-Allow-Methods", methods(route)},
                                    {"Access-Control-Allow-Headers", "Content-Type"},
                                    {"Access-Control-Max-Age", "600"}};
    const bool page = !HttpFront::reply(client).allow_origin.empty();
    core_.http.respond(client, 204, {}, {}, std::span(headers).first(page ? std::size(headers) : 1));
}

// ---- questions

protocol::ApiLimits HttpApi::limits(AppIndex app) const {
    const AppConfig& settings = core_.apps[app];
    return {settings.max_event_bytes, settings.max_event_name, settings.max_channel_name,
            settings.max_channels_per_event, settings.max_batch};
}

void HttpApi::refuse(Client& client, const protocol::ApiError& error) {
    core_.http.respond_text(client, error.status, error.reason);
}

std::span<const protocol::ApiParameter> HttpApi::parameters(const Client& client) {
    parameters_.clear();
    for (const http::Parameter& p : client.http->target.parameters()) parameters_.push_back({p.key, p.value});
    return parameters_;
}

void HttpApi::list_channels(const Request& request) {
    Client& client = request.client;
    const auto query = protocol::read_channels_query(parameters(client));
    if (!query) return refuse(client, query.error());
    if (!core_.calls.list(client.id, HttpFront::reply(client).request, request.app, query->prefix, query->info))
        return core_.http.respond_text(client, 503, "The server is too busy to answer this now.", kRetryAfter);
    core_.http.put_off(client, HttpExchange::Wait::word);  // one list of a connection at a time
}

void HttpApi::tell_channel(const Request& request) {
    Client& client = request.client;
    const auto info = protocol::read_channel_query(request.word, parameters(client), limits(request.app));
    if (!info) return refuse(client, info.error());
    ask(client, Query::What::channel, pubsub::channel_key(request.app, request.word), *info);
}

void HttpApi::tell_users(const Request& request) {
    const auto checked = protocol::check_users_query(request.word, limits(request.app));
    if (!checked) return refuse(request.client, checked.error());
    ask(request.client, Query::What::users, pubsub::channel_key(request.app, request.word), {});
}

void HttpApi::ask(Client& client, Query::What what, const pubsub::ChannelKey& channel, protocol::InfoSet info) {
    if (!core_.calls.ask(client.id, HttpFront::reply(client).request, what, channel, info))
        core_.http.respond_text(client, 503, "The server is too busy to answer this now.", kRetryAfter);
}

// ---- publishing

void HttpApi::publish(const Request& request) {
    Client& client = request.client;
    if (core_.memory.refuses_publications()) {
        if (client.http->call != 0) core_.calls.abandon(std::exchange(client.http->call, 0));
        core_.stats.publish_refused.add();
        return core_.http.respond_text(client, 503, kNoMemory, kRetryAfter);
    }
    // Pusher's API may take them from either place, which leaves open which one counts.
    constexpr std::string_view kBodyFields[] = {"name", "data", "channel", "channels[]", "socket_id", "info", "batch"};
    for (const http::Parameter& parameter : client.http->target.parameters()) {
        if (std::ranges::find(kBodyFields, parameter.key) == std::end(kBodyFields)) continue;
        return refuse(client,
                      {400, base::concat(parameter.key, " belongs in the JSON body, not in the query string"), 0});
    }
    if (HttpFront::reply(client).endpoint == Endpoint::batch_events) {
        const auto decoded = protocol::decode_batch(request.http.body, limits(request.app), scratch_);
        if (decoded) return publish_events(client, *decoded, true);
        return refuse(client, decoded.error());
    }
    const auto decoded = protocol::decode_event(request.http.body, limits(request.app), scratch_);
    if (decoded) return publish_events(client, std::span(&*decoded, 1), false);
    refuse(client, decoded.error());
}

void HttpApi::publish_events(Client& client, std::span<const protocol::PublishEvent> events, bool batch) {
    HttpExchange& exchange = *client.http;
    const std::string_view key = events.front().idempotency_key;
    if (!may_publish(client, events) || (!key.empty() && !key_allows(client, key))) return;
    to_publications(client.app, events, publications_);
    const std::uint32_t request = HttpFront::reply(client).request;
    const std::uint64_t name = exchange.call != 0 ? exchange.call : core_.calls.begin(client.id, request);
    const std::size_t answers = name == 0 ? 0 : core_.publisher.publish(publications_, name);
    if (answers == 0) {
        if (exchange.call == 0) core_.calls.abandon(name);
        return wait_for_room(client);
    }
    exchange.call = 0;
    ApiCall& call = *core_.calls.find(name);
    call.due = static_cast<std::uint32_t>(answers);
    if (protocol::PublishAnswer::wanted(events)) call.info = std::make_unique<protocol::PublishAnswer>(events, batch);
}

/// The app's rate has room for the events; asked once for a request.
bool HttpApi::may_publish(Client& client, std::span<const protocol::PublishEvent> events) {
    if (client.http->call != 0 || client.http->waiting_since != base::Instant{}) return true;
    const std::uint64_t rate = core_.apps[client.app].publishes_per_second;
    if (core_.quotas.publishes[client.app].take(core_.now, rate, events.size())) return true;
    core_.http.respond_text(client, 429, "This app publishes more than it may in a second.", kRetryAfter);
    return false;
}

/// The request holds its idempotency key and is to publish. If not, it waits for the owner's word, or is answered here.
bool HttpApi::key_allows(Client& client, std::string_view key) {
    HttpExchange& exchange = *client.http;
    if (exchange.call == 0) {
        exchange.call = core_.calls.claim(client.id, HttpFront::reply(client).request, client.app, key,
                                          exchange.parser.request().body);
        if (exchange.call == 0) {
            wait_for_room(client);
        } else {
            core_.http.put_off(client, HttpExchange::Wait::word);
        }
        return false;
    }
    ApiCall& call = *core_.calls.find(exchange.call);
    if (call.key == KeyState::granted) return true;
    const KeyState state = call.key;
    const std::string text = std::move(call.text);
    core_.calls.abandon(std::exchange(exchange.call, 0));
    if (state == KeyState::answered) {
        core_.http.respond_json(client, 200, text);
    } else if (state == KeyState::conflict) {
        core_.http.respond_text(client, 409, "This idempotency_key was used for another body.");
    } else {
        core_.http.respond_text(client, 503, "Too many requests wait for this idempotency_key.", kRetryAfter);
    }
    return false;
}

void HttpApi::wait_for_room(Client& client) {
    core_.http.put_off(client, HttpExchange::Wait::room);
    core_.life.pause(client);
    if (client.http->waiting_since == base::Instant{})
        patience_.push_back({client.id, HttpFront::reply(client).request, core_.now + kPatience});
    client.http->waiting_since = core_.now;
}

void HttpApi::resume(Client& client) { publish({client, client.http->parser.request(), client.app, {}}); }

void HttpApi::step() {
    while (!patience_.empty() && core_.now >= patience_.front().until) {
        Client* client = core_.find(patience_.front().client);
        const std::uint32_t request = patience_.front().request;
        patience_.pop_front();
        if (client != nullptr && client->state == ClientState::open && client->http != nullptr &&
            client->http->wait == HttpExchange::Wait::room && HttpFront::reply(*client).request == request)
            refuse_for_room(*client);
    }
}

void HttpApi::refuse_for_room(Client& client) {
    client.http->wait = HttpExchange::Wait::nothing;
    core_.calls.abandon(std::exchange(client.http->call, 0));
    core_.stats.publish_refused.add();
    core_.http.respond_text(client, 503, "The server is too busy to take this now; nothing was published.",
                            kRetryAfter);
    core_.http.request_done(client);
}

// ---- users

void HttpApi::terminate(const Request& request) {
    if (!ws::is_valid_utf8(std::as_bytes(std::span(request.word))) || !pubsub::is_valid_user_id(request.word))
        return core_.http.respond_text(request.client, 400, "This is no valid user id: 1 to 128 characters.");
    const std::uint64_t call = core_.calls.begin(request.client.id, HttpFront::reply(request.client).request);
    if (call == 0)
        return core_.http.respond_text(request.client, 503, "The server is too busy to do this now.", kRetryAfter);
    core_.calls.find(call)->due = 1;
    core_.users.terminate(call, request.app, request.word);
}

// ---- the publisher WebSocket

void HttpApi::upgrade(const Request& request) {
    Client& client = request.client;
    std::uint16_t every = 0;
    if (const auto ack = client.http->target.parameter("ack")) {
        const auto [end, fault] = std::from_chars(ack->data(), ack->data() + ack->size(), every);
        if (fault != std::errc{} || end != ack->data() + ack->size()) {
            core_.http.respond_text(client, 400, "The parameter ack must be a number from 0 to 65535.");
            return;
        }
    }
    if (!core_.http.enter(client, ClientKind::publisher)) return;
    core_.ring.acknowledge_later(client.fd);
    client.request = 0;
    client.answers_due = every;
    core_.http.answer_upgrade(client);
}

}  // namespace spillway::server
