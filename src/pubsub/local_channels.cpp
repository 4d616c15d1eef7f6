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

/// Who gets on while others ride makes everything be joined anew and a boundary more: at most eight times a lap, and never for
/// less than a batch of sends.
constexpr std::uint32_t kBoardingsPerLap = 8;

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
        slots_.emplace_back();
        next_generation_.push_back(1);
    }
    slots_[slot] = std::make_unique<LocalChannel>();
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
    LocalChannel* channel = slots_[id.slot].get();
    return channel != nullptr && channel->generation == id.generation ? channel : nullptr;
}

std::uint32_t LocalChannels::add(LocalChannel& channel, std::uint32_t slot, std::uint32_t back,
                                 std::uint64_t first_seq) {
    channel.subscribers.push_back({slot, back, first_seq});
    ++channel.live;
    return static_cast<std::uint32_t>(channel.subscribers.size() - 1);
}

std::uint64_t LocalChannels::had_until(const PassState& pass, std::uint32_t index) {
    const auto wrapped = std::span(pass.starts).first(pass.wrapped);
    const auto had = std::ranges::upper_bound(wrapped, index) - wrapped.begin();
    return had == 0 ? 0 : pass.messages[static_cast<std::size_t>(had - 1)]->message->seq + 1;
}

void LocalChannels::take_gathered(LocalChannel& channel, std::size_t count) {
    const auto first = channel.gathered.begin();
    channel.gathered.erase(first, first + static_cast<std::ptrdiff_t>(count));
}

void LocalChannels::board_gathered(LocalChannel& channel, std::size_t bytes_max) {
    PassState& pass = channel.pass;
    std::size_t count = 0;
    for (Held* held : channel.gathered) {
        if (pass.active() && pass.bytes + size_of(held) > bytes_max) break;
        pass.messages.push_back(held);
        pass.starts.push_back(pass.cursor);
        pass.bytes += size_of(held);
        channel.gathered_bytes -= held->message->bytes;
        ++count;
    }
    if (count == 0) return;
    take_gathered(channel, count);
    pass.until_boarding = std::max(static_cast<std::uint32_t>(channel.subscribers.size()) / kBoardingsPerLap, step_);
    changed(pass);
}

std::size_t LocalChannels::getting_off(LocalChannel& channel) {
    PassState& pass = channel.pass;
    if (pass.over) return pass.messages.size();
    if (pass.cursor == channel.subscribers.size()) {
        // Whoever got on at an index that is no more has been everywhere, too.
        const std::size_t off = pass.wrapped;
        pass.wrapped = static_cast<std::uint32_t>(pass.messages.size());
        pass.cursor = 0;
        const auto rest = std::span(pass.starts).subspan(off);
        return off + static_cast<std::size_t>(std::ranges::upper_bound(rest, 0U) - rest.begin());
    }
    const auto wrapped = std::span(pass.starts).first(pass.wrapped);
    return static_cast<std::size_t>(std::ranges::upper_bound(wrapped, pass.cursor) - wrapped.begin());
}

void LocalChannels::take_off(LocalChannel& channel, std::size_t count) {
    PassState& pass = channel.pass;
    if (count == 0) return;
    const auto n = static_cast<std::ptrdiff_t>(count);
    pass.messages.erase(pass.messages.begin(), pass.messages.begin() + n);
    pass.starts.erase(pass.starts.begin(), pass.starts.begin() + n);
    pass.wrapped -= std::min(pass.wrapped, static_cast<std::uint32_t>(count));
    pass.over = false;
    changed(pass);
}

void LocalChannels::changed(PassState& pass) {
    pass.excludes = std::ranges::any_of(
        pass.messages, [](const Held* h) { return h->message->exclude != 0 || h->message->pusher_only; });
    for (auto& bytes : pass.joined) keep_buffer(bytes);
}

std::span<const std::byte> LocalChannels::pass_bytes(LocalChannel& channel, WireForm form) {
    PassState& pass = channel.pass;
    if (pass.messages.size() == 1) return pass.messages.front()->message->frame(form);
    auto& joined = pass.joined[static_cast<std::size_t>(form)];
    if (joined.empty()) {
        if (!buffers_.empty()) {
            joined.swap(buffers_.back());
            buffers_.pop_back();
            unneeded_.left(buffers_.size());
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

void LocalChannels::trim_unneeded() { buffers_.resize(buffers_.size() - unneeded_.take(buffers_.size())); }

bool LocalChannels::close_if_unused(LocalChannel& channel) {
    if (channel.live != 0 || channel.joins_pending != 0 || channel.pass.active() ||
        channel.queued != LocalChannel::Queued::no)
        return false;
    SPILLWAY_ASSERT(channel.gathered.empty() && channel.subscribers.empty() && channel.at_home == 0);
    const std::uint32_t slot = channel.slot;
    by_key_.erase(channel.key);
    slots_[slot].reset();
    free_.push_back(slot);
    return true;
}

void LocalChannels::check_invariants() const {
    SPILLWAY_ASSERT(by_key_.size() + free_.size() == slots_.size());
    for (const auto& channel : slots_) {
        if (channel == nullptr) continue;
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
        check_pass(*channel);
    }
}

void LocalChannels::check_pass(const LocalChannel& channel) {
    const PassState& pass = channel.pass;
    SPILLWAY_ASSERT(pass.messages.size() == pass.starts.size());
    SPILLWAY_ASSERT(pass.wrapped <= pass.messages.size());
    SPILLWAY_ASSERT(pass.active() || (pass.cursor == 0 && pass.bytes == 0 && !pass.over));
    if (!pass.active() || pass.over) return;  // what is for nobody may be of two lives
    SPILLWAY_ASSERT(pass.cursor <= channel.subscribers.size());
    check_order(pass.messages, 0);
    SPILLWAY_ASSERT(std::ranges::is_sorted(std::span(pass.starts).first(pass.wrapped)));
    SPILLWAY_ASSERT(std::ranges::is_sorted(std::span(pass.starts).subspan(pass.wrapped)));
    for (std::size_t i = pass.wrapped; i < pass.starts.size(); ++i) SPILLWAY_ASSERT(pass.starts[i] <= pass.cursor);
    if (channel.gathered.size() != channel.orphaned)
        SPILLWAY_ASSERT(channel.gathered[channel.orphaned]->message->seq > pass.messages.back()->message->seq);
}

}  // namespace spillway::pubsub
