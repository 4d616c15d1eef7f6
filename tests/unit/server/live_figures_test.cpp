// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/live_figures.h"

#include <string>
#include <vector>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "protocol/json.h"

using namespace spillway;
using namespace spillway::server;
using namespace std::chrono_literals;
using Catch::Approx;

namespace {

constexpr base::Instant kStart{100s};

struct Watched {
    Stats first, second;
    std::vector<const Stats*> both{&first, &second};
    LiveFigures live{both};
};

}  // namespace

TEST_CASE("a point holds what its second held, per second and over all cores", "[server][live]") {
    Watched w;
    w.first.deliveries.add(1'000'000);  // before anybody looked
    w.live.look(kStart, 1);
    CHECK(w.live.points().empty());

    w.first.deliveries.add(300);
    w.second.deliveries.add(100);
    w.first.published.add(4);
    pubsub::Message message;
    message.priority = Priority::low;
    w.second.count_drops(DropReason::queue_full, message, 6);
    w.first.bytes_sent.add(2000);
    w.second.bytes_received.add(20);
    w.first.clients[static_cast<std::size_t>(ClientKind::pusher)].add(5);
    w.second.clients[static_cast<std::size_t>(ClientKind::feed)].add(2);
    w.second.clients[static_cast<std::size_t>(ClientKind::dashboard)].add(1);
    w.first.loop_lag.record(500ms);
    w.second.loop_lag.record(3s);  // a turn that began before the last look
    w.live.look(kStart + 2s, 2001);

    REQUIRE(w.live.points().size() == 1);
    const LivePoint& p = w.live.points().back();
    CHECK(p.unix_ms == 2001);
    CHECK(p.delivered == Approx(200));
    CHECK(p.published == Approx(2));
    CHECK(p.dropped == Approx(3));
    CHECK(p.bytes_sent == Approx(1000));
    CHECK(p.bytes_received == Approx(10));
    CHECK(p.clients == 7);
    CHECK(w.live.cores()[0].busy == Approx(0.25));
    CHECK(w.live.cores()[1].busy == Approx(1));
    CHECK(p.busiest == Approx(1));
}

TEST_CASE("latencies are those of the second alone, not of the whole time", "[server][live]") {
    Watched w;
    for (int i = 0; i < 100'000; ++i) w.first.broadcast.record(5s);
    w.live.look(kStart, 0);
    w.first.broadcast.record(1ms, 98);
    w.second.broadcast.record(100ms, 2);
    w.live.look(kStart + 1s, 1000);
    CHECK(w.live.points().back().p50 == Approx(0.001).epsilon(0.13));
    CHECK(w.live.points().back().p95 == Approx(0.001).epsilon(0.13));
    CHECK(w.live.points().back().p99 == Approx(0.1).epsilon(0.13));
    w.live.look(kStart + 2s, 2000);
    CHECK(w.live.points().back().p99 == 0);
}

TEST_CASE("the oldest seconds go when ten minutes are full, and it is JSON", "[server][live]") {
    Watched w;
    for (std::size_t i = 0; i <= LiveFigures::kPointsMax + 5; ++i)
        w.live.look(kStart + std::chrono::seconds(i), static_cast<std::int64_t>(i));
    CHECK(w.live.points().size() == LiveFigures::kPointsMax);
    CHECK(w.live.points().front().unix_ms == 6);
    std::string json;
    w.live.append_points(json);
    protocol::JsonArena arena;
    const auto points = arena.parse(json);
    REQUIRE(points);
    CHECK(points->size() == LiveFigures::kPointsMax);
    protocol::JsonElements elements(*points);
    CHECK(elements.next().size() == 11);
    json.clear();
    w.live.append_cores(json);
    const auto cores = arena.parse(json);
    REQUIRE(cores);
    CHECK(cores->size() == 2);
}
