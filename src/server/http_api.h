// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The signed HTTP API under /apps/{id}: who may publish, what, and with which answer. The answer to a publication goes out
// only when every home core concerned has sequenced it, so a publisher that waits for its answers gets its order.
//
// Thread: the core.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "http/request.h"
#include "protocol/api.h"
#include "protocol/auth.h"
#include "server/client.h"
#include "server/publisher.h"

namespace spillway::server {

class Core;

class HttpApi {
public:
    explicit HttpApi(Core& core) : core_(core) {}

    /// A request for /apps/{id}/…; answers it, or leaves the client awaiting its publications. `path` is without the
    /// configured prefix.
    void handle(Client& client, const http::Request& request, std::string_view path);

private:
    [[nodiscard]] bool authorised(Client& client, const http::Request& request, std::string_view path, AppIndex app);
    void events(Client& client, const http::Request& request, AppIndex app, bool batch);
    void upgrade(Client& client, const http::Request& request, std::string_view path, AppIndex app);
    void publish(Client& client, AppIndex app, std::span<const protocol::PublishEvent> events);

    Core& core_;
    protocol::ApiScratch scratch_;
    std::vector<protocol::QueryParam> query_;
    std::vector<Publication> publications_;
};

}  // namespace spillway::server
