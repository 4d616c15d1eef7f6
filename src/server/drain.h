// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The orderly end of one core: no new connections, what is queued is flushed, clients are sent away spread over time
// (Pusher 4200, Feed 1012) so that they do not all come back at once; at the deadline whoever is left is cut.
//
// Thread: the core.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "server/client.h"
#include "server/doors.h"

namespace spillway::server {

class Core;

class Drain {
public:
    explicit Drain(Core& core) : core_(core) {}

    void begin();
    /// The same, while a successor accepts on the same sockets.
    void hand_over();
    /// Cuts whoever is left, now.
    void force();
    /// Sends away as many as are due; says so to the control thread when none is left. Once per turn.
    void step();
    [[nodiscard]] bool active() const { return active_; }
    /// Whoever asks now is told to come later. Not where a successor is there: who still came to this process is served,
    /// and sent to it with the others.
    [[nodiscard]] bool refuses_clients() const { return active_ && !handed_over_; }

private:
    void begin(Shut doors);
    void send_away(Client& client, bool late);
    [[nodiscard]] bool may_yet_ask(const Client& client) const;
    /// Before the deadline, for the last frames of those that did not take what was queued.
    [[nodiscard]] base::Duration grace() const { return (deadline_ - began_) / 5; }

    Core& core_;
    bool active_ = false;
    bool handed_over_ = false;
    bool forced_ = false;
    bool told_ = false;
    base::Instant began_{};
    base::Instant deadline_{};
    base::Duration spread_{};
    std::uint32_t slots_ = 0;  // to go through
    std::uint32_t next_ = 0;
};

}  // namespace spillway::server
