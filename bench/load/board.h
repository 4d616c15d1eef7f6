// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The memory that publisher and subscriber processes share: orders in one direction, counts in the other. Made before
// the processes are forked, so all see it at the same address.
#pragma once

#include <atomic>
#include <cstdint>

#include "histogram.h"
#include "options.h"

namespace spillway::load {

/// One broadcast. Due and slot are written before it is published.
struct Round {
    std::atomic<std::uint32_t> remaining;  // deliveries it still needs
    std::uint32_t slot;                    // of the histogram that its latencies go into
    std::int64_t due_ns;                   // when it was, or should have been, published
    std::atomic<std::int64_t> done_ns;     // when it reached the last
};

/// Written by one subscriber process, read by all.
struct alignas(64) ProcessCounts {
    std::atomic<std::uint32_t> target;  // written by the publisher: how many clients it should have
    std::atomic<std::uint32_t> open;
    std::atomic<std::uint32_t> ready;  // of those, subscribed
    std::atomic<std::uint64_t> deliveries;
    std::atomic<std::uint64_t> slow_deliveries;  // to those who did not read at first
    std::atomic<std::uint64_t> bytes;
    std::atomic<std::uint64_t> gaps;     // sequence numbers jumped over
    std::atomic<std::uint64_t> repeats;  // seen again, or out of order
    std::atomic<std::uint64_t> malformed;
    std::atomic<std::uint64_t> refused;  // connections that never became subscribers
    std::atomic<std::uint64_t> lost;     // subscribers whose connection ended
    std::atomic<std::uint64_t> visits;   // of visitors that came, listened and left
    std::atomic<int> reason;             // of the last refused or lost: errno, HTTP status or close code
};

/// Latencies are kept apart by when (a stretch of time, a step of a search) and by which: the small channels of a mix,
/// and the channel aside, are class 1.
inline constexpr std::uint32_t kSlots = 64;
inline constexpr std::uint32_t kWarmupSlot = kSlots - 1;  // not part of any figure
inline constexpr std::uint32_t kClasses = 2;

class Board {
public:
    /// Room for that many broadcasts in each stream. Ends the process with a message when there is no memory.
    static Board* create(std::uint32_t main_rounds, std::uint32_t aside_rounds);
    void destroy();

    std::atomic<bool> stop;
    std::atomic<bool> thaw;              // the slow ones read, too
    std::atomic<std::uint32_t> changed;  // futex word, woken at each completion
    ProcessCounts processes[kProcessesMax];

    [[nodiscard]] std::uint32_t round_count(Stream stream) const { return round_count_[stream]; }
    [[nodiscard]] Round& round(Stream stream, std::uint32_t number) { return rounds_[stream][number]; }
    [[nodiscard]] std::uint32_t done(Stream stream) const { return done_[stream].load(std::memory_order_acquire); }
    [[nodiscard]] Histogram& latency(std::uint32_t process, std::uint32_t which, std::uint32_t slot) {
        return latencies_[(process * kClasses + which) * kSlots + slot];
    }
    /// Over all processes.
    [[nodiscard]] Histogram latency(std::uint32_t which, std::uint32_t slot);

    /// `count` subscribers got the round; the last of them completes it and wakes the publisher.
    void arrived(Stream stream, std::uint32_t number, std::uint32_t count, std::int64_t now);

    /// Sleeps until so many rounds of the stream are done, or the time is up: false.
    bool wait_done(Stream stream, std::uint32_t goal, std::int64_t until_ns);

    [[nodiscard]] std::uint64_t sum(std::atomic<std::uint64_t> ProcessCounts::* field) const;
    [[nodiscard]] std::uint32_t sum(std::atomic<std::uint32_t> ProcessCounts::* field) const;

private:
    std::uint32_t round_count_[kStreams];
    Round* rounds_[kStreams];
    std::atomic<std::uint32_t> done_[kStreams];
    Histogram* latencies_;
    std::uint64_t mapped_bytes_;
};

/// Monotonic nanoseconds, the same in all processes.
[[nodiscard]] std::int64_t now_ns();

}  // namespace spillway::load
