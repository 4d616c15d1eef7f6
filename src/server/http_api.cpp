// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/http_api.h"

#include <charconv>

#include "server/core.h"

namespace spillway::server {

void HttpApi::handle(Client& client, const http::Request& request, std::string_view path) {
    HttpFront& front = core_.http;
    const auto segments = client.http->target.segments();
    const std::string_view what = segments[2];
    const bool batch = what == "batch_events";
    const bool publisher = what == "publish";
    if (segments.size() != 3 || (what != "events" && !batch && !publisher)) {
        front.respond_text(client, 404, "The API has no such endpoint.");
        return;
    }
    client.http->endpoint = publisher ? Endpoint::upgrade : batch ? Endpoint::batch_events : Endpoint::events;
    const auto app = core_.apps.by_id(segments[1]);
    if (!app) {
        front.respond_text(client, 404, "There is no app with this id.");
        return;
    }
    if (publisher) {
        upgrade(client, request, path, *app);
        return;
    }
    if (request.method != "POST") {
        const http::Header allow[] = {{"Allow", "POST"}};
        front.respond_text(client, 405, "Events are published with POST.", allow);
        return;
    }
    const auto type = request.header("Content-Type");
    if (type && (type->starts_with("application/x-www-form-urlencoded") || type->starts_with("multipart/"))) {
        front.respond_text(client, 415, "The body must be JSON.");
        return;
    }
    if (!authorised(client, request, path, *app)) return;
    if (!core_.apps[*app].enabled) {
        front.respond_text(client, 403, "This app is disabled.");
        return;
    }
    events(client, request, *app, batch);
}

void HttpApi::upgrade(Client& client, const http::Request& request, std::string_view path, AppIndex app) {
    if (!core_.http.check_upgrade(client, request)) return;
    if (!authorised(client, request, path, app)) return;
    if (!core_.apps[app].enabled) {
        core_.http.respond_text(client, 403, "This app is disabled.");
        return;
    }
    std::uint16_t every = 0;
    if (const auto ack = client.http->target.parameter("ack")) {
        const auto [end, fault] = std::from_chars(ack->data(), ack->data() + ack->size(), every);
        if (fault != std::errc{} || end != ack->data() + ack->size()) {
            core_.http.respond_text(client, 400, "The parameter ack must be a number from 0 to 65535.");
            return;
        }
    }
    if (!core_.http.enter(client, ClientKind::publisher)) return;
    client.app = app;
    client.request = 0;
    client.answers_due = every;
    core_.http.answer_upgrade(client);
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
    auto verified = verify(path);
    // Behind a prefix, clients sign the path that they used.
    if (!verified && path.size() != request.path.size()) verified = verify(request.path);
    if (verified) return true;
    core_.http.respond_text(client, 401, verified.error());
    return false;
}

void HttpApi::events(Client& client, const http::Request& request, AppIndex app, bool batch) {
    const AppConfig& settings = core_.apps[app];
    const protocol::ApiLimits limits{settings.max_event_bytes, settings.max_event_name, settings.max_channel_name,
                                     settings.max_channels_per_event, settings.max_batch};
    if (batch) {
        const auto decoded = protocol::decode_batch(request.body, limits, scratch_);
        if (decoded) {
            publish(client, app, *decoded);
        } else {
            core_.http.respond_text(client, decoded.error().status, decoded.error().reason);
        }
        return;
    }
    const auto decoded = protocol::decode_event(request.body, limits, scratch_);
    if (decoded) {
        publish(client, app, std::span(&*decoded, 1));
    } else {
        core_.http.respond_text(client, decoded.error().status, decoded.error().reason);
    }
}

void HttpApi::publish(Client& client, AppIndex app, std::span<const protocol::PublishEvent> events) {
    if (!to_publications(app, events, publications_)) {
        core_.http.respond_text(client, 400, "idempotency_key and info are not supported yet.");
        return;
    }
    const std::size_t answers = core_.publisher.publish(publications_, client.id, ++client.request);
    if (answers == 0) {
        core_.stats.publish_refused.add();
        const http::Header retry[] = {{"Retry-After", "1"}};
        core_.http.respond_text(client, 503, "The server is too busy to take this now; nothing was published.", retry);
        return;
    }
    client.awaiting = true;
    client.answers_due = static_cast<std::uint16_t>(answers);
    core_.life.watch(client);
}

}  // namespace spillway::server
