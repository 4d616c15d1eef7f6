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
#include <vector>

#include "protocol/api.h"
#include "server/client.h"
#include "server/publisher.h"

namespace spillway::server {

class Core;

/// Events of one API body as publications, views into the events. Null: something asked for is not supported (yet).
[[nodiscard]] bool to_publications(AppIndex app, std::span<const protocol::PublishEvent> events,
                                   std::vector<Publication>& out);

class PublisherFront {
public:
    explicit PublisherFront(Core& core) : core_(core) {}

    /// False: the mesh has no room for it now. It is to be brought again when there is.
    [[nodiscard]] bool message(Client& client, std::string_view text);

private:
    void fail(Client& client, std::string_view reason);

    Core& core_;
    protocol::ApiScratch scratch_;
    std::vector<Publication> publications_;
};

}  // namespace spillway::server
