// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/subscription_counts.h"

#include "base/assert.h"
#include "server/core.h"

namespace spillway::server {

base::Instant SubscriptionCounts::now() const { return core_.now; }

void SubscriptionCounts::changed(pubsub::HomeChannel& channel) {
    pubsub::ChannelState& state = *channel.state;
    const base::Instant due = state.pace.due(channel.subscribers(), now());
    if (state.count_changed && state.count_due <= due) return;
    forget(channel);
    state.count_changed = true;
    state.count_due = due;
    state.count_turn = ++turn_;
    due_.emplace(Due{due, state.count_turn}, &channel);
}

void SubscriptionCounts::forget(pubsub::HomeChannel& channel) {
    pubsub::ChannelState& state = *channel.state;
    if (!state.count_changed) return;
    state.count_changed = false;
    SPILLWAY_ASSERT(due_.erase({state.count_due, state.count_turn}) == 1);
}

void SubscriptionCounts::tell() {
    for (auto next = due_.begin(); next != due_.end() && next->first.first <= now();) {
        pubsub::HomeChannel& channel = *(next++)->second;
        if (!core_.home.has_room(channel)) continue;
        forget(channel);
        channel.state->pace.told(now());
        core_.home.tell_count(channel);
    }
}

}  // namespace spillway::server
