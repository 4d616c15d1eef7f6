// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What waits to be sent to one client: its bounded queue of messages, and beside it the few frames that are never
// dropped (handshake, pongs, pusher:error, close). Lent to a client only while something waits.
//
// Order on the wire: the rest of a message that is partly sent, then control frames, then messages. A control frame goes
// between frames only. Exactly one send is under way at a time; what it holds does not move.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <spillway/limits.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "pubsub/send_queue.h"

namespace spillway::server {

class Outflow {
public:
    pubsub::SendQueue queue;
    base::Instant waiting_since{};  // last progress while a send waits for room
    std::uint64_t unsent_seen = 0;  // bytes in the socket's own queue when it was looked at last

    /// Appends a control frame (whole frames only). False when kControlQueueMax wait already.
    [[nodiscard]] bool push_control(std::string frame) {
        if (control_.size() >= kControlQueueMax) return false;
        control_bytes_ += frame.size();
        control_.push_back(std::move(frame));
        return true;
    }
    [[nodiscard]] bool control_full() const { return control_.size() >= kControlQueueMax; }
    /// A pong to each ping, in order, up to kPongsMax; beyond that the newest takes the place of the one before it, unless
    /// that is under way (RFC 6455 section 5.5.3). False as push_control().
    [[nodiscard]] bool push_pong(std::string frame) {
        if (std::popcount(pongs_) >= static_cast<int>(kPongsMax) && newest_pong() >= untouched()) {
            std::string& newest = control_[newest_pong()];
            control_bytes_ += frame.size() - newest.size();
            newest = std::move(frame);
            return true;
        }
        if (!push_control(std::move(frame))) return false;
        pongs_ |= std::uint64_t{1} << (control_.size() - 1);
        return true;
    }
    /// Appends bytes of a connection that is no WebSocket; joined with the last that waits, so their number does not count.
    void append_stream(std::string_view bytes) {
        control_bytes_ += bytes.size();
        const bool last_is_pong = pongs_ != 0 && newest_pong() + 1 == control_.size();
        if (!last_is_pong && control_.size() > untouched()) {
            control_.back() += bytes;
        } else {
            control_.emplace_back(bytes);
        }
    }
    /// Appends a frame of the close, for which there is always room.
    void push_last(std::string frame) {
        control_bytes_ += frame.size();
        control_.push_back(std::move(frame));
    }

    [[nodiscard]] bool empty() const { return queue.empty() && control_.empty(); }
    [[nodiscard]] std::uint64_t bytes() const { return queue.bytes() + control_bytes_ - control_taken_; }
    [[nodiscard]] bool in_flight() const { return parts_ != 0; }
    /// Bytes (left) of the message that goes next; 0 when a control frame does, or nothing.
    [[nodiscard]] std::size_t next_message_bytes(WireForm form) const {
        if (queue.empty() || (queue.head_taken() == 0 && !control_.empty())) return 0;
        return queue.at(0).held->message->frame(form).size() - queue.head_taken();
    }

    /// What it takes itself, with its queue; frames of messages are accounted for where they are kept.
    [[nodiscard]] std::uint64_t memory_bytes() const {
        // The deque's first node and map; its other nodes are of the size of what is in them.
        constexpr std::uint64_t kDequeBytes = 576;
        return sizeof(Outflow) + kDequeBytes + queue.memory_bytes() + control_.size() * sizeof(std::string) +
               control_bytes_;
    }
    std::uint64_t accounted = 0;  // of them, by the Sender

    /// Gathers what goes next into at most `most` parts and notes them as under way; returns how many. `bytes` is their sum.
    std::size_t compose(WireForm form, iovec* parts, std::size_t most, std::size_t& bytes);

    /// The send under way ended with `taken` bytes on the wire. done(QueueEntry) for each message completed.
    template <class Done>
    void settle(std::size_t taken, WireForm form, Done&& done) {
        if (head_first_) {
            const std::size_t rest = queue.at(0).held->message->frame(form).size() - queue.head_taken();
            const std::size_t n = std::min(taken, rest);
            queue.consume(n, form, done);
            taken -= n;
        }
        taken = settle_control(taken);
        queue.consume(taken, form, done);
        queue.set_in_flight(0);
        control_in_flight_ = 0;
        parts_ = 0;
        head_first_ = false;
    }

    /// Fresh for another client. Everything must be gone.
    void reset();
    /// Lets all control frames go (the client ended).
    void forget_control();

    // The gathered send that waits for room: the kernel reads these until it completes.
    msghdr message{};
    std::array<iovec, 16> parts{};

private:
    std::size_t settle_control(std::size_t taken);
    /// Index of the first control frame of which nothing is on its way: it and those behind it may still change.
    [[nodiscard]] std::size_t untouched() const {
        return std::max<std::size_t>(control_in_flight_, control_taken_ != 0 ? 1 : 0);
    }
    /// Index; there must be a pong.
    [[nodiscard]] std::size_t newest_pong() const { return static_cast<std::size_t>(std::bit_width(pongs_)) - 1; }

    std::deque<std::string> control_;  // whose elements stay where they are: the kernel may read them
    std::size_t control_bytes_ = 0;
    std::size_t control_taken_ = 0;  // bytes of the first that are on the wire
    std::size_t control_in_flight_ = 0;
    static_assert(kControlQueueMax <= 64, "a pong lies below this index");
    std::uint64_t pongs_ = 0;  // bit i: control_[i] is a pong
    std::size_t parts_ = 0;
    bool head_first_ = false;
};

}  // namespace spillway::server
