// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Coarse timeouts for very many clients: one due time per id, set and cancelled in constant time, driven by an Instant
// passed in. A single ring of buckets, one per tick; what is due beyond the ring's span stays in its bucket and is
// looked at once per revolution, so choose tick * buckets somewhat longer than the usual timeout.
//
// Nothing fires early; it fires at the first advance() at or after its due time rounded up to a whole tick.
//
// A timeout that moves with every received byte is better not moved: note the time of the byte, let the timer fire,
// and set it again for what is left. Setting an id to the tick it has already costs a compare.
//
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"

namespace spillway::base {

class TimerWheel {
public:
    static constexpr Duration kTickDefault = std::chrono::milliseconds{10};
    static constexpr std::size_t kBucketsDefault = 8192;  // 82 s at the default tick

    /// `tick` > 0 is the resolution; `buckets` is a power of two and a multiple of 64; time starts at `start`.
    /// Memory: 4 1/8 bytes per bucket now, 16 bytes per id in chunks of 1024 ids as they are first set.
    TimerWheel(Duration tick, std::size_t buckets, Instant start);

    /// Makes `id` due at `due`, instead of when it was due before if it was set. A due time in the past fires at the
    /// next tick. Ids are dense: memory is kept for all of them up to the highest. May allocate (std::bad_alloc).
    void set(std::uint32_t id, Instant due);

    /// Forgets `id`; nothing happens if it was not set. Also right for an id that is about to fire in this advance().
    void cancel(std::uint32_t id) noexcept;

    [[nodiscard]] bool is_set(std::uint32_t id) const noexcept;

    /// Number of ids set.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Moves time to `now` and calls `fired(id)` once for every id that is due, in no particular order. An id is unset
    /// when `fired` sees it; `fired` may set and cancel any id, itself included: what it sets fires in a later
    /// advance(), what it cancels does not fire in this one. A `now` in the past changes nothing. Not to be called from
    /// `fired`.
    template <class F>
    void advance(Instant now, F&& fired) {
        SPILLWAY_ASSERT(!advancing_);
        advancing_ = true;
        struct Done {
            bool& flag;
            ~Done() { flag = false; }
        } done{advancing_};
        collect_due(now);
        for (std::uint32_t id = take_due(); id != kNone; id = take_due()) fired(id);
    }

    /// A time until which nothing fires, for sleeping; nothing if no id is set. May be early (at most one useless wake
    /// per revolution and bucket), never later than the first due time by more than a tick. Reads one bit per bucket at
    /// worst.
    [[nodiscard]] std::optional<Instant> next_due() const noexcept;

    /// Walks everything and asserts that lists, bits and counts agree. For tests.
    void check_invariants() const;

private:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    static constexpr std::size_t kChunkIds = 1024;
    static constexpr std::uint64_t kUnset = UINT64_MAX;
    static constexpr std::uint64_t kDue = UINT64_MAX - 1;  // taken out of its bucket by advance(), not yet fired

    struct Entry {
        std::uint64_t tick = kUnset;  // when it fires, in ticks since start_; its bucket follows from it
        std::uint32_t next = kNone;
        std::uint32_t previous = kNone;
    };
    static_assert(sizeof(Entry) == 16);

    [[nodiscard]] std::uint64_t tick_at_or_before(Instant when) const noexcept;
    [[nodiscard]] std::uint64_t tick_at_or_after(Instant when) const noexcept;
    [[nodiscard]] Instant time_of(std::uint64_t tick) const noexcept;
    [[nodiscard]] const Entry* find(std::uint32_t id) const noexcept;
    [[nodiscard]] Entry& entry(std::uint32_t id) noexcept { return chunks_[id / kChunkIds][id % kChunkIds]; }
    [[nodiscard]] std::size_t list_of(const Entry& e) const noexcept;
    [[nodiscard]] std::size_t next_used_bucket(std::size_t from) const noexcept;

    void grow_to(std::uint32_t id);
    void link(std::uint32_t id, Entry& e) noexcept;
    void unlink(std::uint32_t id, Entry& e) noexcept;
    void collect_due(Instant now) noexcept;
    void collect_bucket(std::size_t bucket) noexcept;
    [[nodiscard]] std::uint32_t take_due() noexcept;

    const Duration tick_;
    const std::size_t buckets_;
    const Instant start_;
    std::uint64_t current_ = 0;  // last tick collected: nothing in a bucket is due at or before it
    std::size_t size_ = 0;
    bool advancing_ = false;
    std::vector<std::uint32_t> heads_;  // first id of each bucket; the last list holds what is due now
    std::vector<std::uint64_t> used_;   // one bit per bucket: it is not empty
    std::vector<std::unique_ptr<Entry[]>> chunks_;
};

}  // namespace spillway::base
