// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One core's channels: by name, and for each a dense list of the core's own subscribers that stays correct while a
// fan-out pass walks it.
//
// Invariants
// - A subscriber entry is {slot, back, first_seq}: `back` is its place in the client's own list, so that leaving is O(1)
//   from either side. What was gathered before the join's answer (seq < first_seq) is not for it.
// - A pass fixes its end when it starts. During a pass joins append behind the end, leaves leave a tombstone, and nothing
//   moves; compaction runs when the pass ends. Outside a pass a leave moves the last entry into the gap.
// - When the last subscriber leaves, what was gathered is for nobody: it may end the channel at its home as well, whose next
//   life counts from 1 again, so sequence numbers could not keep it from a subscriber who comes before it is let go.
// - A channel lives while it has subscribers, joins under way, or work. Its id names this life only: what still arrives
//   for an earlier life is recognised as stale.
//
// Thread: one core. Knows no clients, only slots.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <spillway/ids.h>
#include <spillway/limits.h>
#include <spillway/message.h>

#include "pubsub/channel_key.h"
#include "pubsub/message.h"

namespace spillway::pubsub {

struct Subscriber {
    static constexpr std::uint32_t kGone = 0xFFFF'FFFF;

    std::uint32_t slot = kGone;
    std::uint32_t back = 0;
    std::uint64_t first_seq = 0;

    [[nodiscard]] bool is_gone() const { return slot == kGone; }
};
static_assert(sizeof(Subscriber) == 16);

/// What a fan-out pass is sending and how far it has come. `messages` empty: no pass.
struct PassState {
    std::vector<Held*> messages;
    std::uint32_t cursor = 0;
    std::uint32_t end = 0;
    bool excludes = false;  // some message is not for everybody
    /// All messages one behind the other, per wire form; made when the first subscriber of that form is met, and only if
    /// there are several messages. Lives for one pass.
    std::array<std::vector<std::byte>, kWireForms> joined;
    [[nodiscard]] bool active() const { return !messages.empty(); }
};

struct LocalChannel {
    std::string name;
    ChannelKey key;
    CoreId home = 0;
    bool hidden = false;  // a channel of ours: in no figure and no limit
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;     // 0 while the slot is free
    std::uint32_t live = 0;           // subscribers that are not gone
    std::uint32_t joins_pending = 0;  // joins sent whose answer has not come, given up ones included
    std::uint32_t at_home =
        0;  // joins less leaves sent: what the home will count; the first join of a run carries the name
    enum class Queued : std::uint8_t { no, normal, urgent };
    Queued queued = Queued::no;  // a fan-out job for it is in that queue, or under way
    std::vector<Subscriber> subscribers;
    std::vector<Held*> gathered;       // for the next pass, in order of seq
    std::uint64_t gathered_bytes = 0;  // of their blocks
    bool behind = false;               // more is gathered than some passes will take
    std::uint32_t orphaned = 0;        // the first so many of `gathered` are for nobody any more
    PassState pass;
};

class LocalChannels {
public:
    explicit LocalChannels(std::size_t cores) : cores_(cores) {}

    struct Opened {
        LocalChannelId id;
        bool is_new = false;
    };
    /// Finds the channel or opens it (a new life, which the home core must be told by name).
    [[nodiscard]] Opened open(const ChannelKey& key);
    /// The id of an open channel, or none.
    [[nodiscard]] LocalChannelId find(const ChannelKey& key) const;
    /// nullptr when the id's life is over. Valid until that channel closes.
    [[nodiscard]] LocalChannel* get(LocalChannelId id);
    [[nodiscard]] static LocalChannelId id_of(const LocalChannel& channel) {
        return {channel.slot, channel.generation};
    }

    /// Adds a message for the next pass. Takes the hold over.
    static void gather(LocalChannel& channel, Held* held) {
        channel.gathered_bytes += held->message->bytes;
        channel.gathered.push_back(held);
    }

