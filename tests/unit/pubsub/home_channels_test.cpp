// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/home_channels.h"

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "base/format.h"
#include "pubsub/channel_name.h"

using namespace spillway;
using namespace spillway::pubsub;

namespace {

constexpr auto kPusher = WireForm::pusher;
constexpr auto kFeed = WireForm::feed;

/// A key over a name that is gone as soon as join() returns: the home keeps its own copy.
std::uint64_t join_named(HomeChannels& home, CoreId core, LocalChannelId local, std::string name,
                         WireForm form = kPusher) {
    const ChannelKey key = channel_key(0, name);
    const std::uint64_t first = home.join(core, local, &key, form);
    std::ranges::fill(name, '!');
    return first;
}

}  // namespace

TEST_CASE("a channel is there from its first join to its last leave", "[pubsub][home_channels]") {
    HomeChannels home(2);
    const ChannelKey news = channel_key(0, "news");
    CHECK(home.find(news) == nullptr);
    CHECK(join_named(home, 0, {0, 1}, "news") == 1);
    REQUIRE(home.find(news) != nullptr);
    CHECK(home.find(news)->name == "news");
    CHECK(home.find(news)->subscribers() == 1);
    CHECK(home.find(channel_key(1, "news")) == nullptr);
    CHECK(home.size() == 1);
    home.leave(0, {0, 1}, kPusher);
    CHECK(home.find(news) == nullptr);
    CHECK(home.size() == 0);
    home.check_invariants();
}

TEST_CASE("only the first join of a run carries the name", "[pubsub][home_channels]") {
    HomeChannels home(2);
    join_named(home, 0, {4, 1}, "news");
    home.join(0, {4, 1}, nullptr, kPusher);
    home.join(0, {4, 1}, nullptr, kFeed);
    CHECK(home.find(channel_key(0, "news"))->subscribers() == 3);
    // Another core has a run of its own, and with it another id for the channel.
    join_named(home, 1, {9, 3}, "news", kFeed);
    const HomeChannel& channel = *home.find(channel_key(0, "news"));
    CHECK(channel.subscribers() == 4);
    REQUIRE(channel.shares.size() == 2);
    CHECK(channel.shares[0].local == LocalChannelId{4, 1});
    CHECK(channel.shares[1].local == LocalChannelId{9, 3});
    CHECK(channel.shares[1].total() == 1);
    // The run of core 0 ends, and another begins under the same local id: the channel stayed open there.
    home.leave(0, {4, 1}, kFeed);
    home.leave(0, {4, 1}, kPusher);
    home.leave(0, {4, 1}, kPusher);
    CHECK(channel.shares.size() == 1);
    join_named(home, 0, {4, 1}, "news");
    CHECK(channel.shares.size() == 2);
    home.check_invariants();
}

TEST_CASE("a joiner's first message is the next one sequenced", "[pubsub][home_channels]") {
    HomeChannels home(3);
    CHECK(join_named(home, 0, {0, 1}, "news") == 1);
    home.find(channel_key(0, "news"))->seq = 41;
    CHECK(home.join(0, {0, 1}, nullptr, kFeed) == 42);
    CHECK(join_named(home, 2, {7, 1}, "news") == 42);
    // Another channel counts for itself.
    CHECK(join_named(home, 0, {1, 1}, "weather") == 1);
}

TEST_CASE("sequence numbers begin anew with a new life, and go on while one core stays", "[pubsub][home_channels]") {
    HomeChannels home(2);
    join_named(home, 0, {0, 1}, "news");
    join_named(home, 1, {0, 1}, "news");
    home.find(channel_key(0, "news"))->seq = 10;
    home.leave(0, {0, 1}, kPusher);
    CHECK(join_named(home, 0, {0, 2}, "news") == 11);
    home.leave(0, {0, 2}, kPusher);
    home.leave(1, {0, 1}, kPusher);
    CHECK(home.size() == 0);
    CHECK(join_named(home, 1, {0, 1}, "news") == 1);
}

TEST_CASE("C2 a wire form is in use while somebody on some core wants it", "[pubsub][home_channels]") {
    HomeChannels home(2);
    join_named(home, 0, {0, 1}, "news", kPusher);
    const HomeChannel& channel = *home.find(channel_key(0, "news"));
    CHECK(channel.has(kPusher));
    CHECK_FALSE(channel.has(kFeed));
    join_named(home, 1, {0, 1}, "news", kFeed);
    CHECK(channel.has(kFeed));
    home.leave(0, {0, 1}, kPusher);
    CHECK_FALSE(channel.has(kPusher));
    CHECK(channel.has(kFeed));
}

