// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Who watches whom, on the watching core and at home: a walk that stops anywhere tells everybody the last state, nobody twice.
#include <map>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "pubsub/channel_name.h"
#include "pubsub/home_watches.h"
#include "pubsub/local_watches.h"
#include "seeded.h"

using namespace spillway;
using namespace spillway::pubsub;

namespace {

const ChannelKey kUser = channel_key(0, "#server-to-user-7");

void no_moves(std::uint32_t, std::uint32_t, std::uint32_t) {}

/// Slots that a walk of at most so many looks tells.
std::vector<std::uint32_t> told(LocalWatch& watch, std::size_t looks = 1000) {
    std::vector<std::uint32_t> slots;
    while (const Watcher* watcher = LocalWatches::next_to_tell(watch, looks)) slots.push_back(watcher->slot);
    return slots;
}

}  // namespace

TEST_CASE("watches: one user is one watch, closed with its last watcher, its id never used again") {
    LocalWatches watches(2);
    const auto [watch, is_new] = watches.open(kUser);
    CHECK(is_new);
    const WatchId id = watch.id;
    CHECK(LocalWatches::add(watch, 3, 0) == 0);
    CHECK(LocalWatches::add(watch, 4, 0) == 1);
    CHECK_FALSE(watches.open(kUser).is_new);
    CHECK_FALSE(watches.remove(watch, 0, no_moves));
    CHECK(watches.remove(watch, 0, no_moves));
    CHECK(watches.get(id) == nullptr);
    CHECK(watches.size() == 0);
    const auto again = watches.open(kUser);
    CHECK(again.is_new);
    CHECK(again.watch.id != id);
}

TEST_CASE("watches: who was told nothing yet is left out, and who knows is not told again") {
    LocalWatches watches(1);
    LocalWatch& watch = watches.open(kUser).watch;
    for (std::uint32_t slot = 0; slot < 3; ++slot) LocalWatches::add(watch, slot, 0);
    watch.watchers[0].told = Online::no;
    watch.watchers[2].told = Online::yes;
    LocalWatches::set(watch, Online::yes);
    CHECK(told(watch) == std::vector<std::uint32_t>{0});
    CHECK(LocalWatches::walked(watch));
    LocalWatches::set(watch, Online::yes);
    CHECK(told(watch).empty());
    LocalWatches::set(watch, Online::no);
    CHECK(told(watch) == std::vector<std::uint32_t>{0, 2});
}

TEST_CASE("watches: a walk ends with its looks, told or passed over, and goes on where it was") {
    LocalWatches watches(1);
    LocalWatch& watch = watches.open(kUser).watch;
    for (std::uint32_t slot = 0; slot < 6; ++slot) LocalWatches::add(watch, slot, 0);
    for (const std::uint32_t slot : {0U, 2U, 3U, 5U}) watch.watchers[slot].told = Online::no;
    LocalWatches::set(watch, Online::yes);
    CHECK(told(watch, 3) == std::vector<std::uint32_t>{0, 2});
    CHECK(told(watch, 2) == std::vector<std::uint32_t>{3});
    CHECK_FALSE(LocalWatches::walked(watch));
    CHECK(told(watch, 2) == std::vector<std::uint32_t>{5});
    CHECK(LocalWatches::walked(watch));
}

TEST_CASE("watches: walks, joins, leaves and changes in any order end with everybody told the last state once") {
    test::Seeded dice(7);
    for (int round = 0; round < 200; ++round) {
        LocalWatches watches(1);
        LocalWatch& watch = watches.open(kUser).watch;
        LocalWatches::set(watch, Online::no);
        LocalWatches::add(watch, 0, 0);  // stays, so that the watch does
        watch.watchers[0].told = Online::no;
        std::map<std::uint32_t, std::uint32_t> index{{0, 0}};  // slot -> place
        std::map<std::uint32_t, Online> knows{{0, Online::no}};
        const auto moved = [&](std::uint32_t slot, std::uint32_t, std::uint32_t place) { index[slot] = place; };
        const auto walk = [&](std::size_t looks) {
            while (const Watcher* watcher = LocalWatches::next_to_tell(watch, looks)) {
                CHECK(knows.at(watcher->slot) != watch.online);
                knows[watcher->slot] = watch.online;
            }
        };
        std::uint32_t next = 1;
        for (int step = 0; step < 100; ++step) {
            switch (dice.below(5)) {
                case 0:
                case 1:
                    index[next] = LocalWatches::add(watch, next, 0);
                    watch.watchers[index[next]].told = knows[next] = watch.online;
                    ++next;
                    break;
                case 2: {
                    if (index.size() == 1) break;
                    const auto gone =
                        std::next(index.begin(), static_cast<std::ptrdiff_t>(dice.between(1, index.size() - 1)));
                    const std::uint32_t slot = gone->first;
                    CHECK_FALSE(watches.remove(watch, gone->second, moved));
                    index.erase(slot);
                    knows.erase(slot);
                    break;
                }
                case 3: LocalWatches::set(watch, watch.online == Online::yes ? Online::no : Online::yes); break;
                default: walk(dice.below(6)); break;
            }
            watch.walking = !LocalWatches::walked(watch);
            watches.check_invariants();
            for (const auto& [slot, place] : index) REQUIRE(watch.watchers[place].slot == slot);
        }
        walk(1000);
        for (const auto& [slot, state] : knows) CHECK(state == watch.online);
    }
}

TEST_CASE("watches at home: each core that asks, until it asks no more") {
    HomeWatches home(3);
    const auto askers = [&](const ChannelKey& key) {
        std::vector<CoreId> cores;
        home.for_each_asker(key, [&](const HomeWatches::Asker& asker) { cores.push_back(asker.core); });
        return cores;
    };
    const ChannelKey other = channel_key(0, "#server-to-user-8");
    home.watch(0, WatchId{1}, kUser);
    home.watch(2, WatchId{1}, kUser);
    home.watch(2, WatchId{2}, other);
    CHECK(askers(kUser) == std::vector<CoreId>{0, 2});
    CHECK(askers(other) == std::vector<CoreId>{2});
    home.unwatch(0, WatchId{1});
    CHECK(askers(kUser) == std::vector<CoreId>{2});
    home.unwatch(2, WatchId{1});
    home.unwatch(2, WatchId{2});
    CHECK(home.size() == 0);
    CHECK(askers(kUser).empty());
    home.watch(0, WatchId{3}, kUser);
    CHECK(askers(kUser) == std::vector<CoreId>{0});
}