    /// Adds a subscriber; returns its index.
    std::uint32_t add(LocalChannel& channel, std::uint32_t slot, std::uint32_t back, std::uint64_t first_seq);

    /// Removes entry `index`. `moved(slot, back, new_index)` is called if another entry took its place.
    template <class Moved>
    void remove(LocalChannel& channel, std::uint32_t index, Moved&& moved) {
        auto& list = channel.subscribers;
        if (--channel.live == 0) channel.orphaned = static_cast<std::uint32_t>(channel.gathered.size());
        if (channel.pass.active()) {
            list[index].slot = Subscriber::kGone;
            return;
        }
        if (index + 1 != list.size()) {
            list[index] = list.back();
            moved(list[index].slot, list[index].back, index);
        }
        list.pop_back();
    }

    /// Calls f(Held*) for each message still owed to entry `index`: gathered, or in the pass and not yet reached.
    template <class F>
    static void for_each_owed(const LocalChannel& channel, std::uint32_t index, F&& f) {
        const Subscriber& entry = channel.subscribers[index];
        if (channel.pass.active() && index >= channel.pass.cursor && index < channel.pass.end) {
            for (Held* held : channel.pass.messages)
                if (held->message->seq >= entry.first_seq) f(held);
        }
        for (std::size_t i = channel.orphaned; i < channel.gathered.size(); ++i) {
            Held* held = channel.gathered[i];
            if (held->message->seq >= entry.first_seq) f(held);
        }
    }

    /// The bytes of the pass in one wire form: the one message's frame, or all of them joined.
    [[nodiscard]] std::span<const std::byte> pass_bytes(LocalChannel& channel, WireForm form);

    /// Starts a pass over everything gathered that fits into `bytes_max` (at least one message). What is orphaned gets a
    /// pass of its own that ends where it starts.
    void begin_pass(LocalChannel& channel, std::size_t bytes_max);
    /// Ends it: closes the gaps. The pass's messages are handed back through `done(Held*)`.
    template <class Done, class Moved>
    void end_pass(LocalChannel& channel, Done&& done, Moved&& moved) {
        for (Held* held : channel.pass.messages) done(held);
        channel.pass.messages.clear();
        for (auto& bytes : channel.pass.joined) keep_buffer(bytes);
        auto& list = channel.subscribers;
        if (list.size() == channel.live) return;
        for (std::uint32_t i = 0; i < list.size();) {
            if (!list[i].is_gone()) {
                ++i;
                continue;
            }
            list[i] = list.back();
            list.pop_back();
            if (i < list.size() && !list[i].is_gone()) moved(list[i].slot, list[i].back, i);
        }
    }

    /// How much a pass over so many subscribers joins: the more of them, the less, so that it does not take ever longer.
    [[nodiscard]] static constexpr std::size_t join_bytes(std::size_t subscribers) {
        return std::clamp(kPassBytes / std::max<std::size_t>(subscribers, 1), kJoinBytesLeast, kJoinBytesMax);
    }

    /// Closes the channel if nothing needs it any more; true if it did.
    bool close_if_unused(LocalChannel& channel);

    [[nodiscard]] std::size_t size() const { return by_key_.size(); }
    /// f(LocalChannel&) for every open channel. Nothing may be opened or closed meanwhile.
    template <class F>
    void for_each(F&& f) {
        for (auto& channel : slots_)
            if (channel->generation != 0) f(*channel);
    }

    void check_invariants() const;

private:
    void keep_buffer(std::vector<std::byte>& buffer);

    std::size_t cores_;
    std::vector<std::vector<std::byte>> buffers_;  // for passes to join in
    std::vector<std::unique_ptr<LocalChannel>> slots_;
    std::vector<std::uint32_t> next_generation_;
    std::vector<std::uint32_t> free_;
    std::unordered_map<ChannelKey, std::uint32_t, ChannelKeyHash> by_key_;
};

}  // namespace spillway::pubsub
