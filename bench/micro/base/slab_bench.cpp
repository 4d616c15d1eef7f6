// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What naming clients by slot and generation costs against a pointer: look-ups in random order, the walk over all, and
// a life (acquire and release) while many others live.
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/slab.h"

namespace {

using spillway::base::Slab;

struct Client {
    std::uint64_t touched = 0;
    std::uint64_t rest[31] = {};
};

std::vector<std::uint32_t> random_slots(std::size_t clients) {
    std::mt19937 random(1);
    std::vector<std::uint32_t> slots(1 << 16);
    for (auto& slot : slots) slot = static_cast<std::uint32_t>(random() % clients);
    return slots;
}

void find_random(benchmark::State& state) {
    const auto clients = static_cast<std::size_t>(state.range(0));
    Slab<Client> slab(clients);
    for (std::size_t i = 0; i < clients; ++i) (void)slab.acquire();
    const auto slots = random_slots(clients);
    for (auto _ : state) {
        for (const std::uint32_t slot : slots) ++slab.find(slot, 1)->touched;
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(slots.size()));
}

void pointer_random(benchmark::State& state) {
    const auto clients = static_cast<std::size_t>(state.range(0));
    Slab<Client> slab(clients);
    for (std::size_t i = 0; i < clients; ++i) (void)slab.acquire();
    std::vector<Client*> pointers;
    for (const std::uint32_t slot : random_slots(clients)) pointers.push_back(&slab[slot]);
    for (auto _ : state) {
        for (Client* client : pointers) ++client->touched;
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(pointers.size()));
}

void walk(benchmark::State& state) {
    const auto clients = static_cast<std::size_t>(state.range(0));
    Slab<Client> slab(clients);
    for (std::size_t i = 0; i < clients; ++i) (void)slab.acquire();
    for (auto _ : state) slab.for_each([](std::uint32_t, Client& client) { ++client.touched; });
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(clients));
}

void life(benchmark::State& state) {
    const auto clients = static_cast<std::size_t>(state.range(0));
    Slab<Client> slab(clients + 1);
    for (std::size_t i = 0; i < clients; ++i) (void)slab.acquire();
    for (std::uint32_t i = 0; i < clients / 2; ++i) slab.release(i * 2);
    for (auto _ : state) slab.release(*slab.acquire());
    state.SetItemsProcessed(state.iterations());
}

}  // namespace

BENCHMARK(find_random)->Arg(1'000)->Arg(100'000);
BENCHMARK(pointer_random)->Arg(1'000)->Arg(100'000);
BENCHMARK(walk)->Arg(1'000)->Arg(100'000);
BENCHMARK(life)->Arg(1'000)->Arg(100'000);

BENCHMARK_MAIN();
