// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/home_watches.h"

#include <algorithm>

#include "base/assert.h"

namespace spillway::pubsub {

void HomeWatches::watch(CoreId core, WatchId id, const ChannelKey& key) {
    auto it = by_key_.find(key);
    if (it == by_key_.end()) {
        auto fresh = std::make_unique<Watched>();
        fresh->channel.assign(key.name);
        fresh->key = {key.hash, key.app, fresh->channel};
        const ChannelKey own = fresh->key;
        it = by_key_.emplace(own, std::move(fresh)).first;
    }
    Watched& watched = *it->second;
    SPILLWAY_ASSERT(std::ranges::find(watched.askers, core, &Asker::core) == watched.askers.end());
    watched.askers.push_back({core, id});
    by_id_[core].emplace(id, &watched);
}

void HomeWatches::unwatch(CoreId core, WatchId id) {
    const auto it = by_id_[core].find(id);
    SPILLWAY_ASSERT(it != by_id_[core].end());
    Watched& watched = *it->second;
    by_id_[core].erase(it);
    watched.askers.erase(std::ranges::find(watched.askers, core, &Asker::core));
    if (watched.askers.empty()) by_key_.erase(by_key_.find(watched.key));
}

}  // namespace spillway::pubsub
