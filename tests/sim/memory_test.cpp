// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Memory runs out: what is withheld, in which order, and that all of it is given back. Whole cores; what is resident is what
// the test says it is, so each stage can be held for as long as is looked at it.
#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "sim_world.h"

namespace spillway::test {
namespace {

using server::MemoryStage;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kAll = 1 << 20;
constexpr std::size_t kWindow = 4 * kKiB;                                        // of a client that does not read
constexpr std::uint64_t kBase = std::uint64_t{kRecvBuffers} * kRecvBufferBytes;  // that each core has from the start

class Tight {
public:
    Tight(std::size_t cores, std::uint64_t limit) : world(options(cores, limit)), limit_(limit) {
        reader = &world.subscriber(0, {"room"}, kAll);
        sleeper = &world.subscriber(cores - 1, {"room"}, kWindow);
        sleeper->rude = true;
        publisher = &world.connect_publisher(0);
    }

    void say_resident(double share) {
        world.core(0).quotas.memory.resident.store(static_cast<std::uint64_t>(static_cast<double>(limit_) * share));
    }
    [[nodiscard]] MemoryStage stage() { return world.core(0).quotas.memory.stage.load(); }

    /// Time passes, and everybody but the sleeper reads; returns the stages in the order in which they came.
    std::vector<MemoryStage> pass(base::Duration time, MemoryStage until = MemoryStage{99}) {
        std::vector<MemoryStage> stages{stage()};
        for (const base::Instant end = world.clock.peek() + time; world.clock.peek() < end && stage() != until;) {
            world.clock.advance(milliseconds{1});
            for (std::size_t i = 0; i < world.cores(); ++i) world.turn(i);
            world.check();
            reader->read(kAll);
            publisher->write(kAll);
            publisher->read(kAll);
            if (stage() != stages.back()) stages.push_back(stage());
        }
        return stages;
    }
    /// Reaches the limit until `wanted` holds, then stays a little below it.
    void reach(MemoryStage wanted) {
        say_resident(2);
        pass(seconds{1}, wanted);
        say_resident(0.95);
        pass(milliseconds{300});
    }
    /// The answer to one publication.
    int publish(std::size_t bytes = 10) {
        publisher->publish({{"room"}, std::string(bytes, 'x'), Priority::normal, nullptr});
        pass(milliseconds{20});
        return publisher->statuses().back();
    }
    SimClient& arrive(SimClient::Kind kind) {
        SimClient& client = world.connect(0, kind, kind == SimClient::Kind::feed ? "room" : "", kAll);
        client.rude = true;
        for (int i = 0; i < 20; ++i) {
            client.write(kAll);
            pass(milliseconds{1});
            client.read(kAll);
        }
        return client;
    }
    [[nodiscard]] std::int64_t accounted() {
        return static_cast<std::int64_t>(world.sum([](const server::Stats& stats) {
            std::int64_t bytes = 0;
            for (const base::Gauge& kind : stats.memory) bytes += kind.value();
            return static_cast<std::uint64_t>(bytes);
        }));
    }

    SimWorld world;
    SimClient* reader = nullptr;
    SimClient* sleeper = nullptr;
    SimPublisher* publisher = nullptr;

private:
    static SimOptions options(std::size_t cores, std::uint64_t limit) {
        SimOptions o;
        o.cores = cores;
        o.mesh_capacity = 4096;
        o.config.memory_limit = limit;
        o.config.queue_bytes = 64 * kMiB;
        o.config.queue_messages = 8192;
        o.config.socket_send_buffer = 16 * kKiB;
        return o;
    }

    std::uint64_t limit_;
};

std::uint64_t refused_for_memory(SimWorld& world) {
    return world.sum([](const server::Stats& stats) {
        return stats.refused[static_cast<std::size_t>(server::Refusal::memory)].value();
    });
}

/// Clients that were closed for what waited for them.
std::uint64_t cut(SimWorld& world) {
    return world.sum([](const server::Stats& stats) {
        std::uint64_t n = 0;
        for (const auto& code : stats.closes) n += code[static_cast<std::size_t>(CloseReason::memory)].value();
        return n;
    });
}

}  // namespace

TEST_CASE(
    "B1 memory runs out: new clients, then the largest backlog, then publications are let go, and all comes back") {
    using enum MemoryStage;
    for (const std::size_t cores : {1U, 2U}) {
        Tight tight(cores, 64 * kMiB);
        for (int i = 0; i < 20; ++i) CHECK(tight.publish(9000) == 200);
        REQUIRE(tight.world.sum(
                    [](const server::Stats& s) { return static_cast<std::uint64_t>(s.queued_messages.value()); }) > 0);

        tight.reach(no_new_clients);
        CHECK(tight.stage() == no_new_clients);
        CHECK(tight.arrive(SimClient::Kind::feed).status() == 503);
        CHECK(tight.arrive(SimClient::Kind::pusher).close_code() == 4100);
        CHECK(refused_for_memory(tight.world) == 2);
        CHECK(tight.publish() == 200);

        tight.reach(backlogs_cut);
        CHECK(tight.stage() == backlogs_cut);
        CHECK(cut(tight.world) == 1);
        CHECK(tight.reader->open());
        CHECK(tight.publish() == 200);

        tight.reach(no_publications);
        CHECK(tight.stage() == no_publications);
        CHECK(tight.publish() == 503);
        CHECK(tight.reader->open());

        tight.say_resident(0.5);
        CHECK(tight.pass(seconds{3}) == std::vector{no_publications, backlogs_cut, no_new_clients, all_served});
        CHECK(tight.arrive(SimClient::Kind::feed).open());
        CHECK(tight.publish() == 200);
        CHECK(tight.reader->numbers().size() == 23);
        tight.world.end();
    }
}

TEST_CASE(
    "B1 a backlog that fills the memory is cut before the limit is left far behind, and who reads loses nothing") {
    for (const std::size_t cores : {1U, 2U}) {
        const std::uint64_t limit = cores * kBase + 3 * kMiB;
        Tight tight(cores, limit);
        MemoryStage worst = MemoryStage::all_served;
        std::size_t taken = 0;
        for (int i = 0; i < 600; ++i) {
            taken += tight.publish(9000) == 200 ? 1U : 0U;
            worst = std::max(worst, tight.stage());
            REQUIRE(tight.accounted() < static_cast<std::int64_t>(limit + limit / 10));
        }
        CHECK(worst >= MemoryStage::backlogs_cut);
        CHECK(cut(tight.world) == 1);
        CHECK(tight.world.find(tight.sleeper->connection()) == nullptr);
        tight.pass(seconds{3});
        CHECK(tight.stage() == MemoryStage::all_served);
        CHECK(tight.publish() == 200);
        CHECK(tight.reader->numbers().size() == taken + 1);
        tight.world.end();
    }
}

}  // namespace spillway::test
