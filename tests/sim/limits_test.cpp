// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Limits at their edges: N are admitted, N+1 is told so, and when one goes the next is admitted. Whole cores.
#include <algorithm>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_world.h"

namespace spillway::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kAll = 1 << 20;

SimOptions roomy(std::size_t cores) {
    SimOptions options;
    options.cores = cores;
    options.mesh_capacity = 4096;
    return options;
}

std::vector<SimClient*> arrive(SimWorld& world, std::size_t n, SimClient::Kind kind = SimClient::Kind::feed) {
    std::vector<SimClient*> clients;
    for (std::size_t i = 0; i < n; ++i) {
        clients.push_back(&world.connect(i % world.cores(), kind, kind == SimClient::Kind::feed ? "room" : ""));
        clients.back()->rude = true;  // being refused is what it may get
    }
    return clients;
}

/// Time passes without anybody saying anything.
void pass(SimWorld& world, base::Duration time) {
    const base::Instant end = world.clock.peek() + time;
    while (world.clock.peek() < end) {
        world.clock.advance(milliseconds{20});
        for (std::size_t i = 0; i < world.cores(); ++i)
            for (int turns = 0; turns < 3; ++turns) world.turn(i);
    }
}

std::size_t with_status(const std::vector<SimClient*>& clients, int status) {
    return static_cast<std::size_t>(
        std::ranges::count_if(clients, [status](const SimClient* c) { return c->status() == status; }));
}

std::uint64_t refused(SimWorld& world, server::Refusal reason) {
    return world.sum([reason](const server::Stats& s) { return s.refused[static_cast<std::size_t>(reason)].value(); });
}

}  // namespace

TEST_CASE("S4 C6 as many handshakes may be pending as the limit says, and one more is told so") {
    for (const std::size_t cores : {1U, 2U}) {
        SimOptions options = roomy(cores);
        options.config.max_handshakes = 5;
        SimWorld world(options);
        auto silent = arrive(world, 5);
        pass(world, milliseconds{100});
        CHECK(refused(world, server::Refusal::max_handshakes) == 0);
        auto sixth = arrive(world, 1);
        pass(world, milliseconds{100});
        sixth[0]->read(kAll);
        CHECK(sixth[0]->status() == 503);
        CHECK(refused(world, server::Refusal::max_handshakes) == 1);
        for (SimClient* client : silent) client->write(kAll);  // they speak up, and are clients
        pass(world, milliseconds{100});
        auto more = arrive(world, 5);
        world.settle();
        CHECK(std::ranges::all_of(silent, [](const SimClient* client) { return client->open(); }));
        CHECK(std::ranges::all_of(more, [](const SimClient* client) { return client->open(); }));
        world.end();
    }
}

TEST_CASE("a thousand silent connections keep nobody out for longer than the handshake timeout") {
    SimOptions options = roomy(1);
    options.config.max_handshakes = 100;
    SimWorld world(options);
    auto silent = arrive(world, 1000);
    pass(world, milliseconds{500});
    CHECK(refused(world, server::Refusal::max_handshakes) == 900);
    CHECK(world.network.open_connections() <= 100 + 256);
    pass(world, seconds{5});
    auto late = arrive(world, 10);
    world.settle();
    CHECK(std::ranges::all_of(late, [](const SimClient* client) { return client->open(); }));
}

TEST_CASE("S4 C6 connections of the API have a limit of their own, and clients another") {
    for (const std::size_t cores : {1U, 2U}) {
        SimOptions options = roomy(cores);
        options.config.max_api_connections = 3;
        options.config.max_clients = 2;
        SimWorld world(options);
        std::vector<SimPublisher*> publishers;
        for (std::size_t i = 0; i < 4; ++i) {
            publishers.push_back(&world.connect_publisher(i % cores));
            publishers.back()->publish({{"room"}, "x", Priority::normal, nullptr});
            world.settle();
        }
        for (std::size_t i = 0; i < 3; ++i) CHECK(publishers[i]->statuses() == std::vector<int>{200});
        CHECK(publishers[3]->statuses() == std::vector<int>{503});
        CHECK(refused(world, server::Refusal::max_api_connections) == 1);
        auto clients = arrive(world, 3);
        world.settle();
        CHECK(with_status(clients, 101) == 2);
        CHECK(with_status(clients, 503) == 1);
        publishers[0]->finish();
        world.settle();
        SimPublisher& next = world.connect_publisher(0);
        next.publish({{"room"}, "x", Priority::normal, nullptr});
        world.settle();
        CHECK(next.statuses() == std::vector<int>{200});
        world.end();
    }
}

TEST_CASE("accepting pauses before descriptors run out, whoever waits is told, and resumes") {
    for (const std::size_t cores : {1U, 2U}) {
        SimOptions options = roomy(cores);
        options.config.max_connections = 6;
        SimWorld world(options);
        auto first = arrive(world, 6);
        world.settle();
        auto second = arrive(world, 20);
        world.settle();
        CHECK(with_status(first, 101) == 6);
        CHECK(with_status(second, 503) == 20);
        CHECK(refused(world, server::Refusal::descriptors) == 20);
        for (std::size_t i = 0; i < 3; ++i) first[i]->reset();
        world.settle();
        auto third = arrive(world, 3);
        world.settle();
        CHECK(with_status(third, 101) == 3);
        world.end();
    }
}

