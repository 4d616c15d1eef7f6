// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What waits for one webhook, in lanes: one per channel, each with at most one POST under way or waiting to be tried
// again, so that no event overtakes an earlier one of its channel while other channels go on.
//
// Bounded by events and bytes; what does not fit is dropped and counted. An event lives for Timing::lifetime, tried or not.
//
// Pure: time and random numbers are arguments. Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "webhooks/notice.h"
#include "webhooks/tally.h"
#include "webhooks/timing.h"

namespace spillway::webhooks {

/// An event that may wait for several webhooks.
using SharedNotice = std::shared_ptr<const Notice>;

class Delivery {
public:
    struct Limits {
        std::size_t events_max = 10'000;
        std::size_t bytes_max = kQueueBytesMax;
        bool batch = false;  // false: one event per POST
        std::size_t batch_events_max = kBatchEventsMax;
        std::size_t batch_bytes_max = kBatchBytesMax;
        std::size_t posts_max = kPostsPerWebhook;
    };

private:
    struct Item {
        SharedNotice notice;
        base::Instant entered;
        std::uint64_t place = 0;  // in the order of all events of this webhook
    };
    struct Lane {
        std::deque<Item> waiting;
        base::Instant ready;
        bool held = false;    // a POST has events of this lane
        bool listed = false;  // in ready_
    };
    using Lanes = std::unordered_map<std::string, Lane>;

public:
    /// Events that go, and come back, together. Made by next(), given back to delivered() or failed().
    class Post {
    public:
        [[nodiscard]] std::size_t events() const { return items_.size(); }
        /// The body; encoded anew if there is none yet or its time_ms is too old.
        [[nodiscard]] const std::string& body(const Timing& timing, base::Instant now, std::int64_t unix_ms);

    private:
        friend class Delivery;
        std::vector<Item> items_;  // in order
        std::vector<Lanes::value_type*> lanes_;
        std::uint32_t failures_ = 0;
        std::string body_;
        base::Instant stamped_;
    };

    Delivery(const Timing& timing, const Limits& limits, Tally& tally)
        : timing_(timing), limits_(limits), tally_(tally) {}
    ~Delivery() = default;
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;

    /// Queues the event, or merges it into one that says the same, or drops it; counts the latter two.
    void push(const SharedNotice& notice, base::Instant now);

    /// What can be sent now, or none.
    [[nodiscard]] std::unique_ptr<Post> next(base::Instant now);
    void delivered(std::unique_ptr<Post> post, base::Instant now);
    /// It waits for its next try, without those whose time is over.
    void failed(std::unique_ptr<Post> post, base::Instant now, std::uint64_t random);

    /// Nothing gathers any more, and what failed is tried again at once, once.
    void hurry(base::Instant now);
    /// Everything that waits or is under way counts as unsent. The end of this object.
    void abandon();
    /// When next() has something to give, as far as only time is missing.
    [[nodiscard]] std::optional<base::Instant> due() const;
    /// Events waiting, under way included.
    [[nodiscard]] std::size_t events() const { return events_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] bool failing() const { return failing_; }

    void check_invariants() const;

private:
    [[nodiscard]] std::unique_ptr<Post> make_post(base::Instant now);
    bool fill_from(Lanes::value_type& entry, Post& post, std::size_t& bytes, base::Instant now);
    void forget(const Item& item, Fate fate);
    void list(Lanes::value_type& entry, base::Instant now);
    void unlist_front();
    void release_lanes(Post& post, base::Instant now);
    [[nodiscard]] std::optional<base::Instant> ready_due() const;
    [[nodiscard]] bool slot_free() const { return under_way_ < (failing_ ? 1 : limits_.posts_max); }

    const Timing& timing_;
    const Limits limits_;
    Tally& tally_;
    Lanes lanes_;
    std::deque<Lanes::value_type*> ready_;  // lanes with something to send and nothing under way
    std::size_t ready_events_ = 0;          // in them
    std::map<std::pair<base::Instant, std::uint64_t>, std::unique_ptr<Post>> retries_;  // by their time
    std::uint64_t places_ = 0;
    std::size_t events_ = 0;
    std::size_t bytes_ = 0;
    std::size_t under_way_ = 0;
    bool failing_ = false;  // the last answer was none that we want: one at a time until it is
    bool hurried_ = false;
};

}  // namespace spillway::webhooks
