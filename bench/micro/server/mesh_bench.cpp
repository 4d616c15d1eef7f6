// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What handing one envelope to another core costs (S10): send, flush and drain on one core, which is the work alone, and
// between two threads that never sleep, with cache lines travelling. A broadcast is sent as a home core sends it.
#include <sched.h>

#include <array>
#include <thread>
#include <variant>

#include <benchmark/benchmark.h>

#include "server/mesh.h"

namespace {

using namespace spillway;
using namespace spillway::server;

constexpr CoreId kA = 0;
constexpr CoreId kB = 1;

std::uint32_t expected_of(const Envelope& envelope) { return std::get<Broadcast>(envelope).expected; }

void send_and_drain(benchmark::State& state) {
    const auto burst = static_cast<std::uint32_t>(state.range(0));
    Mesh mesh(2);
    MeshPort a(mesh, kA);
    MeshPort b(mesh, kB);
    std::uint64_t sum = 0;
    for (auto _ : state) {
        for (std::uint32_t i = 0; i < burst; ++i) a.send(kB, Broadcast{nullptr, {1, 1}, i});
        a.flush();
        b.drain(burst, [&](CoreId, const Envelope& e) { sum += expected_of(e); });
    }
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations() * burst);
}

/// The rings cannot take it all: what is over goes through the outbox.
void send_over_the_ring(benchmark::State& state) {
    constexpr std::uint32_t kBurst = 256;
    Mesh mesh(2, 64);
    MeshPort a(mesh, kA);
    MeshPort b(mesh, kB);
    std::uint64_t sum = 0;
    for (auto _ : state) {
        for (std::uint32_t i = 0; i < kBurst; ++i) a.send(kB, Broadcast{nullptr, {1, 1}, i});
        for (std::uint32_t taken = 0; taken < kBurst;) {
            a.flush();
            taken +=
                static_cast<std::uint32_t>(b.drain(kBurst, [&](CoreId, const Envelope& e) { sum += expected_of(e); }));
        }
    }
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations() * kBurst);
}

/// Puts the calling thread on one processor.
void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ::sched_setaffinity(0, sizeof(set), &set);
}

/// The calling thread's processors, as they are now and again at the end.
class Processors {
public:
    Processors() { ::sched_getaffinity(0, sizeof(set_), &set_); }
    ~Processors() { ::sched_setaffinity(0, sizeof(set_), &set_); }
    Processors(const Processors&) = delete;
    Processors& operator=(const Processors&) = delete;

private:
    cpu_set_t set_{};
};

/// An endless flow in bursts of 16 between two threads, turn by turn as cores do it: from one processor to another.
void between_threads(benchmark::State& state) {
    constexpr std::uint32_t kPerRound = 1 << 18;
    constexpr std::uint32_t kBurst = 16;
    const auto from = static_cast<int>(state.range(0));
    const auto to = static_cast<int>(state.range(1));
    const Processors restored;
    pin(to);
    for (auto _ : state) {
        Mesh mesh(2);
        std::thread sender([&mesh, from] {
            pin(from);
            MeshPort a(mesh, kA);
            for (std::uint32_t sent = 0; sent < kPerRound;) {
                if (a.congested(kB)) {  // as a home does before it sequences
                    std::this_thread::yield();
                    continue;
                }
                for (std::uint32_t i = 0; i < kBurst; ++i) a.send(kB, Broadcast{nullptr, {1, 1}, sent++});
                a.flush();
            }
        });
        MeshPort b(mesh, kB);
        std::uint64_t sum = 0;
        for (std::size_t taken = 0; taken < kPerRound;) {
            const std::size_t n = b.drain(1024, [&](CoreId, const Envelope& e) { sum += expected_of(e); });
            if (n == 0) std::this_thread::yield();
            taken += n;
        }
        sender.join();
        benchmark::DoNotOptimize(sum);
    }
    state.SetItemsProcessed(state.iterations() * kPerRound);
}

/// Every pair of the processors that this process may use: how far they are from each other differs.
void pairs(benchmark::internal::Benchmark* benchmark) {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof(set), &set);
    for (int from = 0; from < CPU_SETSIZE; ++from)
        for (int to = from + 1; to < CPU_SETSIZE; ++to)
            if (CPU_ISSET(from, &set) && CPU_ISSET(to, &set)) benchmark->Args({from, to});
}

/// Nothing comes and nobody is asleep: what the mesh costs in an idle turn, by the number of cores.
void idle_turn(benchmark::State& state) {
    const auto cores = static_cast<std::size_t>(state.range(0));
    Mesh mesh(cores, 64);
    MeshPort port(mesh, 0);
    for (auto _ : state) {
        benchmark::DoNotOptimize(port.drain(1024, [](CoreId, const Envelope&) {}));
        port.flush();
        benchmark::DoNotOptimize(port.inbox_empty());
    }
}

}  // namespace

BENCHMARK(send_and_drain)->Arg(1)->Arg(16)->Arg(1024);
BENCHMARK(send_over_the_ring);
BENCHMARK(between_threads)->Apply(pairs)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(idle_turn)->Arg(2)->Arg(16)->Arg(64);

BENCHMARK_MAIN();
