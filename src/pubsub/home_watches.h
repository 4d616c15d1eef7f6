// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Who watches the users whose hidden channels are at home on this core: which cores, under which of their ids. Fed by the
// cores in the order in which their messages come, as are the joins of the users themselves: so a core that asks is told every
// change from its question on, and no other.
//
// Thread: the home core.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <spillway/ids.h>

#include "pubsub/channel_key.h"
#include "pubsub/local_watches.h"

namespace spillway::pubsub {

class HomeWatches {
public:
    struct Asker {
        CoreId core = 0;
        WatchId id{};
    };

    explicit HomeWatches(std::size_t cores) : by_id_(cores) {}

    /// `core` watches the user of this hidden channel under `id`: once at a time.
    void watch(CoreId core, WatchId id, const ChannelKey& key);
    void unwatch(CoreId core, WatchId id);
    /// f(Asker) for every core that watches.
    template <class F>
    void for_each_asker(const ChannelKey& key, F&& f) const {
        const auto it = by_key_.find(key);
        if (it == by_key_.end()) return;
        for (const Asker& asker : it->second->askers) f(asker);
    }

    [[nodiscard]] std::size_t size() const { return by_key_.size(); }

private:
    struct Watched {
        std::string channel;
        ChannelKey key;
        std::vector<Asker> askers;
    };

    std::unordered_map<ChannelKey, std::unique_ptr<Watched>, ChannelKeyHash> by_key_;
    std::vector<std::unordered_map<WatchId, Watched*>> by_id_;  // [core]
};

}  // namespace spillway::pubsub
