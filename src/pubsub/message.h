// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A Message is one sequenced publication with its frames, immutable once made, shared by every core and client. A Held is
// one core's hold on it: a plain count of that core's queues and passes, so that an atomic is touched once per core and
// not once per client.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include <spillway/channel_kind.h>
#include <spillway/errors.h>
#include <spillway/message.h>

#include "base/clock.h"
#include "pubsub/block_pool.h"

namespace spillway::pubsub {

struct Message : Block {
    std::uint64_t seq = 0;            // per channel, from 1; 0 = not of a channel (an answer to one client)
    std::uint64_t exclude = 0;        // packed ClientId that must not get it; 0 = nobody
    std::uint64_t exclude_nonce = 0;  // the random half of its socket id: ids of an earlier run name strangers
    std::uint64_t event_hash = 0;     // names the event for conflation; 0 = it is never conflated
    base::Instant sequenced_at{};
    Priority priority = Priority::normal;
    bool pusher_only = false;  // an event of the protocol: feeds on its channel do not get it
    ChannelKind kind = ChannelKind::public_channel;
    bool notice = false;  // tells one client of a gap before seq + 1 of a channel; no delivery itself
    std::uint32_t frame_at[kWireForms] = {};     // offset behind the Message
    std::uint32_t frame_bytes[kWireForms] = {};  // 0 = this form was not in use when it was sequenced

    [[nodiscard]] bool excludes(std::uint64_t client, std::uint64_t nonce) const {
        return exclude != 0 && exclude == client && exclude_nonce == nonce;
    }
    [[nodiscard]] bool is_for(WireForm form) const { return !pusher_only || form == WireForm::pusher; }
    [[nodiscard]] std::byte* storage() { return reinterpret_cast<std::byte*>(this + 1); }
    [[nodiscard]] std::span<const std::byte> frame(WireForm form) const {
        const auto f = static_cast<std::size_t>(form);
        return {reinterpret_cast<const std::byte*>(this + 1) + frame_at[f], frame_bytes[f]};
    }
};

struct Held {
    // These two stay as they are in the free list: the link, and 0.
    Held* next_free = nullptr;
    std::uint32_t refs = 0;
    Message* message = nullptr;
};

/// The holds of one core. Thread: that core.
class Holds {
public:
    explicit Holds(BlockPool& blocks) : blocks_(blocks) {}
    Holds(const Holds&) = delete;
    Holds& operator=(const Holds&) = delete;

    /// Takes over one count of `message` that belongs to this core; the hold starts with one reference.
    [[nodiscard]] Held* take(Message* message);
    static void retain(Held* held) { ++held->refs; }
    void release(Held* held);

    [[nodiscard]] std::size_t in_use() const { return in_use_; }

private:
    BlockPool& blocks_;
    std::vector<std::unique_ptr<Held[]>> chunks_;
    Held* free_ = nullptr;
    std::size_t in_use_ = 0;
};

}  // namespace spillway::pubsub
