// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The bounded queue of one client and the rule by which it drops: a ring of references to messages, admission by
// priority and occupancy. A pure decision: it knows no socket and no counters; what it lets go it hands to a sink.
//
// Invariants
// - Order is that of arrival. Only whole messages are dropped, never the one partly on the wire, never one in flight.
// - Occupancy is looked at before the message: an empty queue takes any one message.
// - A message takes the place of others (displaced, conflated) only if it enters by that: because they leave the queue under
//   its threshold, or because they are no smaller than it is. So a queue over its threshold never gains by a replacement,
//   and nothing is let go for a message that is then dropped itself. Nothing makes way for a lower priority.
//
// Thread: the client's core. Owns a reference to each message in it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <spillway/errors.h>
#include <spillway/ids.h>
#include <spillway/message.h>

#include "base/assert.h"
#include "pubsub/message.h"

namespace spillway::pubsub {

struct QueueLimits {
    std::uint64_t messages = 1024;
    std::uint64_t bytes = 1 * kMiB;
};

struct QueueEntry {
    Held* held = nullptr;
    LocalChannelId channel;  // none: an answer to this client alone

    /// A message of a channel on its way to this subscriber: it may be dropped, and what becomes of it is counted.
    [[nodiscard]] bool is_delivery() const { return !channel.is_none() && !held->message->notice; }
};

/// Thousandths of messages or bytes (whichever is fuller) from which a message of this priority no longer enters. For a
/// client of high priority each is moved half-way to 1000.
[[nodiscard]] constexpr unsigned threshold_permille(Priority priority, bool high_client) {
    constexpr unsigned permille[kPriorities] = {600, 800, 950, 1000};
    const unsigned p = permille[static_cast<std::size_t>(priority)];
    return high_client ? (p + 1000) / 2 : p;
}

enum class Admission : std::uint8_t {
    queued,
    dropped,  // this message; the caller counts it as queue_threshold
    close,  // an urgent message found it full, or the policy is disconnect and the queue is at the threshold of normal
};

class SendQueue {
public:
    /// Of messages under way to a client that has left their channel.
    static constexpr LocalChannelId kLeft{0xFFFF'FFFF, 0xFFFF'FFFF};

    struct Offer {
        QueueEntry entry;
        WireForm form = WireForm::pusher;
        OverflowPolicy policy = OverflowPolicy::drop_newest;
        bool high_client = false;
        bool may_conflate = false;  // the client is behind; a queue that only gathers within a turn conflates nothing
    };

    /// Would a message of this priority be refused or displace another now?
    [[nodiscard]] bool over_threshold(Priority priority, bool high_client, const QueueLimits& limits) const {
        return is_over(priority, high_client, limits, count_, bytes_);
    }

    /// Takes the offer's reference if it answers `queued`. `let_go(QueueEntry, DropReason)` receives messages that made
    /// room (displaced, conflated), with their references; it leaves this queue alone.
    template <class LetGo>
    Admission push(const Offer& offer, const QueueLimits& limits, LetGo&& let_go) {
        const Priority priority = offer.entry.held->message->priority;
        if (offer.policy == OverflowPolicy::conflate) keep_tags();
        if (offer.may_conflate && offer.policy == OverflowPolicy::conflate) {
            if (const auto older = find_same_event(offer.entry);
                older != kNone && enters_without(older, offer, limits)) {
                let_go(take_out(older, offer.form), DropReason::conflated);
                append(offer.entry, offer.form);
                return Admission::queued;
            }
        }
        if (!over_threshold(priority, offer.high_client, limits)) {
            append(offer.entry, offer.form);
            return Admission::queued;
        }
        if (priority == Priority::urgent) return Admission::close;
        if (offer.policy == OverflowPolicy::disconnect && over_threshold(Priority::normal, offer.high_client, limits))
            return Admission::close;
        if (offer.policy == OverflowPolicy::drop_oldest && displace(offer, limits, let_go)) {
            append(offer.entry, offer.form);
            return Admission::queued;
        }
        return Admission::dropped;
    }

    /// The rest of a message whose first `taken` bytes are on the wire already: goes before everything else. Nothing may
    /// be in flight or partly sent.
    void push_partial(const QueueEntry& entry, WireForm form, std::size_t taken);

    /// Puts an entry before entry `index`, whatever the limits. Nothing may be in flight, `index` not before a partly sent head.
    void insert(std::size_t index, const QueueEntry& entry, WireForm form);

