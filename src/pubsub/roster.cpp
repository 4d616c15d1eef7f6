// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/roster.h"

#include <utility>

#include "base/assert.h"

namespace spillway::pubsub {

Roster::Entry Roster::enter(std::uint64_t client, std::string_view id, std::string_view info, std::size_t members_max) {
    SPILLWAY_ASSERT(!by_client_.contains(client));
    if (const auto found = by_id_.find(id); found != by_id_.end()) {
        ++found->second->connections;
        by_client_.emplace(client, found->second);
        return Entry::again;
    }
    if (members_.size() >= members_max) return Entry::full;
    const Place place = members_.insert(members_.end(), Member{std::string(id), std::string(info), 1});
    text_bytes_ += place->id.size() + place->info.size();
    by_id_.emplace(place->id, place);
    by_client_.emplace(client, place);
    return Entry::first;
}

std::optional<std::string> Roster::leave(std::uint64_t client) {
    const auto found = by_client_.find(client);
    if (found == by_client_.end()) return std::nullopt;
    const Place place = found->second;
    by_client_.erase(found);
    if (--place->connections != 0) return std::nullopt;
    by_id_.erase(place->id);
    text_bytes_ -= place->id.size() + place->info.size();
    std::string id = std::move(place->id);
    members_.erase(place);
    return id;
}

const Roster::Member* Roster::member_of(std::uint64_t client) const {
    const auto found = by_client_.find(client);
    return found == by_client_.end() ? nullptr : &*found->second;
}

const Roster::Member* Roster::find(std::string_view id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &*found->second;
}

void Roster::check_invariants() const {
    SPILLWAY_ASSERT(by_id_.size() == members_.size());
    std::size_t connections = 0;
    std::size_t text_bytes = 0;
    for (const Member& member : members_) {
        SPILLWAY_ASSERT(member.connections != 0);
        SPILLWAY_ASSERT(find(member.id) == &member);
        connections += member.connections;
        text_bytes += member.id.size() + member.info.size();
    }
    SPILLWAY_ASSERT(connections == by_client_.size());
    SPILLWAY_ASSERT(text_bytes == text_bytes_);
}

}  // namespace spillway::pubsub
