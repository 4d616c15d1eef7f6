// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Who waits in a backlog when a server stops: answered if there is no successor, left to it if there is one. Whole cores.
#include <algorithm>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_world.h"

namespace spillway::test {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kAll = 1 << 20;

std::vector<SimClient*> arrive(SimWorld& world, std::size_t n) {
    std::vector<SimClient*> clients;
    for (std::size_t i = 0; i < n; ++i) {
        clients.push_back(&world.connect(i % world.cores(), SimClient::Kind::feed, "room"));
        clients.back()->rude = true;  // being sent away is what it may get
    }
    return clients;
}

void pass(SimWorld& world, const std::vector<SimClient*>& clients, base::Duration time) {
    const base::Instant end = world.clock.peek() + time;
    while (world.clock.peek() < end) {
        world.clock.advance(milliseconds{2});
        for (std::size_t i = 0; i < world.cores(); ++i) world.turn(i);
        for (SimClient* client : clients) {
            client->write(kAll);
            client->read(kAll);
        }
    }
}

}  // namespace

TEST_CASE("a server that stops without a successor resets nobody who had come before") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        SimOptions options;
        options.seed = seed;
        options.cores = 1 + seed % 2;
        options.faults.idle = static_cast<unsigned>(seed % 5) * 150;
        options.faults.delay = static_cast<unsigned>(seed % 3) * 200;
        SimWorld world(options);
        auto before = arrive(world, 10);
        world.settle();
        auto waiting = arrive(world, 40);
        world.signal(server::Signal::What::drain);
        pass(world, waiting, milliseconds{1500});
        for (const SimClient* client : waiting) CHECK(client->status() == 503);
        for (const SimClient* client : before) CHECK(client->status() == 101);
        world.end();
    }
}

TEST_CASE("a server that is taken over leaves the backlog to its successor, and serves who it had accepted") {
    for (const std::size_t cores : {1U, 2U}) {
        SimOptions options;
        options.cores = cores;
        SimWorld world(options);
        auto silent = arrive(world, 10);  // their requests come late
        for (int i = 0; i < 10; ++i)
            for (std::size_t core = 0; core < cores; ++core) world.turn(core);
        CHECK(world.network.accepted() == 10);
        world.signal(server::Signal::What::hand_over);
        for (int i = 0; i < 3; ++i)
            for (std::size_t core = 0; core < cores; ++core) world.turn(core);
        pass(world, silent, milliseconds{1500});
        for (const SimClient* client : silent) {
            CHECK(client->status() == 101);
            CHECK(client->close_code() == 1012);
        }
        CHECK(world.network.accepted() == 10);
        world.end();
    }
}

}  // namespace spillway::test