    /// Takes an entry out, with its reference. It may be neither in flight nor partly sent.
    [[nodiscard]] QueueEntry take_out(std::size_t index, WireForm form);

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
            SPILLWAY_ASSERT(count_ != 0);
            const QueueEntry entry = at(0);
            const std::size_t rest = entry.held->message->frame(form).size() - head_taken_;
            if (taken < rest) {
                head_taken_ += taken;
                bytes_ -= taken;
                return;
            }
            taken -= rest;
            pop_front(entry, rest);
            done(entry);
        }
    }

    /// Removes what is queued of a channel, the partly sent message and those in flight excepted; these are no longer that
    /// channel's but kLeft's, so that they are told apart from what comes if the client joins again.
    template <class LetGo>
    void purge(LocalChannelId channel, WireForm form, LetGo&& let_go) {
        std::size_t keep = fixed_prefix();
        for (std::size_t i = 0; i < keep; ++i)
            if (at(i).channel == channel) put(i, {at(i).held, kLeft});
        for (std::size_t i = keep; i < count_; ++i) {
            const QueueEntry entry = at(i);
            if (entry.channel == channel) {
                count_out(entry, entry.held->message->frame(form).size());
                let_go(entry);
            } else {
                move_entry(keep++, i);
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
        droppable_ = {};
    }
    /// Lets everything go but a partly sent head, so that a close frame can follow at a frame boundary.
    template <class LetGo>
    void clear_behind_partial(LetGo&& let_go) {
        const std::size_t keep = fixed_prefix();
        for (std::size_t i = keep; i < count_; ++i) {
            count_out(at(i), at(i).held->message->frame(form_).size());
            let_go(at(i));
        }
        count_ = keep;
    }

    /// Gives memory beyond a small ring back (called when the queue is empty).
    void shrink();
    /// Of the ring itself, not of the messages it refers to.
    [[nodiscard]] std::size_t memory_bytes() const {
        return ring_.capacity() * sizeof(QueueEntry) + tags_.capacity() * sizeof(std::uint32_t);
    }
    void check_invariants(WireForm form) const;

private:
    static constexpr std::size_t kNone = ~std::size_t{0};

    [[nodiscard]] std::size_t mask() const { return ring_.size() - 1; }
    /// Entries that must stay where they are: in flight, or partly on the wire.
    [[nodiscard]] std::size_t fixed_prefix() const {
        return in_flight_ != 0 ? in_flight_ : (head_taken_ != 0 ? std::size_t{1} : std::size_t{0});
    }
    void make_room();
    void keep_tags();
    void put(std::size_t index, const QueueEntry& entry);
    void move_entry(std::size_t to, std::size_t from) {
        ring_[(head_ + to) & mask()] = ring_[(head_ + from) & mask()];
        if (!tags_.empty()) tags_[(head_ + to) & mask()] = tags_[(head_ + from) & mask()];
    }
    void append(const QueueEntry& entry, WireForm form);
    void count_in(const QueueEntry& entry, std::uint64_t bytes) {
        bytes_ += bytes;
        if (entry.is_delivery()) ++droppable_[static_cast<std::size_t>(entry.held->message->priority)];
    }
    void count_out(const QueueEntry& entry, std::uint64_t bytes) {
        bytes_ -= bytes;
        if (entry.is_delivery()) --droppable_[static_cast<std::size_t>(entry.held->message->priority)];
    }
    void pop_front(const QueueEntry& entry, std::uint64_t bytes);
    [[nodiscard]] std::size_t find_same_event(const QueueEntry& entry) const;
    [[nodiscard]] static bool is_over(Priority priority, bool high_client, const QueueLimits& limits, std::size_t count,
                                      std::uint64_t bytes);
    /// Would the offer enter a queue of so many messages and bytes after `freed` bytes were let go for it?
    [[nodiscard]] static bool enters(const Offer& offer, const QueueLimits& limits, std::size_t count,
                                     std::uint64_t bytes, std::uint64_t freed);
    [[nodiscard]] bool enters_without(std::size_t index, const Offer& offer, const QueueLimits& limits) const;
    /// Would the offer enter if everything went that may go for it?
    [[nodiscard]] bool enters_without_all(const Offer& offer, const QueueLimits& limits) const;
    [[nodiscard]] std::size_t find_oldest_of_lowest(Priority at_most) const;

    /// Lets the oldest of the lowest priority go, one after the other, until the offer enters; if it never would, none.
    template <class LetGo>
    [[nodiscard]] bool displace(const Offer& offer, const QueueLimits& limits, LetGo&& let_go) {
        const std::size_t oldest = find_oldest_of_lowest(offer.entry.held->message->priority);
        if (oldest == kNone) return false;
        if (enters_without(oldest, offer, limits)) {
            let_go(take_out(oldest, offer.form), DropReason::displaced);
            return true;
        }
        if (!enters_without_all(offer, limits)) return false;
        displace_many(offer, limits, let_go);
        return true;
    }
    template <class LetGo>
    void displace_many(const Offer& offer, const QueueLimits& limits, LetGo&& let_go) {
        std::uint64_t freed = 0;
        const auto highest = static_cast<std::size_t>(offer.entry.held->message->priority);
        for (std::size_t p = 0; p <= highest && !enters(offer, limits, count_, bytes_, freed); ++p) {
            const std::size_t end = count_;
            std::size_t keep = fixed_prefix();
            for (std::size_t i = keep; i < end; ++i) {
                const QueueEntry entry = at(i);
                const bool goes = entry.is_delivery() && entry.held->message->priority == static_cast<Priority>(p) &&
                                  !enters(offer, limits, count_, bytes_, freed);
                if (!goes) {
                    move_entry(keep++, i);
                    continue;
                }
                const std::uint64_t bytes = entry.held->message->frame(offer.form).size();
                --count_;
                count_out(entry, bytes);
                freed += bytes;
                let_go(entry, DropReason::displaced);
            }
        }
    }

    std::vector<QueueEntry> ring_;
    /// Of conflating queues only: beside each entry some bits of its channel and event, so that looking for a pair is a walk
    /// over consecutive words and not over messages all over memory.
    std::vector<std::uint32_t> tags_;
    std::size_t head_ = 0;
    std::size_t count_ = 0;
    std::size_t head_taken_ = 0;
    std::size_t in_flight_ = 0;
    std::uint64_t bytes_ = 0;
    std::array<std::uint32_t, kPriorities> droppable_{};  // entries of channels, by priority
    WireForm form_ = WireForm::pusher;
};

}  // namespace spillway::pubsub
