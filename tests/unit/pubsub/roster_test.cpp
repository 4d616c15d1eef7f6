// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/roster.h"

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

using namespace spillway::pubsub;

namespace {

constexpr std::size_t kAny = 100;

std::vector<std::string> ids(const Roster& roster) {
    std::vector<std::string> result;
    for (const Roster::Member& member : roster.members()) result.push_back(member.id);
    return result;
}

}  // namespace

TEST_CASE("a user with several connections is one member, there from the first to the last", "[pubsub][roster]") {
    Roster roster;
    CHECK(roster.enter(1, "ann", "{}", kAny) == Roster::Entry::first);
    CHECK(roster.enter(2, "ann", "{}", kAny) == Roster::Entry::again);
    CHECK(roster.enter(3, "bob", "{}", kAny) == Roster::Entry::first);
    CHECK(roster.size() == 2);
    CHECK(roster.connections() == 3);
    CHECK_FALSE(roster.leave(1));
    CHECK(roster.find("ann")->connections == 1);
    CHECK(roster.leave(2) == "ann");
    CHECK(roster.find("ann") == nullptr);
    CHECK(roster.size() == 1);
    roster.check_invariants();
}

TEST_CASE("ghosts in presence: a connection leaves once, whatever else is said of it", "[pubsub][roster]") {
    Roster roster;
    roster.enter(1, "ann", "{}", kAny);
    CHECK_FALSE(roster.leave(2));  // never came
    CHECK(roster.leave(1) == "ann");
    CHECK_FALSE(roster.leave(1));
    CHECK(roster.size() == 0);
    CHECK(roster.text_bytes() == 0);
    CHECK(roster.enter(1, "ann", "{}", kAny) == Roster::Entry::first);
    roster.check_invariants();
}

TEST_CASE("what the first connection said of a member holds while the member is there", "[pubsub][roster]") {
    Roster roster;
    roster.enter(1, "ann", R"({"name":"Ann"})", kAny);
    roster.enter(2, "ann", R"({"name":"Anna"})", kAny);
    CHECK(roster.find("ann")->info == R"({"name":"Ann"})");
    roster.leave(1);
    CHECK(roster.member_of(2)->info == R"({"name":"Ann"})");
    roster.leave(2);
    roster.enter(2, "ann", R"({"name":"Anna"})", kAny);
    CHECK(roster.find("ann")->info == R"({"name":"Anna"})");
}

TEST_CASE("a limit of N members admits N users, and every connection of those", "[pubsub][roster]") {
    Roster roster;
    CHECK(roster.enter(1, "a", "", 2) == Roster::Entry::first);
    CHECK(roster.enter(2, "b", "", 2) == Roster::Entry::first);
    CHECK(roster.enter(3, "c", "", 2) == Roster::Entry::full);
    CHECK(roster.member_of(3) == nullptr);
    CHECK(roster.enter(4, "a", "", 2) == Roster::Entry::again);
    CHECK_FALSE(roster.leave(3));
    CHECK(roster.leave(2) == "b");
    CHECK(roster.enter(3, "c", "", 2) == Roster::Entry::first);
    roster.check_invariants();
}

TEST_CASE("members are listed in the order in which they came", "[pubsub][roster]") {
    Roster roster;
    for (const auto& [client, id] :
         std::vector<std::pair<std::uint64_t, std::string>>{{1, "z"}, {2, "a"}, {3, "m"}, {4, "a"}})
        roster.enter(client, id, "", kAny);
    CHECK(ids(roster) == std::vector<std::string>{"z", "a", "m"});
    roster.leave(1);
    roster.enter(1, "z", "", kAny);
    CHECK(ids(roster) == std::vector<std::string>{"a", "m", "z"});
}

TEST_CASE("a roster agrees with a table of connections over random comings and goings", "[pubsub][roster]") {
    const auto seed = static_cast<std::uint32_t>(GENERATE(range(1, 6)));
    CAPTURE(seed);
    std::mt19937 random(seed);
    const std::size_t members_max = 1 + random() % 8;
    Roster roster;
    std::map<std::uint64_t, std::string> users;  // of the clients that are in
    const auto connections = [&](const std::string& id) {
        std::size_t n = 0;
        for (const auto& [client, user] : users) n += user == id ? 1 : 0;
        return n;
    };
    for (int step = 0; step < 5'000; ++step) {
        const std::uint64_t client = random() % 30;
        const std::string id = "user-" + std::to_string(random() % 12);
        std::set<std::string> present;
        for (const auto& [other, user] : users) present.insert(user);
        if (!users.contains(client) && random() % 2 == 0) {
            const auto entry = roster.enter(client, id, "1", members_max);
            const bool full = !present.contains(id) && present.size() >= members_max;
            CHECK(entry == (full                   ? Roster::Entry::full
                            : present.contains(id) ? Roster::Entry::again
                                                   : Roster::Entry::first));
            if (!full) users.emplace(client, id);
        } else {
            const auto found = users.find(client);
            const std::string left = found == users.end() ? "" : found->second;
            if (found != users.end()) users.erase(found);
            const auto gone = roster.leave(client);
            CHECK(gone.has_value() == (!left.empty() && connections(left) == 0));
            if (gone) CHECK(*gone == left);
        }
        CHECK(roster.connections() == users.size());
        roster.check_invariants();
    }
}
