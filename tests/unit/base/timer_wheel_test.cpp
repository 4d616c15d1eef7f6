// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/timer_wheel.h"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::base;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kTick = milliseconds{10};
const Instant kStart{seconds{1'000}};

std::vector<std::uint32_t> fired_by(TimerWheel& wheel, Instant now) {
    std::vector<std::uint32_t> ids;
    wheel.advance(now, [&](std::uint32_t id) { ids.push_back(id); });
    std::sort(ids.begin(), ids.end());
    wheel.check_invariants();
    return ids;
}

using Ids = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("a timer fires once, not before its time and within a tick of it", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    wheel.set(3, kStart + milliseconds{25});
    CHECK(wheel.is_set(3));
    CHECK(wheel.size() == 1);
    CHECK(fired_by(wheel, kStart + milliseconds{24}).empty());
    CHECK(fired_by(wheel, kStart + milliseconds{29}).empty());
    CHECK(fired_by(wheel, kStart + milliseconds{30}) == Ids{3});
    CHECK_FALSE(wheel.is_set(3));
    CHECK(fired_by(wheel, kStart + seconds{100}).empty());
}

TEST_CASE("a due time on a tick fires exactly then", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    wheel.set(0, kStart + milliseconds{20});
    CHECK(fired_by(wheel, kStart + milliseconds{20} - Duration{1}).empty());
    CHECK(fired_by(wheel, kStart + milliseconds{20}) == Ids{0});
}

TEST_CASE("setting again moves a timer either way", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    wheel.set(1, kStart + milliseconds{100});
    wheel.set(1, kStart + milliseconds{300});
    CHECK(fired_by(wheel, kStart + milliseconds{200}).empty());
    wheel.set(1, kStart + milliseconds{210});
    CHECK(wheel.size() == 1);
    CHECK(fired_by(wheel, kStart + milliseconds{210}) == Ids{1});
}

TEST_CASE("a cancelled timer does not fire, and cancelling nothing is nothing", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    wheel.set(1, kStart + milliseconds{50});
    wheel.set(2, kStart + milliseconds{50});
    wheel.cancel(1);
    wheel.cancel(1);
    wheel.cancel(4'000'000);
    CHECK_FALSE(wheel.is_set(1));
    CHECK_FALSE(wheel.is_set(4'000'000));
    CHECK(fired_by(wheel, kStart + seconds{1}) == Ids{2});
}

TEST_CASE("what was due in the past fires at the next tick", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    (void)fired_by(wheel, kStart + seconds{5});
    wheel.set(1, kStart);
    wheel.set(2, Instant{});
    CHECK(fired_by(wheel, kStart + seconds{5}).empty());
    CHECK(fired_by(wheel, kStart + seconds{5} + kTick) == Ids{1, 2});
}

TEST_CASE("timers beyond a revolution wait for theirs", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);  // 0.64 s around
    wheel.set(1, kStart + milliseconds{100});
    wheel.set(2, kStart + milliseconds{100} + kTick * 64);
    wheel.set(3, kStart + milliseconds{100} + kTick * 640);
    CHECK(fired_by(wheel, kStart + milliseconds{100}) == Ids{1});
    CHECK(fired_by(wheel, kStart + milliseconds{730}).empty());
    CHECK(fired_by(wheel, kStart + milliseconds{740}) == Ids{2});
    Ids ids;
    Instant when;
    for (Instant now = kStart + milliseconds{740}; now < kStart + seconds{10}; now += kTick) {
        wheel.advance(now, [&](std::uint32_t id) {
            ids.push_back(id);
            when = now;
        });
    }
    CHECK(ids == Ids{3});
    CHECK(when == kStart + milliseconds{6500});
}

TEST_CASE("after a long pause everything due fires and nothing else", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    for (std::uint32_t id = 0; id < 200; ++id) wheel.set(id, kStart + milliseconds{50} * id);
    CHECK(fired_by(wheel, kStart + milliseconds{50} * 99).size() == 100);
    CHECK(wheel.size() == 100);
    CHECK(fired_by(wheel, kStart + hours{1}).size() == 100);
}

TEST_CASE("time that steps back changes nothing", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    (void)fired_by(wheel, kStart + seconds{1});
    wheel.set(1, kStart + milliseconds{1'050});
    CHECK(fired_by(wheel, kStart).empty());
    CHECK(fired_by(wheel, kStart - seconds{1}).empty());
    CHECK(fired_by(wheel, kStart + milliseconds{1'050}) == Ids{1});
}

TEST_CASE("the farthest possible time can be set and never comes", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    wheel.set(1, Instant::max());
    CHECK(fired_by(wheel, kStart + hours{24 * 365}).empty());
    CHECK(wheel.is_set(1));
    REQUIRE(wheel.next_due());
}

TEST_CASE("a fired callback may set itself again, in the past even, without firing twice", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    wheel.set(7, kStart + kTick);
    int fired = 0;
    const auto again = [&](std::uint32_t id) {
        CHECK_FALSE(wheel.is_set(id));
        ++fired;
        wheel.set(id, kStart);
    };
    wheel.advance(kStart + seconds{2}, again);
    CHECK(fired == 1);
    wheel.advance(kStart + seconds{2}, again);
    CHECK(fired == 1);
    wheel.advance(kStart + seconds{2} + kTick, again);
    CHECK(fired == 2);
    wheel.check_invariants();
}

TEST_CASE("a fired callback may cancel or move what is about to fire", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    for (std::uint32_t id = 0; id < 10; ++id) wheel.set(id, kStart + kTick * id);
    Ids fired;
    wheel.advance(kStart + seconds{1}, [&](std::uint32_t id) {
        if (fired.empty()) {
            for (std::uint32_t other = 0; other < 10; ++other) {
                if (other == id) continue;
                if (other % 2 == 0) {
                    wheel.cancel(other);
                } else {
                    wheel.set(other, kStart + seconds{3});
                }
            }
            wheel.check_invariants();
        }
        fired.push_back(id);
    });
    CHECK(fired.size() == 1);
    wheel.check_invariants();
    const Ids later = fired_by(wheel, kStart + seconds{3});
    CHECK(later.size() == (fired[0] % 2 == 0 ? 5 : 4));
}

TEST_CASE("next_due is empty without timers and names the right tick with one", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 128, kStart);
    CHECK_FALSE(wheel.next_due());
    wheel.set(9, kStart + milliseconds{333});
    CHECK(wheel.next_due() == kStart + milliseconds{340});
    wheel.set(8, kStart + milliseconds{120});
    CHECK(wheel.next_due() == kStart + milliseconds{120});
    wheel.cancel(8);
    CHECK(wheel.next_due() == kStart + milliseconds{340});
    wheel.cancel(9);
    CHECK_FALSE(wheel.next_due());
}

TEST_CASE("sleeping until next_due wakes a few times only and reaches a distant timer on time", "[base][timer_wheel]") {
    TimerWheel wheel(kTick, 64, kStart);
    wheel.set(1, kStart + seconds{10});
    Instant now = kStart;
    int wakes = 0;
    while (wheel.is_set(1)) {
        const auto due = wheel.next_due();
        REQUIRE(due);
        REQUIRE(*due > now);
        now = *due;
        ++wakes;
        wheel.advance(now, [](std::uint32_t) {});
    }
    CHECK(now == kStart + seconds{10});
    CHECK(wakes <= 17);  // once per revolution of 0.64 s
}

TEST_CASE("a wheel agrees with a model over random steps", "[base][timer_wheel]") {
    std::mt19937_64 random(2024);
    constexpr std::uint32_t kIds = 3'000;
    TimerWheel wheel(kTick, 256, kStart);  // 2.56 s around; timers up to 8 s
    std::map<std::uint32_t, Instant> model;
    Instant now = kStart;
    const auto random_id = [&] { return static_cast<std::uint32_t>(random() % kIds); };
    const auto random_due = [&] {
        return now + milliseconds{static_cast<std::int64_t>(random() % 8'000)} - milliseconds{500};
    };
    const auto ceil_tick = [](Instant t) {
        const auto since = (t - kStart).count();
        return since <= 0 ? kStart : kStart + Duration{(since + kTick.count() - 1) / kTick.count() * kTick.count()};
    };
    const auto set = [&](std::uint32_t id, Instant due) {
        wheel.set(id, due);
        const Instant current = kStart + (now - kStart) / kTick * kTick;
        model[id] = std::max(ceil_tick(due), current + kTick);
    };
    for (int step = 0; step < 40'000; ++step) {
        const auto dice = random() % 100;
        if (dice < 55) {
            set(random_id(), random_due());
        } else if (dice < 75) {
            const std::uint32_t id = random_id();
            wheel.cancel(id);
            model.erase(id);
        } else {
            now += milliseconds{static_cast<std::int64_t>(random() % (dice == 99 ? 6'000 : 40))};
            std::map<std::uint32_t, Instant> due_now;
            for (const auto& [id, due] : model) {
                if (due <= now) due_now.emplace(id, due);
            }
            wheel.advance(now, [&](std::uint32_t id) {
                REQUIRE(due_now.erase(id) == 1);
                model.erase(id);
                if (random() % 4 == 0) set(id, random_due());
                const std::uint32_t other = random_id();
                if (random() % 8 == 0) {
                    wheel.cancel(other);
                    model.erase(other);
                    due_now.erase(other);
                } else if (random() % 8 == 0) {
                    set(other, random_due());
                    due_now.erase(other);
                }
            });
            REQUIRE(due_now.empty());
        }
        REQUIRE(wheel.size() == model.size());
        if (step % 97 == 0) {
            wheel.check_invariants();
            Instant first = Instant::max();
            for (const auto& [id, due] : model) {
                REQUIRE(wheel.is_set(id));
                first = std::min(first, due);
            }
            const auto told = wheel.next_due();
            REQUIRE(told.has_value() == !model.empty());
            if (told) REQUIRE(*told <= first);
        }
    }
}
