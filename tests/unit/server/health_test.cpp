// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/health.h"

#include <catch2/catch_test_macros.hpp>

#include "server/health_watch.h"

using namespace spillway;
using namespace spillway::server;
using namespace std::chrono_literals;

namespace {

const HealthThresholds kDefaults;

HealthStatus status_of(const HealthFigures& figures) { return judge_health(kDefaults, figures).status; }

template <class T>
HealthStatus with(T HealthFigures::* figure, T value) {
    HealthFigures figures;
    figures.stale_clients = 100;
    figures.*figure = value;
    const Health health = judge_health(kDefaults, figures);
    CHECK(health.reasons.size() == (health.status == HealthStatus::healthy ? 0 : 1));
    return health.status;
}

Health health_of(HealthStatus status) { return {status, {}}; }

}  // namespace

TEST_CASE("B7 S7 each figure alone decides at its threshold, exactly") {
    using F = HealthFigures;
    CHECK(status_of({}) == HealthStatus::healthy);
    CHECK(with(&F::latency_p95, base::Duration(2s - 1ns)) == HealthStatus::healthy);
    CHECK(with(&F::latency_p95, base::Duration(2s)) == HealthStatus::warning);
    CHECK(with(&F::latency_p95, base::Duration(10s)) == HealthStatus::critical);
    CHECK(with(&F::errors, 0.049) == HealthStatus::healthy);
    CHECK(with(&F::errors, 0.05) == HealthStatus::warning);
    CHECK(with(&F::errors, 0.25) == HealthStatus::critical);
    CHECK(with(&F::drops, 0.01) == HealthStatus::warning);
    CHECK(with(&F::drops, 0.10) == HealthStatus::critical);
    CHECK(with(&F::queues, 0.5) == HealthStatus::warning);
    CHECK(with(&F::queues, 0.9) == HealthStatus::critical);
    CHECK(with(&F::memory, 0.5) == HealthStatus::warning);
    CHECK(with(&F::memory, 0.9) == HealthStatus::critical);
    CHECK(with(&F::stale, 0.05) == HealthStatus::warning);
    CHECK(with(&F::stale, 0.5) == HealthStatus::critical);
    CHECK(with(&F::loop_lag, base::Duration(100ms)) == HealthStatus::warning);
    CHECK(with(&F::loop_lag, base::Duration(1s)) == HealthStatus::critical);
    CHECK(with(&F::stuck, base::Duration(5s)) == HealthStatus::critical);
}

TEST_CASE("B7 up to three stale clients are no state of the server, however few there are") {
    HealthFigures figures;
    figures.stale = 1;
    figures.stale_clients = 3;
    CHECK(status_of(figures) == HealthStatus::healthy);
    figures.stale_clients = 4;
    CHECK(status_of(figures) == HealthStatus::critical);
}

TEST_CASE("the worst figure decides, and every reason is told, the worst first") {
    HealthFigures figures;
    figures.drops = 0.02;
    figures.latency_p95 = 11s;
    const Health health = judge_health(kDefaults, figures);
    CHECK(health.status == HealthStatus::critical);
    REQUIRE(health.reasons.size() == 2);
    CHECK(health.reasons[0].text == "latency_p95 is 11000 ms (critical from 10000 ms)");
    CHECK(health.reasons[1].text == "drops is 2.0 % (warning from 1.0 %)");
}

TEST_CASE("a threshold of zero is off") {
    HealthThresholds off;
    off.drops_warning = off.drops_critical = 0;
    HealthFigures figures;
    figures.drops = 1;
    CHECK(judge_health(off, figures).status == HealthStatus::healthy);
}

TEST_CASE("what gets worse holds at once, what gets better after five looks, and no better than the worst of them") {
    using enum HealthStatus;
    HealthKeeper keeper;
    CHECK_FALSE(keeper.look(health_of(healthy)));
    CHECK(keeper.look(health_of(critical)));
    for (int i = 0; i < kHealthPatience - 1; ++i) CHECK_FALSE(keeper.look(health_of(healthy)));
    CHECK_FALSE(keeper.look(health_of(critical)));  // from the beginning
    for (int i = 0; i < kHealthPatience - 1; ++i) CHECK_FALSE(keeper.look(health_of(i == 1 ? warning : healthy)));
    CHECK(keeper.look(health_of(healthy)));
    CHECK(keeper.current().status == warning);
    for (int i = 0; i < kHealthPatience - 1; ++i) CHECK_FALSE(keeper.look(health_of(healthy)));
    CHECK(keeper.look(health_of(healthy)));
    CHECK(keeper.current().status == healthy);
}

TEST_CASE("B6 B7 figures are those of the last seconds, not of the server's whole life") {
    Stats stats;
    const std::vector<const Stats*> cores{&stats};
    HealthWatch watch(cores);
    const Config config;
    base::Instant now{1000s};
    const auto second = [&] {
        now += 1s;
        stats.last_turn_ms.set(base::milliseconds_of(now));
        watch.step(config, now);
    };
    stats.deliveries.add(1'000'000);
    second();
    stats.count_drops(DropReason::queue_threshold, pubsub::Message{}, 200);
    stats.deliveries.add(800);
    second();
    CHECK(watch.figures().drops == 0.2);
    CHECK(watch.current().status == HealthStatus::critical);
    std::string json;
    watch.append_json(json);
    CHECK(json.starts_with(R"({"status":"critical","reasons":["drops is 20.0 %)"));
    for (int i = 0; i < kHealthWindow + kHealthPatience; ++i) second();
    CHECK(watch.figures().drops == 0);
    CHECK(watch.current().status == HealthStatus::healthy);
    for (int i = 0; i < 20; ++i) stats.count_http(Endpoint::ops, 503);  // answers about health are no faults
    second();
    CHECK(watch.figures().errors == 0);
    for (int i = 0; i < 20; ++i) stats.count_http(Endpoint::events, i == 0 ? 503 : 200);
    second();
    CHECK(watch.figures().errors == 0.05);
    now += 7s;
    watch.step(config, now);
    CHECK(watch.figures().stuck == 7s);
    CHECK(watch.current().status == HealthStatus::critical);
}
