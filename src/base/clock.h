// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Time as values. Nothing but a Clock reads a clock: real in the server, fake and seeded in the simulation.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace spillway::base {

using Duration = std::chrono::nanoseconds;

/// A point on the monotonic clock, in nanoseconds from an arbitrary start; never steps back.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

[[nodiscard]] constexpr std::uint64_t milliseconds_of(Instant when) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count());
}

class Clock {
public:
    virtual ~Clock() = default;
    /// Monotonic time. Any thread.
    [[nodiscard]] virtual Instant now() const = 0;
    /// Wall-clock seconds since the Unix epoch; may step. For signatures and timestamps shown to others only.
    [[nodiscard]] virtual std::int64_t unix_seconds() const = 0;
    /// The same in milliseconds, as exact as the clock is.
    [[nodiscard]] virtual std::int64_t unix_milliseconds() const { return unix_seconds() * 1000; }
    /// Time that the calling thread has had a CPU, in user and kernel mode. A system call of up to a microsecond.
    [[nodiscard]] virtual Duration thread_cpu() const = 0;
};

/// The machine's own clocks.
class SystemClock final : public Clock {
public:
    [[nodiscard]] Instant now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] std::int64_t unix_seconds() const override {
        using namespace std::chrono;
        return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
    }
    [[nodiscard]] std::int64_t unix_milliseconds() const override {
        using namespace std::chrono;
        return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
    }
    [[nodiscard]] Duration thread_cpu() const override {
        timespec cpu{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
        return std::chrono::seconds(cpu.tv_sec) + std::chrono::nanoseconds(cpu.tv_nsec);
    }
};

}  // namespace spillway::base
