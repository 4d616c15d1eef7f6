// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/local_watches.h"

#include "base/assert.h"

namespace spillway::pubsub {

LocalWatches::Opened LocalWatches::open(const ChannelKey& key) {
    if (const auto it = by_key_.find(key); it != by_key_.end()) return {*it->second, false};
    auto fresh = std::make_unique<LocalWatch>();
    LocalWatch& watch = *fresh;
    watch.id = WatchId{++last_id_};
    watch.channel.assign(key.name);
    watch.key = {key.hash, key.app, watch.channel};
    watch.home = home_core(key, cores_);
    by_key_.emplace(watch.key, &watch);
    by_id_.emplace(watch.id, std::move(fresh));
    return {watch, true};
}

LocalWatch* LocalWatches::get(WatchId id) {
    const auto it = by_id_.find(id);
    return it == by_id_.end() ? nullptr : it->second.get();
}

std::uint32_t LocalWatches::add(LocalWatch& watch, std::uint32_t slot, std::uint32_t back) {
    const auto index = static_cast<std::uint32_t>(watch.watchers.size());
    if (walked(watch)) ++watch.cursor;
    watch.watchers.push_back({slot, back, Online::unknown});
    return index;
}

void LocalWatches::set(LocalWatch& watch, Online online) {
    if (watch.online == online) return;
    watch.online = online;
    watch.cursor = 0;
}

const Watcher* LocalWatches::next_to_tell(LocalWatch& watch, std::size_t& looks) {
    while (looks != 0 && !walked(watch)) {
        --looks;
        Watcher& watcher = watch.watchers[watch.cursor++];
        if (watcher.told == Online::unknown || watcher.told == watch.online) continue;
        watcher.told = watch.online;
        return &watcher;
    }
    return nullptr;
}

void LocalWatches::close(LocalWatch& watch) {
    by_key_.erase(watch.key);
    by_id_.erase(watch.id);
}

void LocalWatches::check_invariants() const {
    SPILLWAY_ASSERT(by_key_.size() == by_id_.size());
    for (const auto& [id, watch] : by_id_) {
        SPILLWAY_ASSERT(watch->id == id && !watch->watchers.empty());
        SPILLWAY_ASSERT(watch->cursor <= watch->watchers.size());
        SPILLWAY_ASSERT(walked(*watch) || watch->walking);
        for (std::uint32_t i = 0; i < watch->cursor; ++i) {
            const Online told = watch->watchers[i].told;
            SPILLWAY_ASSERT(told == Online::unknown || told == watch->online);
        }
    }
}

}  // namespace spillway::pubsub
