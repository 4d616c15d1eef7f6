// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The hot path allocates nothing once it is warm: whole cores over the fake ring, every malloc of theirs counted between
// the publisher's bytes coming in and the last subscriber's going out. What the simulation itself allocates is not. The clock stands
// still, so what is done once a second (health, figures) is not in it.
//
// And what becomes of a server whose n-th allocation fails.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_world.h"

namespace {

bool counting = false;
std::size_t allocations = 0;
std::size_t first_to_fail = 0;  // 0 = none
bool all_behind_fail = false;

/// May there be memory?
bool note() {
    if (!counting || spillway::test::AsideWork::under_way()) return true;
    ++allocations;
    if (first_to_fail == 0) return true;
    return all_behind_fail ? allocations < first_to_fail : allocations != first_to_fail;
}

}  // namespace

// The C library's own names for what these replace.
extern "C" {
void* __libc_malloc(std::size_t bytes);                           // NOLINT
void* __libc_calloc(std::size_t count, std::size_t bytes);        // NOLINT
void* __libc_realloc(void* memory, std::size_t bytes);            // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t bytes);  // NOLINT

void* malloc(std::size_t bytes) { return note() ? __libc_malloc(bytes) : nullptr; }
void* calloc(std::size_t count, std::size_t bytes) { return note() ? __libc_calloc(count, bytes) : nullptr; }
void* realloc(void* memory, std::size_t bytes) { return note() ? __libc_realloc(memory, bytes) : nullptr; }
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
    return note() ? __libc_memalign(alignment, bytes) : nullptr;
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

// ---- the n-th allocation fails

namespace {

enum class Fate : int { lived = 0, ended = 10, broke_a_promise = 20, no_such_allocation = 30 };

[[noreturn]] void leave(Fate fate) { ::_exit(static_cast<int>(fate)); }

/// People come, subscribe, publish and go; only what the cores do counts.
void short_life() {
    SimOptions options;
    options.cores = 2;
    options.mesh_capacity = 64;
    SimWorld world(options);
    SimClient& client = world.connect(0);
    SimClient& feed = world.connect(1, SimClient::Kind::feed, "room");
    SimPublisher& publisher = world.connect_publisher(1);
    client.rude = feed.rude = publisher.rude = true;  // an error may be what they get
    for (int round = 0; round < 40; ++round) {
        if (round == 10 && client.open()) {
            client.subscribe("room");
            client.subscribe("presence-room");
        }
        if (round == 20) publisher.publish({{"room", "presence-room"}, "one", Priority::normal, nullptr});
        if (round == 30 && client.open()) client.close_with_frame(1000);
        if (round == 30 && !feed.gone()) feed.reset();
        for (SimClient* person : {&client, &feed}) {
            person->write(kAll);
            person->read(kAll);
        }
        publisher.write(kAll);
        publisher.read(kAll);
        counting = true;
        for (std::size_t core = 0; core < world.cores(); ++core) world.turn(core);
        counting = false;
        world.check();
        world.clock.advance(std::chrono::milliseconds{1});
    }
}

/// In a process of its own.
Fate life_without(std::size_t nth, bool and_all_behind) {
    const int pid = ::fork();
    if (pid == 0) {
        static_cast<void>(std::freopen("/dev/null", "w", stderr));
        static_cast<void>(std::signal(SIGABRT, SIG_DFL));
        std::set_terminate([] { leave(Fate::ended); });
        allocations = 0;
        first_to_fail = nth;
        all_behind_fail = and_all_behind;
        try {
            short_life();
        } catch (const std::bad_alloc&) {
            leave(Fate::ended);  // nobody catches it in the server
        } catch (const SimFailure&) {
            leave(Fate::broke_a_promise);
        }
        leave(allocations < nth ? Fate::no_such_allocation : Fate::lived);
    }
    int status = 0;
    static_cast<void>(::waitpid(pid, &status, 0));
    return WIFEXITED(status) ? static_cast<Fate>(WEXITSTATUS(status)) : Fate::broke_a_promise;
}

}  // namespace

TEST_CASE("whichever allocation fails, once or with all behind it, the process ends at once or keeps its promises") {
    short_life();  // what libraries make once for a process is made: OpenSSL's first digest without memory is an assertion
    for (const bool and_all_behind : {false, true}) {
        std::size_t ended = 0;
        std::size_t nth = 1;
        for (;; nth += 1) {
            const Fate fate = life_without(nth, and_all_behind);
            if (fate == Fate::no_such_allocation) break;
            INFO("allocation " << nth << ", " << (and_all_behind ? "and all behind it" : "once"));
            CHECK(fate != Fate::broke_a_promise);
            ended += fate == Fate::ended ? 1 : 0;
        }
        CHECK(ended > 20);
        CHECK(nth > 100);
    }
}

}  // namespace spillway::test
