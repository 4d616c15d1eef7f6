// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/client.h"

#include <algorithm>

#include "base/assert.h"
#include "base/format.h"

namespace spillway::server {

std::uint32_t SubscriptionList::find(LocalChannelId channel) const {
    if (index_) {
        const auto it = index_->by_channel.find(channel.slot);
        if (it == index_->by_channel.end()) return kNone;
        return items_[it->second].channel == channel ? it->second : kNone;
    }
    for (std::uint32_t i = 0; i < size_; ++i)
        if (items_[i].channel == channel) return i;
    return kNone;
}

std::uint32_t SubscriptionList::add(const Subscription& s) {
    if (size_ == capacity_) {
        const std::uint32_t larger = capacity_ == 0 ? 1 : capacity_ * 2;
        auto items = std::make_unique<Subscription[]>(larger);
        std::copy_n(items_.get(), size_, items.get());
        items_ = std::move(items);
        capacity_ = larger;
    }
    items_[size_] = s;
    if (index_) index_->by_channel[s.channel.slot] = size_;
    ++size_;
    if (size_ == kIndexFrom) build_index();
    return size_ - 1;
}

bool SubscriptionList::remove(std::uint32_t i) {
    SPILLWAY_ASSERT(i < size_);
    if (index_) index_->by_channel.erase(items_[i].channel.slot);
    --size_;
    const bool moved = i != size_;
    if (moved) {
        items_[i] = items_[size_];
        if (index_) index_->by_channel[items_[i].channel.slot] = i;
    }
    if (size_ == 0) {
        items_.reset();
        index_.reset();
        capacity_ = 0;
    }
    return moved;
}

void SubscriptionList::build_index() {
    index_ = std::make_unique<Index>();
    for (std::uint32_t i = 0; i < size_; ++i) index_->by_channel[items_[i].channel.slot] = i;
}

std::string log_name(const Client& client) {
    const ClientId id = ClientId::unpack(client.id);
    return base::concat("client ", id.core, '.', id.slot, '.', id.generation, " (", to_string(client.kind), ')');
}

}  // namespace spillway::server
