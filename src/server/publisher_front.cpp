// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/publisher_front.h"

#include "base/format.h"
#include "protocol/json_escape.h"
#include "protocol/socket_id.h"
#include "server/core.h"
#include "ws/frame_writer.h"

namespace spillway::server {

bool to_publications(AppIndex app, std::span<const protocol::PublishEvent> events, std::vector<Publication>& out) {
    out.clear();
    for (const protocol::PublishEvent& event : events) {
        if (!event.idempotency_key.empty()) return false;
        // An id of another server's making, or of a client that is gone, excludes nobody.
        const auto excluded = event.socket_id ? protocol::parse_socket_id(*event.socket_id) : std::nullopt;
        out.push_back({app, event.name, event.data, event.channels, excluded.value_or(protocol::SocketId{}),
                       event.priority, false, event.info.any()});
    }
    return true;
}

bool PublisherFront::message(Client& client, std::string_view text) {
    ++client.request;
    const AppConfig& app = core_.apps[client.app];
    const protocol::ApiLimits limits{app.max_event_bytes, app.max_event_name, app.max_channel_name,
                                     app.max_channels_per_event, app.max_batch};
    const auto events = protocol::decode_publication(text, limits, scratch_);
    if (!events) {
        fail(client, events.error().reason);
    } else if (!to_publications(client.app, *events, publications_)) {
        fail(client, "idempotency_key and info are not supported yet.");
    } else if (core_.publisher.publish(publications_, 0) == 0) {
        --client.request;
        return false;
    }
    if (client.answers_due == 0 || client.request % client.answers_due != 0) return true;
    std::string frame;
    ws::append_text(frame, base::concat(R"({"ack":)", client.request, "}"));
    core_.sender.answer(client, frame);
    return true;
}

void PublisherFront::fail(Client& client, std::string_view reason) {
    core_.stats.client_errors.add();
    std::string json = R"({"error":)";
    protocol::append_json_string(json, reason);
    base::append(json, R"(,"at":)", client.request, "}");
    std::string frame;
    ws::append_text(frame, json);
    core_.sender.answer(client, frame);
}

}  // namespace spillway::server
