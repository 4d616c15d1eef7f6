// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The sockets that a core accepts on. While descriptors are short accepting pauses, and whoever waits is told so; a server
// that stops shuts its doors when nobody waits behind them any more, one that has a successor at once.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "io/completion.h"

namespace spillway::server {

class Core;

/// What somebody is told for whom there is no room, before it has said anything.
inline constexpr std::string_view kNoRoom =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// A socket that a core accepts on.
struct Door {
    enum class For : std::uint8_t { clients, local, metrics };  // local: clients of the Unix socket
    int listener = -1;
    For what = For::clients;
    bool kept = false;    // somebody else keeps the socket open, and serves later who waits in its backlog
    bool shared = false;  // a predecessor accepted on it until now
    bool wanted = false;  // accepting goes on, or goes on again
    bool armed = false;   // exactly while the ring has an accept of it
    base::Instant retry{};
};

/// When doors for clients are shut: when nobody waits behind them any more, or now.
enum class Shut : std::uint8_t { when_empty, at_once };

class Doors {
public:
    explicit Doors(Core& core) : core_(core) {}

    /// Before begin(). A door for clients closes its descriptor when it is shut.
    void add(const Door& door) { doors_.push_back(door); }
    /// Accepts from all of them.
    void begin();
    void accepted(const io::Completion& done);

    /// Shuts the doors for clients. Whoever waits behind one that is nobody else's is let in first, for a second at most.
    void shut(Shut how);
    /// A successor has those of this kind, too: whoever waits behind them is its.
    void leave_open(Door::For what);
    /// A successor answers on the metrics port. Its descriptor is its owner's.
    void leave_metrics();
    /// One for clients is open.
    [[nodiscard]] bool open() const;

    /// Shuts what is to be shut, and looks at shared ones; re-arms accepts that ended for want of descriptors or memory, when it
    /// is time.
    void rearm();
    /// When accepts that ended are armed again; nothing if none has.
    [[nodiscard]] std::optional<base::Instant> due() const;

private:
    void arm(std::uint32_t which);
    void look_at_shared();
    void go_on_shutting();
    void shut_one(std::uint32_t which);
    void close(Door& door);
    [[nodiscard]] bool crowded() const;
    void refuse_waiting(Door& door);
    void note_pause();

    Core& core_;
    std::vector<Door> doors_;
    base::Instant shared_until_{};
    base::Instant shared_due_ = base::Instant::max();  // shared doors are looked at
    std::optional<base::Instant> shut_by_;             // doors are being shut; from then on whoever waits or not
    base::log::Throttle pause_lines_{std::chrono::seconds{10}};
};

}  // namespace spillway::server
