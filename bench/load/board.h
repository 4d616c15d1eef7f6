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

/// One broadcast: to how many subscribers it still has to go, and when it reached the last.
struct Round {
    std::atomic<std::uint32_t> remaining;
    std::atomic<std::int64_t> done_ns;
};

/// Written by one subscriber process, read by all.
struct alignas(64) ProcessCounts {
    std::atomic<std::uint32_t> target;  // written by the publisher: how many clients it should have
    std::atomic<std::uint32_t> open;
    std::atomic<std::uint32_t> ready;  // of those, subscribed
    std::atomic<std::uint64_t> deliveries;
    std::atomic<std::uint64_t> bytes;
    std::atomic<std::uint64_t> gaps;     // sequence numbers jumped over
    std::atomic<std::uint64_t> repeats;  // seen again, or out of order
    std::atomic<std::uint64_t> malformed;
    std::atomic<std::uint64_t> refused;  // connections that never became subscribers
    std::atomic<std::uint64_t> lost;     // subscribers whose connection ended
    std::atomic<int> reason;             // of the last refused or lost: errno, HTTP status or close code
    Histogram latency;                   // open mode: from a message's schedule to its arrival
};

class Board {
public:
    /// Room for `rounds` broadcasts. Ends the process with a message when there is no memory.
    static Board* create(std::uint32_t rounds);

    std::atomic<bool> stop;
    std::atomic<std::uint32_t> rounds_done;  // futex word, woken at each completion
    std::atomic<std::int64_t> schedule_ns;   // open mode: when round 0 was due
    std::atomic<std::int64_t> interval_ns;
    std::atomic<std::uint32_t> measured_from;  // rounds before it are warm-up
    ProcessCounts processes[kProcessesMax];

    [[nodiscard]] std::uint32_t round_count() const { return round_count_; }
    [[nodiscard]] Round& round(std::uint32_t number) { return rounds()[number]; }

    /// `count` subscribers got round `number`; the last of them completes it and wakes the publisher.
    void arrived(std::uint32_t number, std::uint32_t count, std::int64_t now);

    /// Sleeps until rounds_done is at least `goal`, or the time is up: false.
    bool wait_done(std::uint32_t goal, std::int64_t until_ns);

    [[nodiscard]] std::uint64_t sum(std::atomic<std::uint64_t> ProcessCounts::* field) const;
    [[nodiscard]] std::uint32_t sum(std::atomic<std::uint32_t> ProcessCounts::* field) const;

private:
    Round* rounds() { return reinterpret_cast<Round*>(this + 1); }
    std::uint32_t round_count_;
};

/// Monotonic nanoseconds, the same in all processes.
[[nodiscard]] std::int64_t now_ns();

}  // namespace spillway::load
