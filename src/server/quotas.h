// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Limits that hold for all cores together, exactly: a limit of N admits N, whoever asks at the same time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>

#include <spillway/ids.h>

#include "base/assert.h"
#include "base/clock.h"
#include "server/memory_budget.h"

namespace spillway::server {

/// One shared count with a limit. Any thread; touched per connection, not per message.
class Quota {
public:
    /// limit 0 = none.
    [[nodiscard]] bool enter(std::uint64_t limit) {
        std::uint64_t n = count_.load(std::memory_order_relaxed);
        do {
            if (limit != 0 && n >= limit) return false;
        } while (!count_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed));
        return true;
    }
    void leave() { count_.fetch_sub(1, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> count_{0};
};

/// A rate that holds for all cores together, exactly: `per_second` at once, then as many a second. Any thread.
class RateQuota {
public:
    /// Takes `cost` if there is room for it, else nothing. per_second 0 = no limit; a cost above it is never granted.
    [[nodiscard]] bool take(base::Instant now, std::uint64_t per_second, std::uint64_t cost) {
        if (per_second == 0) return true;
        const auto span = static_cast<std::int64_t>(kSecond * cost / per_second);
        const std::int64_t at = now.time_since_epoch().count();
        std::int64_t until = until_.load(std::memory_order_relaxed);
        std::int64_t next = 0;
        do {
            next = std::max(until, at) + span;
            if (cost > per_second || next - at > static_cast<std::int64_t>(kSecond)) return false;
        } while (!until_.compare_exchange_weak(until, next, std::memory_order_relaxed));
        return true;
    }
    /// Gives back what was taken and not used.
    void give_back(std::uint64_t per_second, std::uint64_t cost) {
        if (per_second != 0)
            until_.fetch_sub(static_cast<std::int64_t>(kSecond * cost / per_second), std::memory_order_relaxed);
    }

private:
    static constexpr std::uint64_t kSecond = 1'000'000'000;
    static_assert(std::is_same_v<base::Duration, std::chrono::nanoseconds>);
    std::atomic<std::int64_t> until_{0};  // nanoseconds: what was taken would have come by then, one after the other
};

/// One T for each app, which stays where it is when a reload brings more apps.
template <class T>
class PerApp {
public:
    explicit PerApp(std::size_t apps) { grow(apps); }

    /// Makes room for the first `apps` indices. One thread, before any other hears of the new ones.
    void grow(std::size_t apps) {
        SPILLWAY_ASSERT(apps <= kChunks * kChunkApps);
        for (std::size_t chunk = 0; chunk * kChunkApps < apps; ++chunk)
            if (chunks_[chunk] == nullptr) chunks_[chunk] = std::make_unique<Chunk>();
    }
    [[nodiscard]] T& operator[](AppIndex app) { return (*chunks_[app / kChunkApps])[app % kChunkApps]; }
    [[nodiscard]] const T& operator[](AppIndex app) const { return (*chunks_[app / kChunkApps])[app % kChunkApps]; }

private:
    static constexpr std::size_t kChunkApps = 256;
    static constexpr std::size_t kChunks = (std::size_t{std::numeric_limits<AppIndex>::max()} + 1) / kChunkApps;
    using Chunk = std::array<T, kChunkApps>;

    std::array<std::unique_ptr<Chunk>, kChunks> chunks_;
};

/// What a connection of the main port takes a place among: it begins with its handshake, then becomes one of the API or a
/// client. Refused ones have none, and are few (Lifecycle::turn_away).
enum class Seat : std::uint8_t { none, handshake, api, client };

/// What the first core says of memory, and what it is told. Any thread; relaxed: a moment late is early enough.
struct MemoryState {
    std::atomic<std::uint64_t> resident{0};  // of the process, seen once a second; 0 = not known
    std::atomic<MemoryStage> stage{MemoryStage::all_served};
    std::atomic<std::uint64_t> cut{0};   // times backlogs were to be cut << 32 | thousandths of them that are to go
    std::atomic<std::uint32_t> tidy{0};  // times the cores were to give free memory back
};

struct Quotas {
    explicit Quotas(std::size_t apps) : per_app(apps), publishes(apps) {}
    Quota connections;  // descriptors of the main port
    Quota handshakes;
    Quota api;
    Quota clients;
    PerApp<Quota> per_app;
    PerApp<RateQuota> publishes;
    MemoryState memory;
};

}  // namespace spillway::server
