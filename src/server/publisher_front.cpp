// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/publisher_front.h"

#include "base/format.h"
#include "protocol/json_escape.h"
#include "protocol/socket_id.h"
#include "server/core.h"
#include "ws/frame_writer.h"

namespace spillway::server {

void to_publications(AppIndex app, std::span<const protocol::PublishEvent> events, std::vector<Publication>& out) {
    out.clear();
    for (const protocol::PublishEvent& event : events) {
        // An id of another server's making, or of a client that is gone, excludes nobody.
        const auto excluded = event.socket_id ? protocol::parse_socket_id(*event.socket_id) : std::nullopt;
        out.push_back({app, event.name, event.data, event.channels, excluded.value_or(protocol::SocketId{}),
                       event.priority, false, event.info.any()});
    }
}

void PublisherFront::acknowledge() {
    for (const std::uint64_t id : heard_)
        if (const Client* client = core_.find(id)) core_.ring.acknowledge(client->fd);
    heard_.clear();
}

bool PublisherFront::message(Client& client, std::string_view text) {
    ++client.request;
    if (heard_.empty() || heard_.back() != client.id) heard_.push_back(client.id);
    const AppConfig& app = core_.apps[client.app];
    const protocol::ApiLimits limits{app.max_event_bytes, app.max_event_name, app.max_channel_name,
                                     app.max_channels_per_event, app.max_batch};
    const auto events = protocol::decode_publication(text, limits, scratch_);
    if (core_.memory.refuses_publications()) {
        core_.stats.publish_refused.add();
        fail(client, "The server has no memory for this now; nothing was published.");
    } else if (!events) {
        fail(client, events.error().reason);
    } else if (take(client, text, *events) == Outcome::waits) {
        --client.request;
        return false;
    }
    if (client.answers_due == 0 || client.request % client.answers_due != 0) return true;
    std::string frame;
    ws::append_text(frame, base::concat(R"({"ack":)", client.request, "}"));
    core_.sender.answer(client, frame);
    return true;
}

PublisherFront::Outcome PublisherFront::take(Client& client, std::string_view text,
                                             std::span<const protocol::PublishEvent> events) {
    if (!keyed_.empty() && keyed_.contains(client.id)) return take_keyed(client, text, events);
    const std::uint64_t rate = core_.apps[client.app].publishes_per_second;
    if (!core_.quotas.publishes[client.app].take(core_.now, rate, events.size())) {
        fail(client, "This app publishes more than it may in a second.");
        return Outcome::failed;
    }
    const Outcome outcome =
        events.front().idempotency_key.empty() ? publish(client, events, 0) : take_keyed(client, text, events);
    // It comes again, and takes its part of the rate then; unless it has a key, by which it is known.
    if (outcome == Outcome::waits && !keyed_.contains(client.id))
        core_.quotas.publishes[client.app].give_back(rate, events.size());
    return outcome;
}

PublisherFront::Outcome PublisherFront::take_keyed(Client& client, std::string_view text,
                                                   std::span<const protocol::PublishEvent> events) {
    const auto known = keyed_.find(client.id);
    if (known == keyed_.end()) {
        const std::uint64_t name =
            core_.calls.claim(client.id, client.request, client.app, events.front().idempotency_key, text);
        if (name != 0) keyed_.emplace(client.id, name);
        return Outcome::waits;
    }
    const std::uint64_t name = known->second;
    const KeyState state = core_.calls.find(name)->key;
    if (state == KeyState::asked) return Outcome::waits;
    const Outcome outcome = state == KeyState::granted ? publish(client, events, name) : Outcome::done;
    if (outcome == Outcome::waits) return outcome;
    keyed_.erase(known);
    if (state == KeyState::granted) return outcome;
    core_.calls.abandon(name);
    if (state == KeyState::answered) return Outcome::done;
    fail(client, state == KeyState::conflict ? "This idempotency_key was used for another body."
                                             : "Too many requests wait for this idempotency_key.");
    return Outcome::failed;
}

PublisherFront::Outcome PublisherFront::publish(Client& client, std::span<const protocol::PublishEvent> events,
                                                std::uint64_t call) {
    to_publications(client.app, events, publications_);
    const std::size_t answers = core_.publisher.publish(publications_, call);
    if (answers == 0) return Outcome::waits;
    if (call != 0) {
        core_.calls.find(call)->due = static_cast<std::uint32_t>(answers);
        core_.calls.find(call)->client = 0;  // nobody waits for this answer
    }
    return Outcome::done;
}

void PublisherFront::forget(const Client& client) {
    if (keyed_.empty()) return;
    const auto known = keyed_.find(client.id);
    if (known == keyed_.end()) return;
    core_.calls.abandon(known->second);
    keyed_.erase(known);
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