TEST_CASE("home channels agree with a table of subscribers over random joins and leaves", "[pubsub][home_channels]") {
    constexpr std::size_t kCores = 5;
    const auto seed = static_cast<std::uint32_t>(GENERATE(range(1, 9)));
    CAPTURE(seed);
    std::mt19937 random(seed);
    HomeChannels home(kCores);

    struct Model {
        std::uint64_t seq = 0;
        std::array<std::array<std::uint32_t, kWireForms>, kCores> count{};
        [[nodiscard]] std::uint32_t of_core(std::size_t core) const { return count[core][0] + count[core][1]; }
        [[nodiscard]] std::uint32_t total() const {
            std::uint32_t sum = 0;
            for (std::size_t core = 0; core < kCores; ++core) sum += of_core(core);
            return sum;
        }
    };
    std::map<std::string, Model> model;
    std::map<std::pair<std::size_t, std::string>, LocalChannelId> locals;  // as each core names the channel
    std::array<std::uint32_t, kCores> next_slot{};
    std::uint32_t next_generation = 1;

    for (int step = 0; step < 20'000; ++step) {
        const std::string name = base::concat("channel-", random() % 12);
        const auto core = random() % kCores;
        const auto form = static_cast<WireForm>(random() % kWireForms);
        const auto f = static_cast<std::size_t>(form);
        Model& m = model[name];
        const auto core_id = static_cast<CoreId>(core);
        if (random() % 100 < 45) {
            const bool first = m.of_core(core) == 0;
            auto& local = locals[{core, name}];
            // The same local life may go on over a gap, or a new one may have come, on another slot or the same.
            if (first && (local.is_none() || random() % 2 == 0))
                local = {local.is_none() || random() % 2 == 0 ? next_slot[core]++ : local.slot, next_generation++};
            if (m.total() == 0) m.seq = 0;
            const std::uint64_t seq =
                first ? join_named(home, core_id, local, name, form) : home.join(core_id, local, nullptr, form);
            REQUIRE(seq == m.seq + 1);
            ++m.count[core][f];
        } else if (m.count[core][f] != 0) {
            home.leave(core_id, locals.at({core, name}), form);
            --m.count[core][f];
        } else if (HomeChannel* channel = home.find(channel_key(0, name))) {
            channel->seq += 3;
            m.seq += 3;
        }
        const HomeChannel* channel = home.find(channel_key(0, name));
        REQUIRE((channel != nullptr) == (m.total() != 0));
        if (channel != nullptr) {
            REQUIRE(channel->seq == m.seq);
            REQUIRE(channel->subscribers() == m.total());
            for (const Share& share : channel->shares) {
                REQUIRE(share.count == m.count[share.core]);
                REQUIRE(share.local == locals.at({share.core, name}));
            }
            const auto sharing = [&](std::size_t c) { return m.of_core(c) != 0; };
            std::size_t cores = 0;
            for (std::size_t c = 0; c < kCores; ++c) cores += sharing(c) ? 1 : 0;
            REQUIRE(channel->shares.size() == cores);
        }
        if (step % 64 == 0) home.check_invariants();
    }
    std::size_t seen = 0;
    home.for_each([&](const HomeChannel& channel) {
        ++seen;
        CHECK(channel.subscribers() == model.at(channel.name).total());
    });
    CHECK(seen == home.size());
}

TEST_CASE("a round over the channels in small steps meets each of them once", "[pubsub][home_channels]") {
    HomeChannels home(2);
    std::multiset<std::string> all;
    for (std::uint32_t i = 0; i < 50; ++i) {
        all.insert(base::concat("c", i));
        if (i % 3 != 1) join_named(home, 0, {i, 1}, base::concat("c", i));
        if (i % 3 != 0) join_named(home, 1, {i, 1}, base::concat("c", i));  // some are on both cores
    }
    const std::size_t most = GENERATE(1, 7, 49, 50, 51, 1000);
    std::multiset<std::string> met;
    std::size_t place = 0;
    do {
        place = home.for_some(place, most, [&](const HomeChannel& channel) { met.insert(channel.name); });
    } while (place != 0);
    CHECK(met == all);
    CHECK(HomeChannels(1).for_some(0, 10, [](const HomeChannel&) { FAIL("there is none"); }) == 0);
}

TEST_CASE("hidden channels are channels like others, and counted apart") {
    HomeChannels channels(2);
    const std::string name = server_to_user_channel("7");
    const ChannelKey hidden = channel_key(0, name);
    const ChannelKey shown = channel_key(0, "news");
    static_cast<void>(channels.join(0, {0, 1}, &hidden, WireForm::pusher));
    static_cast<void>(channels.join(1, {0, 1}, &hidden, WireForm::pusher));
    static_cast<void>(channels.join(0, {1, 1}, &shown, WireForm::pusher));
    CHECK(channels.size() == 2);
    CHECK(channels.hidden() == 1);
    CHECK(channels.of(1, {0, 1}).hidden);
    CHECK_FALSE(channels.of(0, {1, 1}).hidden);
    channels.leave(0, {0, 1}, WireForm::pusher);
    CHECK(channels.hidden() == 1);
    channels.leave(1, {0, 1}, WireForm::pusher);
    CHECK(channels.hidden() == 0);
    channels.check_invariants();
}

TEST_CASE("a scan meets once whatever is there from its begin to its end", "[pubsub][home_channels]") {
    std::mt19937 dice(GENERATE(range(0U, 20U)));
    HomeChannels home(1);
    std::map<std::uint32_t, std::string> there;  // local slot -> name
    std::uint32_t next = 0;
    const auto open = [&] {
        const std::string name = base::concat("c", next);
        join_named(home, 0, {next, 1}, name);
        there.emplace(next++, name);
    };
    const auto close = [&] {
        if (there.empty()) return;
        const auto victim = std::next(there.begin(), static_cast<std::ptrdiff_t>(dice() % there.size()));
        home.leave(0, {victim->first, 1}, kPusher);
        there.erase(victim);
    };
    for (int i = 0; i < 100; ++i) open();
    for (int scans = 0; scans < 5; ++scans) {
        const auto before = there;
        std::map<std::string, int> met;
        home.begin_scan();
        while (const HomeChannel* channel = home.scan_next()) {
            ++met[channel->name];
            for (auto n = dice() % 3; n > 0; --n) dice() % 2 == 0 ? open() : close();
            home.check_invariants();
        }
        for (const auto& [name, times] : met) CHECK(times == 1);
        for (const auto& [slot, name] : before)
            if (there.contains(slot)) CHECK(met.contains(name));
    }
}
