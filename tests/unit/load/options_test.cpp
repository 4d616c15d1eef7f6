// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "load/options.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "load/named.h"

using namespace spillway::load;

namespace {

std::expected<Options, Refusal> read(std::vector<std::string> words) {
    words.insert(words.begin(), "spillway-load");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    return read_options(static_cast<int>(arguments.size()), arguments.data());
}

}  // namespace

TEST_CASE("every named scenario is understood") {
    for (const NamedScenario& scenario : named_scenarios()) {
        INFO(scenario.name);
        const auto options = read({"--pid", "1", "--scenario", std::string(scenario.name)});
        REQUIRE(options);
        CHECK(options->scenario == scenario.name);
    }
    CHECK(read({"--scenario", "smok"}).error().sentence.find("--list") != std::string::npos);
}

TEST_CASE("a flag beats the scenario, wherever it stands") {
    CHECK(read({"--clients", "7", "--scenario", "smoke"})->clients == 7);
    CHECK(read({"--scenario", "smoke", "--clients", "7"})->clients == 7);
}

TEST_CASE("what a search is bounded by") {
    const auto by_time = read({"--search", "p99=250ms"});
    REQUIRE(by_time);
    CHECK(by_time->mode == Mode::search);
    CHECK(by_time->search_share == 0.99);
    CHECK(by_time->search_bound_ms == 250);
    const auto by_passes = read({"--search", "p95=2.5pass"});
    REQUIRE(by_passes);
    CHECK(by_passes->search_bound_passes == 2.5);
    for (const char* bad : {"99=250ms", "p99", "p99=250", "p0=1ms", "p99=ms", "p99=x1ms"})
        CHECK_FALSE(read({"--search", bad}));
}

TEST_CASE("another server is named by URL and by how it is published to") {
    const auto options = read({"--url", "ws://127.0.0.9:8080/sub/{channel}", "--publish", "post:/pub?id={channel}"});
    REQUIRE(options);
    CHECK(options->host == "127.0.0.9");
    CHECK(options->port == 8080);
    CHECK(path_for(options->path, 3) == "/sub/load-3");
    CHECK(path_for(options->publish_path, 12) == "/pub?id=load-12");
    for (const char* bad : {"wss://a:1/", "ws://a/", "ws://a:x/", "a:1/"}) CHECK_FALSE(read({"--url", bad}));
    for (const char* bad : {"post", "post:x", "ws:/x", "mail:/x"}) CHECK_FALSE(read({"--publish", bad}));
}

TEST_CASE("clients are spread evenly over channels, and each is on as many as asked for") {
    const auto options =
        read({"--clients", "100", "--channels", "40", "--subscriptions", "20", "--protocol", "pusher"});
    REQUIRE(options);
    std::map<std::uint32_t, int> subscribers;
    for (std::uint32_t index = 0; index < 100; ++index) {
        std::set<std::uint32_t> own;
        for (std::uint32_t which = 0; which < 20; ++which) own.insert(channel_of(*options, index, which));
        CHECK(own.size() == 20);
        for (const std::uint32_t channel : own) ++subscribers[channel];
    }
    CHECK(subscribers.size() == 40);
    for (const auto& [channel, count] : subscribers) CHECK(count == 50);
    CHECK(options->deliveries_each() == 2000);
}

TEST_CASE("the small channel aside is nobody else's") {
    const auto options = read({"--clients", "10", "--channels", "4", "--mode", "flood", "--aside", "2"});
    REQUIRE(options);
    CHECK(options->connections() == 12);
    CHECK(stream_of(*options, 9) == kMain);
    CHECK(stream_of(*options, 10) == kAside);
    CHECK(channel_of(*options, 11) == 4);
    CHECK(first_channel(*options, kAside) == 4);
}
