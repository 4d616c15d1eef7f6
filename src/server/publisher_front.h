// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The publisher WebSocket: one signed upgrade, then each text message is the body of an event or of a batch. Silent on success;
// {"error":…,"at":n} names the n-th message of the connection; {"ack":n} every N messages if asked for with ?ack=N. A
// publisher that is faster than the mesh is slowed by TCP, not cut.
//
// Thread: the core.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/api.h"
#include "server/client.h"
#include "server/publisher.h"

namespace spillway::server {

class Core;

/// Events of one API body as publications, views into the events.
void to_publications(AppIndex app, std::span<const protocol::PublishEvent> events, std::vector<Publication>& out);

class PublisherFront {
public:
    explicit PublisherFront(Core& core) : core_(core) {}

    /// False: the mesh has no room for it now. It is to be brought again when there is.
    [[nodiscard]] bool message(Client& client, std::string_view text);

    /// Acknowledges what publishers have said in this turn: after the fan-out, which would wait for it.
    void acknowledge();

    /// The client is gone.
    void forget(const Client& client);

private:
    enum class Outcome : std::uint8_t { done, failed, waits };
    [[nodiscard]] Outcome take(Client& client, std::string_view text, std::span<const protocol::PublishEvent> events);
    [[nodiscard]] Outcome take_keyed(Client& client, std::string_view text,
                                     std::span<const protocol::PublishEvent> events);
    [[nodiscard]] Outcome publish(Client& client, std::span<const protocol::PublishEvent> events, std::uint64_t call);
    void fail(Client& client, std::string_view reason);

    Core& core_;
    protocol::ApiScratch scratch_;
    std::vector<Publication> publications_;
    std::vector<std::uint64_t> heard_;                        // in this turn
    std::unordered_map<std::uint64_t, std::uint64_t> keyed_;  // client -> call of the message that waits for its key
};

}  // namespace spillway::server
