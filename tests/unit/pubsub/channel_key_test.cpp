// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/channel_key.h"

#include <cmath>
#include <string>
#include <unordered_set>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <spillway/limits.h>

#include "base/format.h"

using namespace spillway;
using namespace spillway::pubsub;

TEST_CASE("a channel's hash is the same on every core, node and day", "[pubsub][channel_key]") {
    CHECK(channel_hash(0, "") == 0x2D06800538D394C2);  // XXH3's published value of nothing with seed 0
    CHECK(channel_hash(0, "news") == 0xCEA6A9C08EAD0124);
    CHECK(channel_hash(1, "news") == 0x15FF4CFCDF0CB5A3);
    CHECK(channel_hash(65'535, "news") == 0xE38B085A0BFA104D);
    CHECK(channel_hash(0, "presence-room-17") == 0xC70CEDE7E21E4E4C);
    CHECK(channel_hash(0, std::string(200, 'x')) == 0x50EF124FB1E4DE53);
    CHECK(channel_hash(0, std::string(241, 'x')) == 0x14DA9E5C301A6A1D);
}

TEST_CASE("an event's hash is stable and never 0", "[pubsub][channel_key]") {
    CHECK(event_hash("price-update") == 0xF87A1EA30C023709);
    CHECK(event_hash("client-typing") == 0x570A4862ECBCF127);
    for (int i = 0; i < 1000; ++i) CHECK(event_hash(base::concat("event-", i)) != 0);
    CHECK(event_hash("") != 0);
}

TEST_CASE("a key carries its hash, and keys are equal by app and name", "[pubsub][channel_key]") {
    const std::string name = "market-EURUSD";
    const std::string copy = name;
    const ChannelKey key = channel_key(2, name);
    CHECK(key.hash == channel_hash(2, name));
    CHECK(key == channel_key(2, copy));
    CHECK_FALSE(key == channel_key(3, name));
    CHECK_FALSE(key == channel_key(2, "market-EURUSe"));
    CHECK(ChannelKeyHash{}(key) == key.hash);
    // Equal hashes alone make no equal keys.
    CHECK_FALSE(key == ChannelKey{key.hash, 2, "another"});
    CHECK_FALSE(key == ChannelKey{key.hash, 3, name});
}

TEST_CASE("channels spread evenly over their home cores", "[pubsub][channel_key]") {
    constexpr int kChannels = 64'000;
    for (const std::size_t cores :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{8}, std::size_t{16}, kCoresMax}) {
        CAPTURE(cores);
        std::vector<int> channels_of(cores);
        for (int i = 0; i < kChannels; ++i) {
            const CoreId home = home_core(channel_key(0, base::concat("market-", i)), cores);
            REQUIRE(home < cores);
            ++channels_of[home];
        }
        const double expected = static_cast<double>(kChannels) / static_cast<double>(cores);
        for (const int n : channels_of) CHECK(std::abs(n - expected) < 5 * std::sqrt(expected));
    }
}

TEST_CASE("an app's channels have homes of their own", "[pubsub][channel_key]") {
    int moved = 0;
    std::unordered_set<std::uint64_t> hashes;
    for (AppIndex app = 0; app < 1000; ++app) {
        const ChannelKey key = channel_key(app, "news");
        hashes.insert(key.hash);
        moved += home_core(key, 2) != home_core(channel_key(0, "news"), 2) ? 1 : 0;
    }
    CHECK(hashes.size() == 1000);
    CHECK(moved > 400);
    CHECK(moved < 600);
}
