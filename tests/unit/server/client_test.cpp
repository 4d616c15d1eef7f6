// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/client.h"

#include <algorithm>
#include <random>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace spillway;
using namespace spillway::server;

namespace {

constexpr std::uint32_t kNone = SubscriptionList::kNone;

Subscription to(std::uint32_t slot, std::uint32_t generation = 1) { return {{slot, generation}, slot + 7, slot + 9}; }

}  // namespace

TEST_CASE("an empty list finds nothing", "[server][client]") {
    const SubscriptionList list;
    CHECK(list.size() == 0);
    CHECK(list.find({1, 1}) == kNone);
}

TEST_CASE("B5 a client's channels are found by id, not by the slot of an earlier life", "[server][client]") {
    const std::uint32_t count = GENERATE(1U, 31U, 32U, 33U, 200U);  // an index helps from 32 on
    CAPTURE(count);
    SubscriptionList list;
    for (std::uint32_t i = 0; i < count; ++i) CHECK(list.add(to(i * 3, 2)) == i);
    CHECK(list.size() == count);
    for (std::uint32_t i = 0; i < count; ++i) {
        REQUIRE(list.find({i * 3, 2}) == i);
        REQUIRE(list[i].index == i * 3 + 7);
        REQUIRE(list[i].nonce == i * 3 + 9);
        REQUIRE(list.find({i * 3, 1}) == kNone);
        REQUIRE(list.find({i * 3 + 1, 2}) == kNone);
    }
}

TEST_CASE("the last subscription takes the place of one removed, and this is told", "[server][client]") {
    const std::uint32_t count = GENERATE(3U, 40U);
    SubscriptionList list;
    for (std::uint32_t i = 0; i < count; ++i) list.add(to(i));
    CHECK(list.remove(1));
    CHECK(list.find({1, 1}) == kNone);
    CHECK(list.find({count - 1, 1}) == 1);
    CHECK(list[1].index == count - 1 + 7);
    CHECK_FALSE(list.remove(static_cast<std::uint32_t>(list.size() - 1)));
    CHECK(list.size() == count - 2);
    while (list.size() != 0) list.remove(0);
    CHECK(list.find({0, 1}) == kNone);
    CHECK(list.add(to(5)) == 0);
    CHECK(list.find({5, 1}) == 0);
}

TEST_CASE("H1 a subscription list agrees with a plain one over random additions and removals", "[server][client]") {
    const std::size_t most = GENERATE(std::size_t{4}, std::size_t{36}, std::size_t{300});
    CAPTURE(most);
    std::mt19937 random(static_cast<std::uint32_t>(most));
    SubscriptionList list;
    std::vector<Subscription> model;
    const auto place_of = [&](std::uint32_t slot) {
        return std::ranges::find(model, slot, [](const Subscription& s) { return s.channel.slot; });
    };
    for (int step = 0; step < 20'000; ++step) {
        const auto slot = static_cast<std::uint32_t>(random() % (most * 2));
        const auto it = place_of(slot);
        if (it == model.end() && model.size() < most && random() % 8 < 5) {
            const Subscription s = to(slot, 1 + static_cast<std::uint32_t>(random() % 3));
            REQUIRE(list.add(s) == model.size());
            model.push_back(s);
        } else if (it != model.end()) {
            const auto place = static_cast<std::uint32_t>(it - model.begin());
            REQUIRE(list.find(it->channel) == place);
            REQUIRE(list.find({slot, it->channel.generation + 1}) == kNone);
            if (random() % 2 == 0) {
                const bool moved = list.remove(place);
                REQUIRE(moved == (place + 1 != model.size()));
                *it = model.back();
                model.pop_back();
            }
        } else {
            REQUIRE(list.find({slot, 1}) == kNone);
        }
        if (random() % 500 == 0) {
            for (; !model.empty(); model.pop_back()) list.remove(static_cast<std::uint32_t>(model.size() - 1));
        }
        REQUIRE(list.size() == model.size());
        for (std::size_t i = 0; i < model.size(); i += 1 + model.size() / 8) {
            REQUIRE(list[i].channel == model[i].channel);
            REQUIRE(list[i].index == model[i].index);
        }
    }
}

TEST_CASE("a fresh client has no id, no descriptor and nothing under way", "[server][client]") {
    const Client client;
    CHECK(client.id == 0);
    CHECK(client.fd == -1);
    CHECK(client.state == ClientState::open);
    CHECK_FALSE(client.sending);
    CHECK_FALSE(client.recv_armed);
    CHECK(client.out == nullptr);
}

TEST_CASE("S2 a client's id says its slot and generation", "[server][client]") {
    Client client;
    client.id = ClientId{.slot = 123'456, .generation = ClientId::kGenerationMask, .core = 127}.packed();
    CHECK(client.slot() == 123'456);
    CHECK(client.generation() == ClientId::kGenerationMask);
    CHECK(ClientId::unpack(client.id).core == 127);
}