TEST_CASE("a process out of descriptors answers 503 with the spare one and takes clients again when some left") {
    for (const std::size_t cores : {1U, 2U}) {
        SimWorld world(roomy(cores));
        world.network.descriptors_max = 8;
        auto first = arrive(world, 8);
        world.settle();
        auto second = arrive(world, 100);
        world.settle();
        CHECK(with_status(first, 101) == 8);
        CHECK(with_status(second, 503) == 100);
        CHECK(refused(world, server::Refusal::descriptors) == 100);
        world.network.descriptors_max = 0;
        pass(world, milliseconds{200});
        auto third = arrive(world, 20);
        world.settle();
        CHECK(with_status(third, 101) == 20);
        world.end();
    }
}

TEST_CASE(
    "S4 C6 R13 N clients of one address are admitted on all cores together, N+1 is refused, others are not asked about "
    "it") {
    for (const std::size_t cores : {1U, 2U, 3U}) {
        SimOptions options = roomy(cores);
        options.config.max_clients_per_ip = 5;
        SimWorld world(options);
        auto first = arrive(world, 12);
        auto elsewhere = arrive(world, 5, SimClient::Kind::pusher);
        for (SimClient* client : elsewhere) client->connection().address.address.bytes[15] = 9;
        world.settle();
        CHECK(with_status(first, 101) == 5);
        CHECK(with_status(first, 503) == 7);
        CHECK(with_status(elsewhere, 101) == 5);
        CHECK(refused(world, server::Refusal::max_clients_per_ip) == 7);
        std::size_t gone = 0;
        for (SimClient* client : first)
            if (client->open() && gone < 2) {
                gone % 2 ? client->reset() : client->close_with_frame(1000);
                ++gone;
            }
        world.settle();
        auto second = arrive(world, 4);
        world.settle();
        CHECK(with_status(second, 101) == 2);
        world.end();
    }
}

TEST_CASE("a client that goes while its address is asked about leaves no place taken") {
    for (int when = 0; when < 6; ++when) {
        SimOptions options = roomy(2);
        options.config.max_clients_per_ip = 1;
        SimWorld world(options);
        std::vector<SimClient*> clients = arrive(world, 2);
        for (SimClient* client : clients) client->write(kAll);
        for (int turns = 0; turns < when; ++turns) {
            world.ring(static_cast<std::size_t>(turns % 2)).progress();
            world.turn(static_cast<std::size_t>(turns % 2));
        }
        for (SimClient* client : clients) client->reset();
        world.settle();
        for (std::size_t i = 0; i < 2; ++i) CHECK(world.core(i).gate.book().clients() == 0);
        auto next = arrive(world, 2);
        world.settle();
        CHECK(with_status(next, 101) == 1);
        world.end();
    }
}

TEST_CASE("R13 a client that connects too fast is upgraded and sent away with 4100") {
    for (const std::size_t cores : {1U, 2U}) {
        SimOptions options = roomy(cores);
        options.config.connects_per_second_per_ip = 3;
        SimWorld world(options);
        auto clients = arrive(world, 8, SimClient::Kind::pusher);
        pass(world, milliseconds{1});
        world.settle();
        std::size_t sent_away = 0;
        for (const SimClient* client : clients) sent_away += client->close_code() == 4100 ? 1U : 0U;
        CHECK(with_status(clients, 101) == 8);
        CHECK(sent_away == 5);
        CHECK(refused(world, server::Refusal::connect_rate) == 5);
        pass(world, seconds{1});
        auto later = arrive(world, 3, SimClient::Kind::pusher);
        world.settle();
        CHECK(std::ranges::all_of(later, [](const SimClient* client) { return client->open(); }));
        world.end();
    }
}

TEST_CASE("R13 a client that says too much too fast is sent away with 4100, one at the limit stays") {
    SimOptions options = roomy(1);
    options.config.client_messages_per_second = 10;
    options.config.client_bytes_per_second = 16 * kKiB;
    SimWorld world(options);
    auto clients = arrive(world, 3, SimClient::Kind::pusher);
    world.settle();
    for (int i = 0; i < 10; ++i) clients[0]->pusher_ping();
    for (int i = 0; i < 11; ++i) i % 2 ? clients[1]->pusher_ping() : clients[1]->ping();
    clients[2]->say(std::string(17 * kKiB, 'x'));
    world.settle();
    CHECK(clients[0]->open());
    CHECK(clients[1]->close_code() == 4100);
    CHECK(clients[2]->close_code() == 4100);
    CHECK(refused(world, server::Refusal::message_rate) == 1);
    CHECK(refused(world, server::Refusal::byte_rate) == 1);
    world.end();
}

}  // namespace spillway::test
