// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One core's channels: by name, and for each a dense list of the core's own subscribers that stays correct while a
// fan-out pass walks it.
//
// A pass goes round the list for as long as there are messages. A message joins it wherever it is, rides along for one lap and
// gets off where it got on; whoever the pass reaches is sent everything that rides at that moment. So a message waits for
// nothing, its last subscriber gets it one lap later, and every subscriber gets one send per lap however many messages
// come.
//
// Invariants
// - A subscriber entry is {slot, back, first_seq}: `back` is its place in the client's own list, so that leaving is O(1)
//   from either side. What was gathered before the join's answer (seq < first_seq) is not for it.
// - During a pass joins append at the end and leaves leave a tombstone. A tombstone that the pass comes to is filled with the last
//   entry, whose first_seq is raised over what it has had in this lap already; when the pass ends all are. Outside a
//   pass a leave moves the last entry into the gap.
// - What rides changes only while no send of the pass is under way (Fanout sees to it).
// - When the last subscriber leaves, what was gathered and what rides is for nobody: it may end the channel at its home as
//   well, whose next life counts from 1 again, so sequence numbers could not keep it from a subscriber who comes before it is
//   let go.
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

#include "base/surplus.h"
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

/// What a fan-out pass is sending and how far it has come. `messages` empty: no pass, and the cursor is at 0.
struct PassState {
    std::vector<Held*> messages;        // that ride now, in order of seq
    std::vector<std::uint32_t> starts;  // of each: the index at which it got on
    std::uint32_t wrapped = 0;          // the first so many got on in the lap before this one: they ascend by start
    std::uint32_t cursor = 0;
    std::uint32_t until_boarding = 0;  // entries to be passed before others may get on
    std::uint32_t batch = 0;           // the batch of sends that holds some of it
    std::size_t bytes = 0;             // of the messages, in the larger form of each
    bool excludes = false;             // some message is not for everybody
    bool over = false;                 // for nobody any more
    bool turning = false;              // at its boundary; what rides changes as soon as its sends are settled
    /// All messages one behind the other, per wire form; made when the first subscriber of that form is met, and only if
    /// there are several messages. Lives until what rides changes.
    std::array<std::vector<std::byte>, kWireForms> joined;
    [[nodiscard]] bool active() const { return !messages.empty(); }
};

struct LocalChannel {
    std::string name;
    ChannelKey key;
    CoreId home = 0;
    bool hidden = false;  // a channel of ours: in no figure and no limit
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;     // never 0
    std::uint32_t live = 0;           // subscribers that are not gone
    std::uint32_t joins_pending = 0;  // joins sent whose answer has not come, given up ones included
    std::uint32_t at_home =
        0;  // joins less leaves sent: what the home will count; the first join of a run carries the name
    enum class Queued : std::uint8_t { no, normal, urgent };
    Queued queued = Queued::no;  // a fan-out job for it is in that queue, or under way
    std::vector<Subscriber> subscribers;
    std::vector<Held*> gathered;       // to ride next, in order of seq
    std::uint64_t gathered_bytes = 0;  // of their blocks
    bool behind = false;               // more is gathered than some laps will take
    std::uint32_t orphaned = 0;        // the first so many of `gathered` are for nobody any more
    PassState pass;
};

class LocalChannels {
public:
    /// `step`: subscribers that a pass reaches at least before more messages get on.
    explicit LocalChannels(std::size_t cores, std::size_t step = kSendBatch)
        : cores_(cores), step_(static_cast<std::uint32_t>(step)) {}

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

    /// Adds a message that is to ride as soon as it may. Takes the hold over.
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
        if (--channel.live == 0) {
            channel.orphaned = static_cast<std::uint32_t>(channel.gathered.size());
            channel.pass.over = channel.pass.active();
        }
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

    /// Calls f(Held*) for each message still owed to entry `index`: gathered, or in the pass and not yet there.
    template <class F>
    static void for_each_owed(const LocalChannel& channel, std::uint32_t index, F&& f) {
        const Subscriber& entry = channel.subscribers[index];
        const PassState& pass = channel.pass;
        for (std::size_t i = 0; i < pass.messages.size() && !pass.over; ++i) {
            const bool ahead = index >= pass.cursor;
            const bool before_start = index < pass.starts[i];
            if ((i < pass.wrapped ? ahead && before_start : ahead || before_start) &&
                pass.messages[i]->message->seq >= entry.first_seq)
                f(pass.messages[i]);
        }
        for (std::size_t i = channel.orphaned; i < channel.gathered.size(); ++i) {
            Held* held = channel.gathered[i];
            if (held->message->seq >= entry.first_seq) f(held);
        }
    }

    /// The bytes of the pass in one wire form: the one message's frame, or all of them joined.
    [[nodiscard]] std::span<const std::byte> pass_bytes(LocalChannel& channel, WireForm form);

