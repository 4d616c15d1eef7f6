// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The channels a core is home to: their order (sequence numbers) and which cores hold how many subscribers of each wire
// form. Fed by joins and leaves in the order in which they come through the mesh.
//
// Thread: the home core. Counts are of joins and leaves *processed here*; a subscribing core runs ahead of them, never
// behind, and settles the difference when a broadcast arrives.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <spillway/channel_kind.h>
#include <spillway/ids.h>
#include <spillway/message.h>

#include "base/clock.h"
#include "pubsub/channel_key.h"
#include "pubsub/count_pace.h"
#include "pubsub/roster.h"

namespace spillway::pubsub {

/// One core's part in a channel.
struct Share {
    CoreId core = 0;
    LocalChannelId local;
    std::array<std::uint32_t, kWireForms> count{};

    [[nodiscard]] std::uint32_t total() const {
        std::uint32_t sum = 0;
        for (const auto n : count) sum += n;
        return sum;
    }
};

/// What only some channels have: presence channels, cache channels, and those whose subscribers are counted for somebody.
struct ChannelState {
    std::unique_ptr<Roster> roster;  // null: no presence channel
    bool caches = false;
    CountPace pace;
    /// Subscribers came or went who are not told yet: they will be when due, or when there is room.
    bool count_changed = false;
    base::Instant count_due{};
    std::uint64_t count_turn = 0;  // among those due at the same time
};

struct HomeChannel {
    std::string name;
    ChannelKey key;
    ChannelKind kind = ChannelKind::public_channel;
    std::uint64_t seq = 0;  // of the last message sequenced
    std::vector<Share> shares;
    std::unique_ptr<ChannelState> state;  // null for most
    bool hidden = false;                  // a channel of ours: in no figure, no list and no webhook
    std::uint32_t place = 0;              // in the list that scans walk

    [[nodiscard]] std::uint32_t subscribers() const;
    [[nodiscard]] bool has(WireForm form) const;
};

class HomeChannels {
public:
    explicit HomeChannels(std::size_t cores) : by_local_(cores) {}

    /// A join from `core`. `name` names the channel with the first join of this local id, and is nullptr with later ones.
    /// Returns the first sequence number that is for the joiner.
    std::uint64_t join(CoreId core, LocalChannelId local, const ChannelKey* name, WireForm form) {
        return join(open(core, local, name), core, local, form);
    }
    /// The same in two steps, for who has something to do before the joiner counts. A channel that is opened has a join
    /// coming: without shares until then if it is new.
    [[nodiscard]] HomeChannel& open(CoreId core, LocalChannelId local, const ChannelKey* name);
    std::uint64_t join(HomeChannel& channel, CoreId core, LocalChannelId local, WireForm form);
    /// A leave; the channel ends with its last subscriber, and nullptr is returned.
    HomeChannel* leave(CoreId core, LocalChannelId local, WireForm form);

    /// The channel that a core knows by this local id; the core has subscribers in it.
    [[nodiscard]] HomeChannel& of(CoreId core, LocalChannelId local);
    /// nullptr when nobody subscribes.
    [[nodiscard]] HomeChannel* find(const ChannelKey& key);
    [[nodiscard]] const HomeChannel* find(const ChannelKey& key) const;
    /// All channels, the hidden ones included.
    [[nodiscard]] std::size_t size() const { return by_key_.size(); }
    [[nodiscard]] std::size_t hidden() const { return hidden_; }
    /// f(const HomeChannel&) for every channel.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [key, channel] : by_key_) f(*channel);
    }

    /// f(const HomeChannel&) for the channels at the next `most` places from `place` on (0: the first). Returns the place to go
    /// on from, 0 when the round is over. A channel that stays is met at least once per round; one that comes or goes, perhaps.
    template <class F>
    std::size_t for_some(std::size_t place, std::size_t most, F&& f) const {
        for (std::size_t core = 0; core < by_local_.size(); ++core) {
            const auto& slots = by_local_[core];
            for (; place < slots.size(); ++place, --most) {
                if (most == 0) return place_of(core, place);
                const HomeChannel* channel = slots[place];
                if (channel != nullptr && channel->shares.front().core == core) f(*channel);
            }
            place -= slots.size();
        }
        return 0;
    }
    /// A scan walks all channels, however long it takes: one that is there from its begin to its end is met once. Only one at
    /// a time; a new one ends that before it.
    void begin_scan() { unscanned_ = all_.size(); }
    /// nullptr at its end.
    [[nodiscard]] const HomeChannel* scan_next() { return unscanned_ == 0 ? nullptr : all_[--unscanned_]; }

    void check_invariants() const;

private:
    /// Places are counted through the cores' slots in order.
    [[nodiscard]] std::size_t place_of(std::size_t core, std::size_t slot) const {
        for (std::size_t i = 0; i < core; ++i) slot += by_local_[i].size();
        return slot;
    }
    void list(HomeChannel& channel);
    void unlist(const HomeChannel& channel);

    std::unordered_map<ChannelKey, std::unique_ptr<HomeChannel>, ChannelKeyHash> by_key_;
    std::vector<std::vector<HomeChannel*>> by_local_;  // [core][local slot]
    std::size_t hidden_ = 0;
    std::vector<HomeChannel*> all_;  // those a scan has still to meet come first
    std::size_t unscanned_ = 0;
};

}  // namespace spillway::pubsub
