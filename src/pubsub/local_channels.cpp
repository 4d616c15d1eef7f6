// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/local_channels.h"

#include <algorithm>

#include "base/assert.h"
#include "pubsub/channel_name.h"

namespace spillway::pubsub {
namespace {

/// 2 MiB at most; more channels than this are rarely in the midst of a pass.
constexpr std::size_t kBuffersKept = 16;

/// How many messages, at least one, have no more than `bytes_max` together in their larger forms.
std::size_t count_within(const std::vector<Held*>& messages, std::size_t bytes_max) {
    std::size_t bytes = 0;
    std::size_t count = 0;
    for (const Held* held : messages) {
        bytes += std::ranges::max(held->message->frame_bytes);
        if (count != 0 && bytes > bytes_max) break;
        ++count;
    }
    return count;
}

void check_order(std::span<Held* const> messages, std::uint64_t last) {
    for (const Held* held : messages) {
        SPILLWAY_ASSERT(held->message->seq > last);
        last = held->message->seq;
    }
}

}  // namespace

LocalChannels::Opened LocalChannels::open(const ChannelKey& key) {
    if (const auto it = by_key_.find(key); it != by_key_.end()) return {id_of(*slots_[it->second]), false};

    std::uint32_t slot = 0;
    if (!free_.empty()) {
        slot = free_.back();
        free_.pop_back();
    } else {
        slot = static_cast<std::uint32_t>(slots_.size());
        slots_.push_back(std::make_unique<LocalChannel>());
        next_generation_.push_back(1);
    }
    LocalChannel& channel = *slots_[slot];
    channel.slot = slot;
    channel.generation = next_generation_[slot]++;
    if (next_generation_[slot] == 0) next_generation_[slot] = 1;
    channel.name.assign(key.name);
    channel.key = {key.hash, key.app, channel.name};
    channel.home = home_core(key, cores_);
    channel.hidden = is_hidden_channel(key.name);
    by_key_.emplace(channel.key, slot);
    return {id_of(channel), true};
}

LocalChannelId LocalChannels::find(const ChannelKey& key) const {
    const auto it = by_key_.find(key);
    return it == by_key_.end() ? LocalChannelId{} : id_of(*slots_[it->second]);
}

LocalChannel* LocalChannels::get(LocalChannelId id) {
    if (id.is_none() || id.slot >= slots_.size()) return nullptr;
    LocalChannel& channel = *slots_[id.slot];
    return channel.generation == id.generation ? &channel : nullptr;
}

std::uint32_t LocalChannels::add(LocalChannel& channel, std::uint32_t slot, std::uint32_t back,
                                 std::uint64_t first_seq) {
    channel.subscribers.push_back({slot, back, first_seq});
    ++channel.live;
    return static_cast<std::uint32_t>(channel.subscribers.size() - 1);
}

void LocalChannels::begin_pass(LocalChannel& channel, std::size_t bytes_max) {
    SPILLWAY_ASSERT(!channel.pass.active() && !channel.gathered.empty());
    const bool for_nobody = channel.orphaned != 0;
    const std::size_t count = for_nobody ? channel.orphaned : count_within(channel.gathered, bytes_max);
    channel.orphaned = 0;
    const auto first = channel.gathered.begin();
    channel.pass.messages.assign(first, first + static_cast<std::ptrdiff_t>(count));
    channel.gathered.erase(first, first + static_cast<std::ptrdiff_t>(count));
    for (const Held* held : channel.pass.messages) channel.gathered_bytes -= held->message->bytes;
    channel.pass.cursor = 0;
    channel.pass.excludes = std::ranges::any_of(
        channel.pass.messages, [](const Held* h) { return h->message->exclude != 0 || h->message->pusher_only; });
    channel.pass.end = for_nobody ? 0 : static_cast<std::uint32_t>(channel.subscribers.size());
}

std::span<const std::byte> LocalChannels::pass_bytes(LocalChannel& channel, WireForm form) {
    PassState& pass = channel.pass;
    if (pass.messages.size() == 1) return pass.messages.front()->message->frame(form);
    auto& joined = pass.joined[static_cast<std::size_t>(form)];
    if (joined.empty()) {
        if (!buffers_.empty()) {
            joined.swap(buffers_.back());
            buffers_.pop_back();
        }
        for (const Held* held : pass.messages) {
            const auto frame = held->message->frame(form);
            joined.insert(joined.end(), frame.begin(), frame.end());
        }
    }
    return joined;
}

void LocalChannels::keep_buffer(std::vector<std::byte>& buffer) {
    if (buffer.capacity() == 0) return;
    buffer.clear();
    if (buffers_.size() < kBuffersKept && buffer.capacity() <= 2 * kJoinBytesMax) buffers_.push_back(std::move(buffer));
    std::vector<std::byte>().swap(buffer);
}

bool LocalChannels::close_if_unused(LocalChannel& channel) {
    if (channel.live != 0 || channel.joins_pending != 0 || channel.pass.active() ||
        channel.queued != LocalChannel::Queued::no)
        return false;
    SPILLWAY_ASSERT(channel.gathered.empty() && channel.subscribers.empty() && channel.at_home == 0);
    by_key_.erase(channel.key);
    channel.generation = 0;
    channel.name.clear();
    std::vector<Subscriber>().swap(channel.subscribers);
    std::vector<Held*>().swap(channel.gathered);
    std::vector<Held*>().swap(channel.pass.messages);
    free_.push_back(channel.slot);
    return true;
}

void LocalChannels::check_invariants() const {
    SPILLWAY_ASSERT(by_key_.size() + free_.size() == slots_.size());
    for (const auto& channel : slots_) {
        if (channel->generation == 0) continue;
        std::uint32_t live = 0;
        for (const auto& s : channel->subscribers) live += s.is_gone() ? 0 : 1;
        SPILLWAY_ASSERT(live == channel->live);
        if (!channel->pass.active()) SPILLWAY_ASSERT(live == channel->subscribers.size());
        SPILLWAY_ASSERT(channel->orphaned <= channel->gathered.size());
        std::uint64_t bytes = 0;
        for (const Held* held : channel->gathered) bytes += held->message->bytes;
        SPILLWAY_ASSERT(bytes == channel->gathered_bytes);
        if (live == 0) SPILLWAY_ASSERT(channel->orphaned == channel->gathered.size());
        check_order(std::span(channel->gathered).subspan(channel->orphaned), 0);
        const PassState& pass = channel->pass;
        if (!pass.active() || pass.end == 0) continue;  // a pass of what is orphaned may hold two lives
        SPILLWAY_ASSERT(pass.cursor <= pass.end);
        check_order(pass.messages, 0);
        const auto served = std::span(channel->subscribers).first(pass.end);
        if (std::ranges::all_of(served, &Subscriber::is_gone) || channel->gathered.size() == channel->orphaned)
            continue;
        SPILLWAY_ASSERT(channel->gathered[channel->orphaned]->message->seq > pass.messages.back()->message->seq);
    }
}

}  // namespace spillway::pubsub
