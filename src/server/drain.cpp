// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/drain.h"

#include <algorithm>

#include "protocol/errors.h"
#include "server/core.h"
#include "ws/close_code.h"

namespace spillway::server {
namespace {

/// Clients are sent away at this pace where the deadline allows: 10,000 in two seconds.
constexpr std::chrono::microseconds kPerClient{200};
/// Who was let in from the backlog has so long to say what it wants, and is answered.
constexpr std::chrono::milliseconds kFirstRequest{500};

}  // namespace

void Drain::begin() { begin(Shut::when_empty); }

void Drain::hand_over() {
    handed_over_ = true;
    core_.doors.leave_open(Door::For::clients);
    begin(Shut::when_empty);  // those that are left open are shut at once
}

void Drain::begin(Shut doors) {
    if (active_) return;
    active_ = true;
    core_.doors.shut(doors);
    began_ = core_.now;
    deadline_ = began_ + core_.config.drain_timeout;
    slots_ = core_.clients.slots_used();
    spread_ = std::min<base::Duration>(core_.config.drain_timeout / 2, kPerClient * core_.clients.size());
}

void Drain::force() {
    begin(Shut::at_once);
    core_.doors.shut(Shut::at_once);
    forced_ = true;
}

void Drain::step() {
    if (!active_) return;
    const bool late = forced_ || core_.now >= deadline_ - grace();
    if (late && core_.doors.open()) core_.doors.shut(Shut::at_once);
    const auto elapsed = core_.now - began_;
    const std::uint32_t due =
        late || elapsed >= spread_ ? slots_ : static_cast<std::uint32_t>(slots_ * elapsed / spread_);
    for (; next_ < due; ++next_)
        if (core_.clients.is_live(next_)) send_away(core_.clients[next_], late);
    // Once round: those that had something queued or an answer due, and whoever came in the last moment.
    if (next_ == slots_) core_.clients.for_each([&](std::uint32_t, Client& client) { send_away(client, late); });

    std::size_t left = 0;
    core_.clients.for_each(
        [&](std::uint32_t, const Client& client) { left += client.kind != ClientKind::ops ? 1 : 0; });
    if (left != 0 || told_ || next_ < slots_ || core_.doors.open()) return;
    told_ = true;
    core_.port.send(static_cast<CoreId>(core_.cores), Signal{Signal::What::drained});
}

void Drain::send_away(Client& client, bool late) {
    if (client.kind == ClientKind::ops) return;
    if (late && client.state != ClientState::dead) {
        // A moment for the last frames, if there is any; then the end.
        if (client.state == ClientState::open && !forced_ && is_websocket(client.kind)) {
            core_.life.close(client, {static_cast<std::uint16_t>(client.kind == ClientKind::pusher ? 4200 : 1012),
                                      CloseReason::drain, "Server is restarting", false});
        } else if (forced_ || core_.now >= deadline_) {
            core_.life.abort(client, CloseReason::drain);
        }
        return;
    }
    if (client.state != ClientState::open || client.out != nullptr || client.awaiting || core_.http.unanswered(client))
        return;
    if (client.kind == ClientKind::pusher) {
        core_.life.close(client, {code_of(protocol::ErrorCode::reconnect), CloseReason::drain,
                                  protocol::default_text(protocol::ErrorCode::reconnect)});
    } else if (is_websocket(client.kind)) {
        core_.life.close(client, {ws::close_code::kServiceRestart, CloseReason::drain, "Server is restarting"});
    } else if (!may_yet_ask(client)) {  // idle, or a request that has not come whole
        core_.life.close(client, {0, CloseReason::drain, {}, false});
    }
}

bool Drain::may_yet_ask(const Client& client) const {
    return client.request == 0 && client.opened != base::Instant{} && core_.now < client.opened + kFirstRequest;
}

}  // namespace spillway::server
