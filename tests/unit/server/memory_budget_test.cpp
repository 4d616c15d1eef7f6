// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/memory_budget.h"

#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace spillway;
using namespace spillway::server;
using namespace std::chrono_literals;

namespace {

constexpr base::Instant kStart{base::Duration(1h)};

MemoryStage stage_after(MemoryJudge& judge, double level, base::Duration at) {
    return judge.look(level, kStart + at).stage;
}

}  // namespace

TEST_CASE("B1 at the limit clients are refused first, then backlogs are cut, then publications are refused") {
    MemoryJudge judge;
    CHECK(stage_after(judge, 0.999, 0ms) == MemoryStage::all_served);
    CHECK(stage_after(judge, 1.0, 10ms) == MemoryStage::no_new_clients);
    CHECK(stage_after(judge, 1.0, 20ms) == MemoryStage::backlogs_cut);
    CHECK(stage_after(judge, 1.0, 30ms) == MemoryStage::no_publications);
    CHECK(stage_after(judge, 1.5, 40ms) == MemoryStage::no_publications);
}

TEST_CASE("B1 a stage holds down to nine tenths of the limit and is taken back one by one") {
    MemoryJudge judge;
    for (int i = 0; i < 3; ++i) static_cast<void>(judge.look(1.0, kStart));
    CHECK(stage_after(judge, 0.9, 1s) == MemoryStage::no_publications);
    CHECK(stage_after(judge, 0.89, 2s) == MemoryStage::no_publications);
    CHECK(stage_after(judge, 0.89, 2s + 99ms) == MemoryStage::no_publications);
    CHECK(stage_after(judge, 0.89, 2s + 100ms) == MemoryStage::backlogs_cut);
    CHECK(stage_after(judge, 0.95, 2s + 150ms) == MemoryStage::backlogs_cut);
    CHECK(stage_after(judge, 0.5, 3s) == MemoryStage::backlogs_cut);
    CHECK(stage_after(judge, 0.5, 3s + 100ms) == MemoryStage::no_new_clients);
    CHECK(stage_after(judge, 0.5, 3s + 200ms) == MemoryStage::all_served);
}

TEST_CASE("B1 backlogs are cut when it is their turn, by what is over three quarters, once a second") {
    MemoryJudge judge;
    CHECK(judge.look(1.25, kStart).cut == 0);
    CHECK(judge.look(1.25, kStart + 10ms).cut == 0.5);
    CHECK(judge.look(1.25, kStart + 1009ms).cut == 0);
    CHECK(judge.look(1.0, kStart + 1010ms).cut == 0.25);
    CHECK(judge.look(0.99, kStart + 3s).cut == 0);
}

TEST_CASE("B1 the limit is three quarters of what the host gives, backlogs get half of it, and both can be said") {
    Config config;
    settle_memory(config, 4000);
    CHECK(config.memory_limit == 3000);
    CHECK(config.backlog_bytes == 1500);
    config.memory_limit_derived = false;
    config.memory_limit = 0;
    settle_memory(config, 4000);
    CHECK(config.memory_limit == 0);
    CHECK(config.backlog_bytes == 0);
    config.backlog_bytes_derived = false;
    config.backlog_bytes = 77;
    settle_memory(config, 4000);
    CHECK(config.backlog_bytes == 77);
    CHECK(memory_level(5, 0) == 0);
    CHECK(memory_level(5, 10) == 0.5);
}

TEST_CASE("B1 of the budget of all backlogs low messages fill three fifths, urgent ones all") {
    const auto least = [](Priority priority, bool high) {
        std::uint64_t queued = 0;
        while (!over_backlog_budget(priority, high, queued, 1000)) ++queued;
        return queued;
    };
    CHECK(least(Priority::low, false) == 600);
    CHECK(least(Priority::normal, false) == 800);
    CHECK(least(Priority::high, false) == 950);
    CHECK(least(Priority::urgent, false) == 1000);
    CHECK(least(Priority::normal, true) == 900);
    CHECK_FALSE(over_backlog_budget(Priority::low, false, 1'000'000, 0));
}

TEST_CASE("A26 a publisher that owes an error message is no backlog that is cut for want of memory") {
    constexpr std::uint64_t limit = 40'000'000;
    using Backlogs = std::vector<std::uint64_t>;
    CHECK(backlogs_to_cut(Backlogs{}, 1000, limit) == 0);
    CHECK(backlogs_to_cut(Backlogs{60, 0, 0}, 1000, limit) == 0);  // alone on its core
    CHECK(backlogs_to_cut(Backlogs{9'000'000, 8'000'000, 60, 0}, 1000, limit) == 2);
    CHECK(backlogs_to_cut(Backlogs{9'000'000, 8'000'000, 60, 0}, 500, limit) == 1);
    CHECK(backlogs_to_cut(Backlogs{9'000'000, 8'000'000, 60, 0}, 0, limit) == 1);
    CHECK(backlogs_to_cut(Backlogs(100'000, 1000), 1000, limit) == 100'000);  // many small ones are much
    CHECK(backlogs_to_cut(Backlogs(100'000, 1000), 250, limit) == 25'000);
}
