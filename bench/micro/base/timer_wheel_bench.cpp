// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The wheel as a core uses it: every client has one timer about 30 s ahead. Moving one at random, a tick's worth of
// firing and setting again, and the question a sleeper asks.
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/timer_wheel.h"

namespace {

using namespace spillway::base;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant kStart{seconds{1'000}};

TimerWheel filled(std::uint32_t ids) {
    TimerWheel wheel(TimerWheel::kTickDefault, TimerWheel::kBucketsDefault, kStart);
    for (std::uint32_t id = 0; id < ids; ++id) wheel.set(id, kStart + milliseconds{30'000} * (id + 1) / ids);
    return wheel;
}

void move_random(benchmark::State& state) {
    const auto ids = static_cast<std::uint32_t>(state.range(0));
    TimerWheel wheel = filled(ids);
    std::mt19937 random(1);
    std::vector<std::pair<std::uint32_t, Instant>> moves(1 << 16);
    for (auto& [id, due] : moves) {
        id = static_cast<std::uint32_t>(random() % ids);
        due = kStart + milliseconds{static_cast<std::int64_t>(random() % 60'000)};
    }
    for (auto _ : state) {
        for (const auto& [id, due] : moves) wheel.set(id, due);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(moves.size()));
}

void tick_and_set_again(benchmark::State& state) {
    const auto ids = static_cast<std::uint32_t>(state.range(0));
    TimerWheel wheel = filled(ids);
    Instant now = kStart;
    std::int64_t fired = 0;
    for (auto _ : state) {
        now += TimerWheel::kTickDefault;
        wheel.advance(now, [&](std::uint32_t id) {
            ++fired;
            wheel.set(id, now + seconds{30});
        });
    }
    state.SetItemsProcessed(fired);
}

void ask_next_due(benchmark::State& state) {
    TimerWheel wheel(TimerWheel::kTickDefault, TimerWheel::kBucketsDefault, kStart);
    wheel.set(0, kStart + seconds{state.range(0)});
    for (auto _ : state) benchmark::DoNotOptimize(wheel.next_due());
}

}  // namespace

BENCHMARK(move_random)->Arg(1'000)->Arg(100'000);
BENCHMARK(tick_and_set_again)->Arg(1'000)->Arg(100'000);
BENCHMARK(ask_next_due)->Arg(1)->Arg(80);

BENCHMARK_MAIN();
