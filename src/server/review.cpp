// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/review.h"

#include <algorithm>

#include "protocol/errors.h"
#include "server/core.h"

namespace spillway::server {
namespace {

/// Clients of one turn: closing so many takes well under a millisecond.
constexpr std::uint32_t kPerTurn = 256;

}  // namespace

void Review::begin() {
    slots_ = core_.clients.slots_used();
    next_ = 0;
}

void Review::step() {
    const std::uint32_t end = std::min(slots_, next_ + kPerTurn);
    for (; next_ < end; ++next_)
        if (core_.clients.is_live(next_)) look_at(core_.clients[next_]);
}

void Review::look_at(Client& client) {
    if (client.state != ClientState::open) return;
    const bool of_an_app = is_websocket(client.kind) && client.kind != ClientKind::echo;
    if (of_an_app && !core_.apps[client.app].enabled) {
        core_.life.close(client, {code_of(protocol::ErrorCode::app_disabled), CloseReason::policy,
                                  protocol::default_text(protocol::ErrorCode::app_disabled)});
    } else {
        core_.life.watch(client);
    }
}

}  // namespace spillway::server