    /// More may get on, as far as the list goes: not at every step, for what is joined is joined anew each time.
    [[nodiscard]] static bool boards(const LocalChannel& channel) {
        return !channel.gathered.empty() && (!channel.pass.active() || channel.pass.until_boarding == 0);
    }
    /// What was gathered gets on, as far as all that rides fits into `bytes_max`, at least one message. What is orphaned is handed
    /// back through `done(Held*)`.
    template <class Done>
    void board(LocalChannel& channel, std::size_t bytes_max, Done&& done) {
        for (std::uint32_t i = 0; i < channel.orphaned; ++i) {
            channel.gathered_bytes -= channel.gathered[i]->message->bytes;
            done(channel.gathered[i]);
        }
        take_gathered(channel, channel.orphaned);
        channel.orphaned = 0;
        if (!channel.pass.over) board_gathered(channel, bytes_max);
    }

    /// The subscriber whom the pass reaches next, or null at its boundary: where the first message gets off, and at the end of
    /// the list. Valid until the list changes.
    template <class Moved>
    [[nodiscard]] const Subscriber* next(LocalChannel& channel, Moved&& moved) {
        PassState& pass = channel.pass;
        while (pass.cursor < boundary(channel)) {
            if (!channel.subscribers[pass.cursor].is_gone()) {
                if (pass.until_boarding != 0) --pass.until_boarding;
                return &channel.subscribers[pass.cursor++];
            }
            close_gap(channel, moved);
        }
        return nullptr;
    }

    /// At the boundary: messages that have been everywhere get off, through `done(Held*)`. With the last one the pass ends, and the
    /// gaps are closed.
    template <class Done, class Moved>
    void turn(LocalChannel& channel, Done&& done, Moved&& moved) {
        PassState& pass = channel.pass;
        const std::size_t off = getting_off(channel);
        for (std::size_t i = 0; i < off; ++i) {
            pass.bytes -= size_of(pass.messages[i]);
            done(pass.messages[i]);
        }
        take_off(channel, off);
        if (pass.active()) return;
        for (pass.cursor = 0; channel.subscribers.size() != channel.live; ++pass.cursor)
            if (channel.subscribers[pass.cursor].is_gone()) close_gap(channel, moved);
        pass.cursor = 0;
    }

    /// How much a pass over so many subscribers joins: the more of them, the less, so that it does not take ever longer.
    [[nodiscard]] static constexpr std::size_t join_bytes(std::size_t subscribers) {
        return std::clamp(kPassBytes / std::max<std::size_t>(subscribers, 1), kJoinBytesLeast, kJoinBytesMax);
    }

    /// Closes the channel if nothing needs it any more; true if it did, and then it is gone.
    bool close_if_unused(LocalChannel& channel);

    [[nodiscard]] std::size_t size() const { return by_key_.size(); }
    /// f(LocalChannel&) for every open channel. Nothing may be opened or closed meanwhile.
    template <class F>
    void for_each(F&& f) {
        for (auto& channel : slots_)
            if (channel != nullptr) f(*channel);
    }

    /// At even distances: a part of the memory kept for passes goes that nobody needs any more (base/surplus.h).
    void trim_unneeded();

    void check_invariants() const;

private:
    static void check_pass(const LocalChannel& channel);
    [[nodiscard]] static std::size_t size_of(const Held* held) { return std::ranges::max(held->message->frame_bytes); }
    [[nodiscard]] static std::uint32_t boundary(const LocalChannel& channel) {
        const PassState& pass = channel.pass;
        if (pass.over || !pass.active()) return pass.cursor;
        const auto end = static_cast<std::uint32_t>(channel.subscribers.size());
        return pass.wrapped == 0 ? end : std::min(pass.starts.front(), end);
    }

    /// Fills the tombstone at the cursor with the last entry, if one is behind it.
    template <class Moved>
    static void close_gap(LocalChannel& channel, Moved&& moved) {
        auto& list = channel.subscribers;
        const std::uint32_t at = channel.pass.cursor;
        while (list.size() > at && list.back().is_gone()) list.pop_back();
        if (list.size() <= at) return;
        const auto from = static_cast<std::uint32_t>(list.size() - 1);
        list[at] = list[from];
        list[at].first_seq = std::max(list[at].first_seq, had_until(channel.pass, from));
        list.pop_back();
        moved(list[at].slot, list[at].back, at);
    }

    /// Entry `index`, which the cursor has not reached, has had those messages of the pass whose seq is below.
    [[nodiscard]] static std::uint64_t had_until(const PassState& pass, std::uint32_t index);
    static void take_gathered(LocalChannel& channel, std::size_t count);
    void board_gathered(LocalChannel& channel, std::size_t bytes_max);
    [[nodiscard]] static std::size_t getting_off(LocalChannel& channel);
    void take_off(LocalChannel& channel, std::size_t count);
    void changed(PassState& pass);
    void keep_buffer(std::vector<std::byte>& buffer);

    std::size_t cores_;
    std::uint32_t step_;
    std::vector<std::vector<std::byte>> buffers_;       // for passes to join in
    base::Surplus unneeded_;                            // of them
    std::vector<std::unique_ptr<LocalChannel>> slots_;  // null: free
    std::vector<std::uint32_t> next_generation_;
    std::vector<std::uint32_t> free_;
    std::unordered_map<ChannelKey, std::uint32_t, ChannelKeyHash> by_key_;
};

}  // namespace spillway::pubsub
