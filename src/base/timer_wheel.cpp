// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace spillway::base {

namespace {

// Ticks beyond this would collide with the marks and with int64 nanoseconds; no machine gets there.
constexpr std::uint64_t kTickMax = std::uint64_t{1} << 62;

}  // namespace

TimerWheel::TimerWheel(Duration tick, std::size_t buckets, Instant start)
    : tick_(tick), buckets_(buckets), start_(start), heads_(buckets + 1, kNone), used_(buckets / 64, 0) {
    SPILLWAY_ASSERT(tick > Duration::zero());
    SPILLWAY_ASSERT(std::has_single_bit(buckets));
    SPILLWAY_ASSERT(buckets >= 64);
}

std::uint64_t TimerWheel::tick_at_or_before(Instant when) const noexcept {
    if (when <= start_) return 0;
    return static_cast<std::uint64_t>((when - start_) / tick_);
}

std::uint64_t TimerWheel::tick_at_or_after(Instant when) const noexcept {
    if (when <= start_) return 0;
    const Duration since = when - start_;
    const auto whole = static_cast<std::uint64_t>(since / tick_);
    return std::min(whole + (since % tick_ != Duration::zero() ? 1 : 0), kTickMax);
}

Instant TimerWheel::time_of(std::uint64_t tick) const noexcept {
    const auto ticks_left = static_cast<std::uint64_t>((Instant::max() - start_) / tick_);
    return tick > ticks_left ? Instant::max() : start_ + tick_ * static_cast<std::int64_t>(tick);
}

const TimerWheel::Entry* TimerWheel::find(std::uint32_t id) const noexcept {
    const std::size_t chunk = id / kChunkIds;
    if (chunk >= chunks_.size() || chunks_[chunk] == nullptr) return nullptr;
    return &chunks_[chunk][id % kChunkIds];
}

std::size_t TimerWheel::list_of(const Entry& e) const noexcept {
    return e.tick == kDue ? buckets_ : static_cast<std::size_t>(e.tick & (buckets_ - 1));
}

void TimerWheel::grow_to(std::uint32_t id) {
    SPILLWAY_ASSERT(id != kNone);
    const std::size_t chunk = id / kChunkIds;
    if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
    if (chunks_[chunk] == nullptr) chunks_[chunk] = std::make_unique<Entry[]>(kChunkIds);
}

void TimerWheel::set(std::uint32_t id, Instant due) {
    if (find(id) == nullptr) grow_to(id);
    Entry& e = entry(id);
    const std::uint64_t tick = std::max(tick_at_or_after(due), current_ + 1);
    if (e.tick == tick) return;
    if (e.tick != kUnset) {
        unlink(id, e);
    } else {
        ++size_;
    }
    e.tick = tick;
    link(id, e);
}

void TimerWheel::cancel(std::uint32_t id) noexcept {
    if (!is_set(id)) return;
    Entry& e = entry(id);
    unlink(id, e);
    e.tick = kUnset;
    --size_;
}

bool TimerWheel::is_set(std::uint32_t id) const noexcept {
    const Entry* e = find(id);
    return e != nullptr && e->tick != kUnset;
}

void TimerWheel::link(std::uint32_t id, Entry& e) noexcept {
    const std::size_t list = list_of(e);
    e.previous = kNone;
    e.next = heads_[list];
    if (e.next != kNone) entry(e.next).previous = id;
    heads_[list] = id;
    if (list != buckets_) used_[list / 64] |= std::uint64_t{1} << (list % 64);
}

void TimerWheel::unlink(std::uint32_t id, Entry& e) noexcept {
    const std::size_t list = list_of(e);
    if (e.next != kNone) entry(e.next).previous = e.previous;
    if (e.previous != kNone) {
        entry(e.previous).next = e.next;
        return;
    }
    SPILLWAY_ASSERT(heads_[list] == id);
    heads_[list] = e.next;
    if (e.next == kNone && list != buckets_) used_[list / 64] &= ~(std::uint64_t{1} << (list % 64));
}

void TimerWheel::collect_due(Instant now) noexcept {
    const std::uint64_t target = tick_at_or_before(now);
    if (target <= current_) return;
    const std::uint64_t passed = target - current_;
    const std::uint64_t first = current_ + 1;
    current_ = target;
    // After a pause longer than a revolution every bucket is looked at once.
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(passed, buckets_));
    const auto begin = static_cast<std::size_t>(first & (buckets_ - 1));
    for (std::size_t done = 0; done < most;) {
        const std::size_t skipped = next_used_bucket((begin + done) & (buckets_ - 1));
        done += skipped;
        if (done >= most) break;
        collect_bucket((begin + done) & (buckets_ - 1));
        ++done;
    }
}

void TimerWheel::collect_bucket(std::size_t bucket) noexcept {
    for (std::uint32_t id = heads_[bucket]; id != kNone;) {
        Entry& e = entry(id);
        const std::uint32_t next = e.next;
        if (e.tick <= current_) {  // else it is for a later revolution
            unlink(id, e);
            e.tick = kDue;
            link(id, e);
        }
        id = next;
    }
}

std::uint32_t TimerWheel::take_due() noexcept {
    const std::uint32_t id = heads_[buckets_];
    if (id == kNone) return kNone;
    cancel(id);
    return id;
}

/// How many buckets after `from` (circularly) the next used one is: 0 if `from` is used, buckets_ if all are empty.
std::size_t TimerWheel::next_used_bucket(std::size_t from) const noexcept {
    const std::size_t words = used_.size();  // a power of two, as the number of buckets is
    std::uint64_t word = used_[from / 64] & (~std::uint64_t{0} << (from % 64));
    for (std::size_t i = 0; i <= words; ++i) {  // the first word comes twice: its low bits are the last of the circle
        if (word != 0) {
            const std::size_t bucket =
                ((from / 64 + i) & (words - 1)) * 64 + static_cast<std::size_t>(std::countr_zero(word));
            return (bucket - from) & (buckets_ - 1);
        }
        word = used_[(from / 64 + i + 1) & (words - 1)];
    }
    return buckets_;
}

std::optional<Instant> TimerWheel::next_due() const noexcept {
    if (size_ == 0) return std::nullopt;
    if (heads_[buckets_] != kNone) return time_of(current_);
    const std::uint64_t first = current_ + 1;
    return time_of(first + next_used_bucket(static_cast<std::size_t>(first & (buckets_ - 1))));
}

void TimerWheel::check_invariants() const {
    std::size_t linked = 0;
    const auto walk = [this, &linked](std::size_t list) {
        std::uint32_t previous = kNone;
        for (std::uint32_t id = heads_[list]; id != kNone; ++linked) {
            const Entry* e = find(id);
            SPILLWAY_ASSERT(e != nullptr);
            SPILLWAY_ASSERT(e->tick != kUnset);
            SPILLWAY_ASSERT(e->previous == previous);
            SPILLWAY_ASSERT(list_of(*e) == list);
            SPILLWAY_ASSERT(list == buckets_ || e->tick > current_);
            previous = id;
            id = e->next;
        }
    };
    // The marked buckets alone, for there are thousands: whoever is in another is missing in the sum.
    for (std::size_t word = 0; word < used_.size(); ++word) {
        for (std::uint64_t left = used_[word]; left != 0; left &= left - 1) {
            const std::size_t bucket = word * 64 + static_cast<std::size_t>(std::countr_zero(left));
            SPILLWAY_ASSERT(heads_[bucket] != kNone);
            walk(bucket);
        }
    }
    walk(buckets_);
    SPILLWAY_ASSERT(linked == size_);
}

}  // namespace spillway::base
