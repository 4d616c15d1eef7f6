// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The bounded queue of one client and the rule by which it drops: a ring of references to messages, admission by
// priority and occupancy. A pure decision: it knows no socket and no counters; what it lets go it hands to a sink.
//
// Invariants
// - Order is that of arrival. Only whole messages are dropped, never the one partly on the wire, never one in flight.
// - Occupancy is looked at before the message: an empty queue takes any one message.
//
// Thread: the client's core. Owns a reference to each message in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <spillway/errors.h>
#include <spillway/ids.h>
#include <spillway/message.h>

#include "pubsub/message.h"

namespace spillway::pubsub {

struct QueueLimits {
    std::uint64_t messages = 1024;
    std::uint64_t bytes = 1 * kMiB;
};

struct QueueEntry {
    Held* held = nullptr;
    LocalChannelId channel;  // none: an answer to this client alone
};

/// Percent of messages or bytes (whichever is fuller) from which a message of this priority no longer enters. For a
/// client of high priority each is moved half-way to 100.
[[nodiscard]] constexpr unsigned threshold_percent(Priority priority, bool high_client) {
    constexpr unsigned percent[kPriorities] = {60, 80, 95, 100};
    const unsigned p = percent[static_cast<std::size_t>(priority)];
    return high_client ? (p + 100) / 2 : p;
}

enum class Admission : std::uint8_t {
    queued,
    dropped,     // this message; the caller counts it as queue_threshold
    close,       // an urgent message found it full, or the policy is disconnect: the client must go
};

class SendQueue {
public:
    struct Offer {
        QueueEntry entry;
        WireForm form = WireForm::pusher;
        OverflowPolicy policy = OverflowPolicy::drop_newest;
        bool high_client = false;
        bool may_conflate = false;  // the client is behind; a queue that only gathers within a turn conflates nothing
    };

    /// Would a message of this priority be refused or displace another now?
    [[nodiscard]] bool over_threshold(Priority priority, bool high_client, const QueueLimits& limits) const;

    /// Takes the offer's reference if it answers `queued`. `let_go(QueueEntry, DropReason)` receives messages that made
    /// room (displaced, conflated), with their references.
    template <class LetGo>
    Admission push(const Offer& offer, const QueueLimits& limits, LetGo&& let_go) {
        const Priority priority = offer.entry.held->message->priority;
        if (offer.may_conflate && offer.policy == OverflowPolicy::conflate) {
            if (const auto older = find_same_event(offer.entry); older != kNone)
                let_go(take_out(older, offer.form), DropReason::conflated);
        }
        if (!over_threshold(priority, offer.high_client, limits)) {
            append(offer.entry, offer.form);
            return Admission::queued;
        }
        if (priority == Priority::urgent || offer.policy == OverflowPolicy::disconnect) return Admission::close;
        if (offer.policy == OverflowPolicy::drop_oldest) {
            if (const auto oldest = find_oldest_of_lowest(priority); oldest != kNone) {
                let_go(take_out(oldest, offer.form), DropReason::displaced);
                append(offer.entry, offer.form);
                return Admission::queued;
            }
        }
        return Admission::dropped;
    }

    /// The rest of a message whose first `taken` bytes are on the wire already: goes before everything else. Nothing may
    /// be in flight or partly sent.
    void push_partial(const QueueEntry& entry, WireForm form, std::size_t taken);

    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] std::size_t size() const { return count_; }
    /// Bytes still to be sent.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] const QueueEntry& at(std::size_t i) const { return ring_[(head_ + i) & mask()]; }
    /// Bytes of the first entry that are on the wire already; 0 = at a frame boundary.
    [[nodiscard]] std::size_t head_taken() const { return head_taken_; }

    /// The first n entries are referenced by the kernel (or none: 0).
    void set_in_flight(std::size_t n) { in_flight_ = n; }
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

    /// `taken` more bytes are on the wire: done(QueueEntry) for each message completed, with its reference.
    template <class Done>
    void consume(std::size_t taken, WireForm form, Done&& done) {
        while (taken != 0) {
            const QueueEntry entry = at(0);
            const std::size_t rest = entry.held->message->frame(form).size() - head_taken_;
            if (taken < rest) {
                head_taken_ += taken;
                bytes_ -= taken;
                return;
            }
            taken -= rest;
            pop_front(rest);
            done(entry);
        }
    }

    /// Removes what is queued of a channel, the partly sent message and those in flight excepted.
    template <class LetGo>
    void purge(LocalChannelId channel, WireForm form, LetGo&& let_go) {
        std::size_t keep = fixed_prefix();
        for (std::size_t i = keep; i < count_; ++i) {
            const QueueEntry entry = at(i);
            if (entry.channel == channel) {
                bytes_ -= entry.held->message->frame(form).size();
                let_go(entry);
            } else {
                ring_[(head_ + keep++) & mask()] = entry;
            }
        }
        count_ = keep;
    }

    /// Lets everything go, partly sent or not (the client ended).
    template <class LetGo>
    void clear(LetGo&& let_go) {
        for (std::size_t i = 0; i < count_; ++i) let_go(at(i));
        head_ = count_ = head_taken_ = in_flight_ = 0;
        bytes_ = 0;
    }
    /// Lets everything go but a partly sent head, so that a close frame can follow at a frame boundary.
    template <class LetGo>
    void clear_behind_partial(LetGo&& let_go) {
        const std::size_t keep = fixed_prefix();
        for (std::size_t i = keep; i < count_; ++i) {
            bytes_ -= at(i).held->message->frame(form_).size();
            let_go(at(i));
        }
        count_ = keep;
    }

    /// Gives memory beyond a small ring back (called when the queue is empty).
    void shrink();
    [[nodiscard]] std::size_t memory_bytes() const { return ring_.capacity() * sizeof(QueueEntry); }
    void check_invariants(WireForm form) const;

private:
    static constexpr std::size_t kNone = ~std::size_t{0};

    [[nodiscard]] std::size_t mask() const { return ring_.size() - 1; }
    /// Entries that must stay where they are: in flight, or partly on the wire.
    [[nodiscard]] std::size_t fixed_prefix() const {
        return in_flight_ != 0 ? in_flight_ : (head_taken_ != 0 ? std::size_t{1} : std::size_t{0});
    }
    void make_room();
    void append(const QueueEntry& entry, WireForm form);
    void pop_front(std::size_t bytes);
    [[nodiscard]] QueueEntry take_out(std::size_t index, WireForm form);
    [[nodiscard]] std::size_t find_same_event(const QueueEntry& entry) const;
    [[nodiscard]] std::size_t find_oldest_of_lowest(Priority at_most) const;

    std::vector<QueueEntry> ring_;
    std::size_t head_ = 0;
    std::size_t count_ = 0;
    std::size_t head_taken_ = 0;
    std::size_t in_flight_ = 0;
    std::uint64_t bytes_ = 0;
    WireForm form_ = WireForm::pusher;
};

}  // namespace spillway::pubsub
