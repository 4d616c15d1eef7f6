// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Tells subscribers how many they are, where the app wants it: after each change while they are few, else at most every five
// seconds (pubsub/count_pace.h). Changes of one turn are told together, and changes that come while a subscribed core's ring
// is full are told together later: who is told, is told the number of that moment.
//
// Invariant: a channel is in due_ exactly while its count_changed is set, under its count_due and count_turn.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "pubsub/home_channels.h"

namespace spillway::server {

class Core;

class SubscriptionCounts {
public:
    explicit SubscriptionCounts(Core& core) : core_(core) {}

    /// A subscriber came or went.
    void changed(pubsub::HomeChannel& channel);
    /// The channel is about to end.
    void forget(pubsub::HomeChannel& channel);
    /// Tells what is due and has room. Once per turn.
    void tell();

    [[nodiscard]] bool due() const { return !due_.empty() && due_.begin()->first.first <= now(); }
    [[nodiscard]] std::optional<base::Instant> next_due() const {
        return due_.empty() ? std::nullopt : std::optional(due_.begin()->first.first);
    }
    [[nodiscard]] std::size_t size() const { return due_.size(); }

private:
    using Due = std::pair<base::Instant, std::uint64_t>;
    [[nodiscard]] base::Instant now() const;

    Core& core_;
    std::map<Due, pubsub::HomeChannel*> due_;
    std::uint64_t turn_ = 0;
};

}  // namespace spillway::server
