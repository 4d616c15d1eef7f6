// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The hot path allocates nothing once it is warm: whole cores over the fake ring, every malloc of theirs counted between
// the publisher's bytes coming in and the last subscriber's going out. What the simulation itself allocates is not. The clock stands
// still, so what is done once a second (health, figures) is not in it.
#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_world.h"

namespace {

bool counting = false;
std::size_t allocations = 0;

void note() {
    if (counting && !spillway::test::AsideWork::under_way()) ++allocations;
}

}  // namespace

// The C library's own names for what these replace.
extern "C" {
void* __libc_malloc(std::size_t bytes);                           // NOLINT
void* __libc_calloc(std::size_t count, std::size_t bytes);        // NOLINT
void* __libc_realloc(void* memory, std::size_t bytes);            // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t bytes);  // NOLINT

void* malloc(std::size_t bytes) {
    note();
    return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
    note();
    return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
    note();
    return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    note();
    return __libc_memalign(alignment, bytes);
}
}

namespace spillway::test {
namespace {

constexpr std::size_t kAll = 1 << 20;

/// Turns the cores until nothing moves, counting; then everybody reads, not counted.
class Field {
public:
    explicit Field(std::size_t cores) : world_(options(cores)) {}

    SimWorld& world() { return world_; }
    SimPublisher& publisher() {
        if (publisher_ == nullptr) publisher_ = &world_.connect_publisher(0, SimPublisher::Mode::stream);
        return *publisher_;
    }
    void subscriber(std::size_t core, const std::vector<std::string>& channels) {
        people_.push_back(&world_.subscriber(core, channels, kAll));
    }
    void feed(std::size_t core, const std::string& channel) {
        people_.push_back(&world_.connect(core, SimClient::Kind::feed, channel, kAll));
        world_.settle();
    }
    /// One event for these channels, `times` over, delivered to everybody.
    void broadcast(const std::vector<std::string>& channels, std::size_t times) {
        for (std::size_t i = 0; i < times; ++i) publisher().publish({channels, {}, Priority::normal, nullptr});
        publisher().write(kAll);
        counting = true;
        for (int round = 0; round < 60; ++round)
            for (std::size_t core = 0; core < world_.cores(); ++core) world_.turn(core);
        counting = false;
        for (SimClient* person : people_) person->read(kAll);
        publisher().read(kAll);
    }
    std::size_t deliveries() { return world_.scene.deliveries; }

private:
    static SimOptions options(std::size_t cores) {
        SimOptions o;
        o.cores = cores;
        o.mesh_capacity = 4096;
        o.calm = true;
        o.window = kAll;
        o.ring.sq_entries = 256;
        o.ring.cq_entries = 1024;
        o.ring.buffer_bytes = 4096;
        return o;
    }

    SimWorld world_;
    SimPublisher* publisher_ = nullptr;
    std::vector<SimClient*> people_;
};

/// Allocations of `rounds` broadcasts once as many have gone before.
std::size_t in_steady_state(Field& field, const std::vector<std::string>& channels, std::size_t times,
                            std::size_t rounds) {
    for (std::size_t i = 0; i < rounds; ++i) field.broadcast(channels, times);
    allocations = 0;
    for (std::size_t i = 0; i < rounds; ++i) field.broadcast(channels, times);
    return allocations;
}

std::vector<std::string> channel_names(std::size_t n) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < n; ++i) names.push_back("room-" + std::to_string(i));
    return names;
}

}  // namespace

TEST_CASE("H3 an allocation of a core is seen, one of the simulation is not") {
    Field field(1);
    field.subscriber(0, {"room-0"});
    allocations = 0;
    field.broadcast({"room-0"}, 1);
    CHECK(allocations != 0);  // the first of everything
    counting = true;
    allocations = 0;
    {
        const AsideWork aside;
        const std::string text(100, 'x');
        CHECK(text.size() == 100);
    }
    const std::size_t beside = allocations;
    const volatile auto memory = std::make_unique<int>(1).release();
    counting = false;
    CHECK(beside == 0);
    CHECK(allocations >= 1);
    delete memory;
}

TEST_CASE("H3 a lone message to many subscribers allocates nothing") {
    for (const std::size_t cores : {1U, 2U}) {
        Field field(cores);
        for (std::size_t i = 0; i < 60; ++i) field.subscriber(i % cores, {"room-0"});
        for (std::size_t i = 0; i < 20; ++i) field.feed(i % cores, "room-0");
        CHECK(in_steady_state(field, {"room-0"}, 1, 100) == 0);
        CHECK(field.deliveries() == 200 * 80);
    }
}

TEST_CASE("H3 messages joined into one send per subscriber allocate nothing") {
    Field field(1);
    for (std::size_t i = 0; i < 60; ++i) field.subscriber(0, {"room-0"});
    CHECK(in_steady_state(field, {"room-0"}, 20, 50) == 0);
    CHECK(field.deliveries() == 100 * 20 * 60);
}

TEST_CASE("H3 twenty hot channels and clients in all of them allocate nothing") {
    for (const std::size_t cores : {1U, 2U}) {
        Field field(cores);
        const auto channels = channel_names(20);
        for (std::size_t i = 0; i < 40; ++i) field.subscriber(i % cores, channels);
        CHECK(in_steady_state(field, channels, 2, 50) == 0);
        CHECK(field.deliveries() == 100 * 2 * 40 * 20);
    }
}

}  // namespace spillway::test
