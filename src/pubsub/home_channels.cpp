// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/home_channels.h"

#include <algorithm>

#include "base/assert.h"
#include "pubsub/channel_name.h"

namespace spillway::pubsub {

std::uint32_t HomeChannel::subscribers() const {
    std::uint32_t sum = 0;
    for (const Share& share : shares) sum += share.total();
    return sum;
}

bool HomeChannel::has(WireForm form) const {
    return std::ranges::any_of(shares, [form](const Share& s) { return s.count[static_cast<std::size_t>(form)] != 0; });
}

HomeChannel& HomeChannels::open(CoreId core, LocalChannelId local, const ChannelKey* name) {
    auto& by_slot = by_local_[core];
    if (local.slot >= by_slot.size()) by_slot.resize(local.slot + 1, nullptr);
    if (name != nullptr) {
        SPILLWAY_ASSERT(by_slot[local.slot] == nullptr);
        auto it = by_key_.find(*name);
        if (it == by_key_.end()) {
            auto fresh = std::make_unique<HomeChannel>();
            fresh->name.assign(name->name);
            fresh->key = {name->hash, name->app, fresh->name};
            fresh->hidden = is_hidden_channel(name->name);
            hidden_ += fresh->hidden ? 1 : 0;
            fresh->kind = kind_of(fresh->name);
            const ChannelKey key = fresh->key;
            it = by_key_.emplace(key, std::move(fresh)).first;
            list(*it->second);
        }
        by_slot[local.slot] = it->second.get();
    }
    SPILLWAY_ASSERT(by_slot[local.slot] != nullptr);
    return *by_slot[local.slot];
}

std::uint64_t HomeChannels::join(HomeChannel& channel, CoreId core, LocalChannelId local, WireForm form) {
    auto share = std::ranges::find(channel.shares, core, &Share::core);
    if (share == channel.shares.end()) share = channel.shares.insert(share, {core, local, {}});
    SPILLWAY_ASSERT(share->local == local);
    ++share->count[static_cast<std::size_t>(form)];
    return channel.seq + 1;
}

HomeChannel* HomeChannels::leave(CoreId core, LocalChannelId local, WireForm form) {
    HomeChannel& channel = of(core, local);
    const auto share = std::ranges::find(channel.shares, core, &Share::core);
    SPILLWAY_ASSERT(share != channel.shares.end() && share->local == local);
    auto& count = share->count[static_cast<std::size_t>(form)];
    SPILLWAY_ASSERT(count != 0);
    --count;
    if (share->total() != 0) return &channel;
    by_local_[core][local.slot] = nullptr;
    channel.shares.erase(share);
    if (!channel.shares.empty()) return &channel;
    unlist(channel);
    hidden_ -= channel.hidden ? 1 : 0;
    by_key_.erase(by_key_.find(channel.key));
    return nullptr;
}

HomeChannel& HomeChannels::of(CoreId core, LocalChannelId local) {
    SPILLWAY_ASSERT(local.slot < by_local_[core].size());
    HomeChannel* channel = by_local_[core][local.slot];
    SPILLWAY_ASSERT(channel != nullptr);
    return *channel;
}

void HomeChannels::list(HomeChannel& channel) {
    channel.place = static_cast<std::uint32_t>(all_.size());
    all_.push_back(&channel);
}

void HomeChannels::unlist(const HomeChannel& channel) {
    const auto move = [this](std::size_t from, std::size_t to) {
        if (from == to) return;
        all_[to] = all_[from];
        all_[to]->place = static_cast<std::uint32_t>(to);
    };
    std::size_t hole = channel.place;
    if (hole < unscanned_) {  // the hole moves behind those that a scan has still to meet
        move(--unscanned_, hole);
        hole = unscanned_;
    }
    move(all_.size() - 1, hole);
    all_.pop_back();
}

HomeChannel* HomeChannels::find(const ChannelKey& key) {
    const auto it = by_key_.find(key);
    return it == by_key_.end() ? nullptr : it->second.get();
}

const HomeChannel* HomeChannels::find(const ChannelKey& key) const {
    const auto it = by_key_.find(key);
    return it == by_key_.end() ? nullptr : it->second.get();
}

void HomeChannels::check_invariants() const {
    std::size_t hidden = 0;
    SPILLWAY_ASSERT(all_.size() == by_key_.size() && unscanned_ <= all_.size());
    for (std::size_t i = 0; i < all_.size(); ++i) SPILLWAY_ASSERT(all_[i]->place == i);
    for (const auto& [key, channel] : by_key_) {
        hidden += channel->hidden ? 1 : 0;
        SPILLWAY_ASSERT(!channel->shares.empty());
        for (const Share& share : channel->shares) {
            SPILLWAY_ASSERT(share.total() != 0);
            SPILLWAY_ASSERT(by_local_[share.core][share.local.slot] == channel.get());
        }
        if (channel->state == nullptr || channel->state->roster == nullptr) continue;
        channel->state->roster->check_invariants();
        SPILLWAY_ASSERT(channel->state->roster->connections() <= channel->subscribers());
    }
    SPILLWAY_ASSERT(hidden == hidden_);
}

}  // namespace spillway::pubsub
