// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What comes in over WebSocket connections: bytes to messages, pings answered, closes and violations acted on, messages handed to
// whoever speaks on the connection (Pusher, Feed, echo).
//
// Thread: the core.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "server/client.h"
#include "ws/session.h"

namespace spillway::server {

class Core;

class WsFront {
public:
    explicit WsFront(Core& core) : core_(core) {}

    void feed(Client& client, std::span<const std::byte> bytes);
    /// The Feed client's channel has it: the upgrade is answered now, so that whoever sees it open misses nothing.
    void feed_ready(Client& client);

    [[nodiscard]] std::size_t bytes_held() const { return pool_.bytes_held(); }

private:
    [[nodiscard]] bool within_message_rate(Client& client);
    class Events;
    /// A message that could not be taken now becomes the first of the input that waits.
    void put_back(Client& client, std::span<const std::byte> payload);
    void message(Client& client, ws::Opcode opcode, std::span<const std::byte> payload);

    Core& core_;
    ws::SessionPool pool_;
};

}  // namespace spillway::server
