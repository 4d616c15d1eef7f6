// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages for tests: a pool with the holds of one core, and messages whose bytes tell which one they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <spillway/errors.h>
#include <spillway/message.h>

#include "pubsub/block_pool.h"
#include "pubsub/message.h"

namespace spillway::test {

struct MessageSpec {
    std::uint64_t seq = 1;
    std::size_t bytes = 10;      // of the pusher frame
    std::size_t feed_bytes = 0;  // of the feed frame; 0 = not in use
    Priority priority = Priority::normal;
    std::uint64_t event = 1;
    std::uint64_t exclude = 0;
};

/// The one core under test. Everything taken from it must be gone when it is asked nothing_left().
class Messages {
public:
    pubsub::BlockPool pool{0, 2};
    pubsub::Holds holds{pool};

    /// A hold with one reference, the caller's. Frames are filled with a pattern by seq and place.
    [[nodiscard]] pubsub::Held* make(const MessageSpec& spec) {
        auto* message = pool.make<pubsub::Message>(spec.bytes + spec.feed_bytes);
        message->seq = spec.seq;
        message->priority = spec.priority;
        message->event_hash = spec.event;
        message->exclude = spec.exclude;
        message->frame_bytes[0] = static_cast<std::uint32_t>(spec.bytes);
        message->frame_at[1] = static_cast<std::uint32_t>(spec.bytes);
        message->frame_bytes[1] = static_cast<std::uint32_t>(spec.feed_bytes);
        for (std::size_t i = 0; i < spec.bytes + spec.feed_bytes; ++i)
            message->storage()[i] = static_cast<std::byte>(spec.seq * 31 + i * 7 + 1);
        return holds.take(message);
    }
    /// The same with a text as its pusher frame.
    [[nodiscard]] pubsub::Held* make(std::string_view frame, Priority priority = Priority::normal) {
        pubsub::Held* held = make({.bytes = frame.size(), .priority = priority});
        std::memcpy(held->message->storage(), frame.data(), frame.size());
        return held;
    }
    void release(pubsub::Held* held) { holds.release(held); }

    [[nodiscard]] bool nothing_left() const { return holds.in_use() == 0 && pool.blocks_live() == 0; }
};

}  // namespace spillway::test
