// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/address_book.h"

#include <cstring>

#include "base/assert.h"

namespace spillway::server {

std::uint64_t address_hash(const Address& address) {
    std::uint64_t halves[2];
    std::memcpy(halves, address.bytes.data(), sizeof halves);
    // The finisher of splitmix64 over both halves.
    std::uint64_t h = halves[0] * 0x9E3779B97F4A7C15ULL ^ halves[1];
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9ULL;
    h = (h ^ (h >> 27)) * 0x94D049BB133111EBULL;
    return h ^ (h >> 31);
}

AddressBook::Entered AddressBook::enter(const Address& address, const Limits& limits, std::uint64_t now_ms) {
    const auto [found, added] = places_.try_emplace(address, 0);
    if (added) {
        if (free_.empty()) {
            free_.push_back(static_cast<std::uint32_t>(entries_.size()));
            entries_.emplace_back();
        }
        found->second = free_.back();
        free_.pop_back();
        entries_[found->second] = {address, now_ms, 0, true, {}};
    }
    Entry& entry = entries_[found->second];
    entry.last_ms = now_ms;
    if (limits.clients != 0 && entry.clients >= limits.clients) return {Verdict::too_many, 0};
    if (!entry.rate.take(now_ms, limits.per_second)) return {Verdict::too_fast, 0};
    ++entry.clients;
    ++clients_;
    return {Verdict::admitted, found->second};
}

void AddressBook::leave(std::uint32_t place) {
    SPILLWAY_ASSERT(place < entries_.size() && entries_[place].used && entries_[place].clients != 0);
    --entries_[place].clients;
    --clients_;
}

void AddressBook::sweep(std::uint64_t now_ms) {
    for (std::size_t i = 0; i < kSweptAtOnce && i < entries_.size(); ++i) {
        swept_ = swept_ + 1 < entries_.size() ? swept_ + 1 : 0;
        Entry& entry = entries_[swept_];
        if (!entry.used || entry.clients != 0 || now_ms < entry.last_ms + kRememberMs) continue;
        places_.erase(entry.address);
        entry.used = false;
        free_.push_back(static_cast<std::uint32_t>(swept_));
    }
}

std::size_t AddressBook::memory_bytes() const {
    constexpr std::size_t kNode = sizeof(Address) + sizeof(std::uint32_t) + 3 * sizeof(void*);
    return entries_.capacity() * sizeof(Entry) + free_.capacity() * sizeof(std::uint32_t) +
           places_.bucket_count() * sizeof(void*) + places_.size() * kNode;
}

}  // namespace spillway::server
