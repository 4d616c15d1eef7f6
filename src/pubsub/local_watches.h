// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The users that one core's clients watch, and what each watcher was told last. The core asks a user's home once, however
// many of its clients watch the user, and hears every change; telling the watchers is a walk that may stop anywhere.
//
// Invariants
// - Who watches has been told nothing yet (its first answer is being gathered), or the state that it knows. A walk compares
//   and tells who knows otherwise: nobody twice, nobody the older of two states after the newer.
// - Watchers before the cursor need nothing. Removing one keeps it so: the last of them takes its place, and the last of all
//   takes that one's.
// - A watch lives while it has watchers. Its id is never used again: what still arrives for it is recognised as stale.
//
// Thread: one core. Knows no clients, only slots.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <spillway/ids.h>

#include "pubsub/channel_key.h"

namespace spillway::pubsub {

/// Names a watch among those of its core, for as long as the core lives. 0 names none.
enum class WatchId : std::uint64_t {};

enum class Online : std::uint8_t { unknown, no, yes };

struct Watcher {
    std::uint32_t slot = 0;
    std::uint32_t back = 0;         // its place in the client's own list
    Online told = Online::unknown;  // unknown: not told anything yet, and not to be told by a walk
};

/// One watched user.
struct LocalWatch {
    WatchId id{};
    std::string channel;  // the user's hidden channel
    ChannelKey key;       // its key
    CoreId home = 0;
    Online online = Online::unknown;  // unknown until the home has answered
    bool walking = false;             // on the list of walks that go on in the next turn
    std::vector<Watcher> watchers;
    std::uint32_t cursor = 0;
};

class LocalWatches {
public:
    explicit LocalWatches(std::size_t cores) : cores_(cores) {}

    struct Opened {
        LocalWatch& watch;
        bool is_new = false;
    };
    /// Finds the watch of a user's hidden channel, or opens it (the home must be asked). Valid until it closes.
    [[nodiscard]] Opened open(const ChannelKey& key);
    /// nullptr when it is closed.
    [[nodiscard]] LocalWatch* get(WatchId id);

    /// Adds a watcher that was told nothing; returns its index.
    static std::uint32_t add(LocalWatch& watch, std::uint32_t slot, std::uint32_t back);

    /// Removes watcher `index`. `moved(slot, back, new_index)` is called for each that took another place. True if the watch
    /// has no watchers left and is closed by that.
    template <class Moved>
    bool remove(LocalWatch& watch, std::uint32_t index, Moved&& moved) {
        auto& list = watch.watchers;
        const auto put = [&](std::uint32_t from, std::uint32_t to) {
            if (from == to) return;
            list[to] = list[from];
            moved(list[to].slot, list[to].back, to);
        };
        if (index < watch.cursor) {
            put(--watch.cursor, index);
            index = watch.cursor;
        }
        put(static_cast<std::uint32_t>(list.size() - 1), index);
        list.pop_back();
        if (!list.empty()) return false;
        close(watch);
        return true;
    }

    /// The home says what the user is: a walk begins anew if that is a change.
    static void set(LocalWatch& watch, Online online);
    /// The next watcher in the walk who knows otherwise, noted as told; nullptr when at most `looks` were looked at (which it
    /// counts down) or the walk is over. Valid until the next change.
    [[nodiscard]] static const Watcher* next_to_tell(LocalWatch& watch, std::size_t& looks);
    [[nodiscard]] static bool walked(const LocalWatch& watch) { return watch.cursor == watch.watchers.size(); }

    [[nodiscard]] std::size_t size() const { return by_id_.size(); }
    void check_invariants() const;

private:
    void close(LocalWatch& watch);

    std::size_t cores_;
    std::uint64_t last_id_ = 0;
    std::unordered_map<WatchId, std::unique_ptr<LocalWatch>> by_id_;
    std::unordered_map<ChannelKey, LocalWatch*, ChannelKeyHash> by_key_;
};

}  // namespace spillway::pubsub
