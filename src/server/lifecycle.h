// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A connection from accept to the freed slot: receiving, timeouts, and the one way in which clients end.
//
// Close, exactly once, however it begins: marked closing -> out of all channels at once (so nobody can join a leaver to a
// channel in between) -> error event and close frame at a frame boundary -> write side shut -> input discarded until its end
// or kLinger -> shut both ways -> no operation with the kernel any more -> descriptor closed and slot freed, under a new
// generation, at the end of the turn. The peer's close code is kept.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include <spillway/errors.h>

#include "base/clock.h"
#include "base/fifo.h"
#include "base/log.h"
#include "io/completion.h"
#include "server/client.h"
#include "server/stats.h"

namespace spillway::server {

class Core;

/// Why and with which words. `code` 0: a close frame without a code.
struct Closing {
    std::uint16_t code = 0;
    CloseReason reason = CloseReason::internal;
    std::string_view text;   // of the close frame; and of the event where there is one
    bool tell_event = true;  // Pusher clients get a pusher:error event before the close frame
};

class Lifecycle {
public:
    explicit Lifecycle(Core& core) : core_(core) {}

    /// Somebody has come: the descriptor is its slot's from now on.
    void admit(int fd, ClientKind kind);
    void received(const io::Completion& done);

    /// Ends a client with a last word: WebSocket clients get a close frame, others what is being flushed.
    void close(Client& client, const Closing& closing);
    /// Ends a client that asked for more than a limit allows: counted, 4100, it may come back.
    void send_off(Client& client, Refusal reason, std::string_view text);
    /// Ends a client because of what waits for it: 4100, with little time to hear it, for its memory is wanted.
    void cut_backlog(Client& client);
    /// Ends it without: the socket is beyond talking to, or time is up.
    void abort(Client& client, CloseReason reason);
    /// Everything that waited for the client is on the wire.
    void flushed(Client& client);
    /// The client is dead: its slot is freed at the end of the turn if the kernel holds nothing of it.
    void doom(Client& client);
    void free_doomed();
    /// Takes back what was lent for the client's input.
    void let_go(Client& client);

    /// Input must wait: the mesh has no room for what it may cause. Resumed by resume_paused().
    void pause(Client& client);
    void resume_paused();
    /// The answer that input had to wait for is on its way.
    void go_on(Client& client);
    /// Keeps bytes that cannot be looked at now.
    void hold_input(Client& client, std::span<const std::byte> bytes);
    /// Of input that waits.
    [[nodiscard]] std::uint64_t held_bytes() const { return held_bytes_; }
    /// Cancels the client's receive, or has it armed at the end of the turn, as the client may say more or not.
    /// A receive that ended since much came is armed when it is its turn among those.
    enum class Arm : std::uint8_t { soon, in_turn };
    void update_receive(Client& client, Arm when = Arm::soon);
    /// Arms receives that are due, a few of those that take turns. At the end of a turn, since what waits in the socket is
    /// received in the submit that arms it; later if there are no buffers or very many wait to be looked at.
    void arm_receives();
    /// A receive is due.
    [[nodiscard]] bool arming() const { return !arm_soon_.empty() || !arm_in_turn_.empty(); }

    /// Sets the client's timer to whatever is due first.
    void watch(Client& client);
    /// A send waits for room: the write timeout counts.
    void watch_writes(Client& client);
    /// The kernel was short of memory for the client's send: try again a little later.
    void retry_later(Client& client, base::Duration after);
    void retry_sends();
    [[nodiscard]] bool retrying() const { return !retries_.empty(); }
    void timer_fired(std::uint32_t slot);
    /// Looks after a few clients each time, round and round: nobody may be without a timer, whatever went wrong. On
    /// the way it notes how full their queues are.
    void sweep();

    [[nodiscard]] std::size_t paused() const { return paused_.size(); }

    /// Moves the connection to another seat, which it gets only below that seat's limit; it keeps its own if not.
    [[nodiscard]] bool take_seat(Client& client, Seat seat);
    void check_invariants();

private:
    void arm(std::uint64_t id);
    [[nodiscard]] static bool wants_input(const Client& client);
    void take_input(Client& client, std::span<const std::byte> bytes);
    void heard(Client& client);
    [[nodiscard]] bool within_byte_rate(Client& client, std::size_t bytes);
    void process(Client& client, std::span<const std::byte> bytes);
    void process_held(Client& client);
    void input_ended(Client& client);
    void leave_service(Client& client, const Closing& closing);
    void leave_seat(Client& client);
    void turn_away(Client& client, Refusal reason);
    void free(Client& client);
    [[nodiscard]] base::Instant authorization_due(const Client& client) const;
    [[nodiscard]] base::Instant next_check(const Client& client) const;
    void check_websocket(Client& client);
    void check_http(Client& client);
    void look_at_queue(const Client& client);

    Core& core_;
    std::vector<std::uint64_t> doomed_;
    std::vector<std::uint64_t> paused_;
    std::vector<std::uint64_t> resuming_;  // kept for its memory
    base::Fifo<std::uint64_t> arm_soon_;
    base::Fifo<std::uint64_t> arm_in_turn_;
    std::size_t turned_away_ = 0;  // connections that are refused and not yet gone
    std::uint64_t held_bytes_ = 0;
    std::uint32_t swept_ = 0;  // slot up to which the sweep has come
    struct Retry {
        std::uint64_t client = 0;
        base::Instant due{};
    };
    std::deque<Retry> retries_;  // in order of time: all wait equally long
};

}  // namespace spillway::server
