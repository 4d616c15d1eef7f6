// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/idempotency_keys.h"

#include <utility>

#include "base/assert.h"
#include "base/format.h"
#include "crypto/digest.h"

namespace spillway::protocol {

IdempotencyKeys::Claim IdempotencyKeys::claim(AppIndex app, std::string_view key, std::string_view digest,
                                              Caller caller, base::Instant now) {
    expire(now);
    const std::string full_key = base::concat(app, ":", key);
    const auto known = by_key_.find(full_key);
    if (known == by_key_.end()) {
        const Place place = pending_.insert(pending_.end(), Entry{full_key, std::string(digest), {}, {}, {}});
        by_key_.emplace(place->key, Known{place, false});
        by_ticket_.emplace(++last_ticket_, place);
        return {Verdict::go, last_ticket_, {}};
    }
    Entry& entry = *known->second.place;
    if (!crypto::equal_constant_time(entry.digest, digest)) return {Verdict::conflict, 0, {}};
    if (known->second.answered) return {Verdict::same, 0, entry.answer};
    if (entry.waiters.size() >= kIdempotencyWaitersMax) return {Verdict::full, 0, {}};
    entry.waiters.push_back(caller);
    return {Verdict::wait, 0, {}};
}

std::vector<IdempotencyKeys::Caller> IdempotencyKeys::settle(std::uint64_t ticket, std::string_view answer,
                                                             base::Instant now) {
    const auto held = by_ticket_.find(ticket);
    SPILLWAY_ASSERT(held != by_ticket_.end());
    const Place place = held->second;
    by_ticket_.erase(held);
    answered_.splice(answered_.end(), pending_, place);
    by_key_.at(place->key).answered = true;
    place->answer = answer;
    place->expires = now + kIdempotencyTime;
    bytes_ += place->bytes();
    std::vector<Caller> waiters = std::exchange(place->waiters, {});
    while (answered_.size() > limits_.keys_max || bytes_ > limits_.bytes_max) {
        forget(answered_.begin());
        ++evicted_;
    }
    return waiters;
}

bool IdempotencyKeys::fail(std::uint64_t ticket, Caller& next) {
    const auto held = by_ticket_.find(ticket);
    SPILLWAY_ASSERT(held != by_ticket_.end());
    Entry& entry = *held->second;
    if (!entry.waiters.empty()) {
        next = entry.waiters.front();
        entry.waiters.erase(entry.waiters.begin());
        return true;
    }
    by_key_.erase(entry.key);
    pending_.erase(held->second);
    by_ticket_.erase(held);
    return false;
}

void IdempotencyKeys::expire(base::Instant now) {
    while (!answered_.empty() && now >= answered_.front().expires) forget(answered_.begin());
}

void IdempotencyKeys::forget(Place place) {
    bytes_ -= place->bytes();
    by_key_.erase(place->key);
    answered_.erase(place);
}

}  // namespace spillway::protocol
