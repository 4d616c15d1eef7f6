// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/local_channels.h"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "base/bytes.h"
#include "base/format.h"
#include "messages.h"

using namespace spillway;
using namespace spillway::pubsub;
using spillway::test::Messages;
using spillway::test::MessageSpec;

namespace {

constexpr std::size_t kNoLimit = 1 << 20;

struct Move {
    std::uint32_t slot, back, index;
    friend bool operator==(const Move&, const Move&) = default;
};

/// One open channel and verbs for what happens to it.
class Fixture {
public:
    Messages messages;
    LocalChannels channels{1};
    LocalChannel& channel = *channels.get(channels.open(channel_key(0, "room")).id);
    std::vector<Move> moves;

    auto note() {
        return [this](std::uint32_t slot, std::uint32_t back, std::uint32_t index) {
            moves.push_back({slot, back, index});
        };
    }
    std::uint32_t joins(std::uint32_t slot, std::uint64_t first_seq = 1) {
        return channels.add(channel, slot, slot + 1000, first_seq);
    }
    void leaves(std::uint32_t index) { channels.remove(channel, index, note()); }
    void gathers(std::uint64_t seq, std::size_t bytes = 10) {
        LocalChannels::gather(channel, messages.make({.seq = seq, .bytes = bytes}));
    }
    auto release() {
        return [this](Held* held) { messages.release(held); };
    }
    void boards(std::size_t bytes_max = kNoLimit) { channels.board(channel, bytes_max, release()); }
    void turns() { channels.turn(channel, release(), note()); }
    /// To the next boundary, or so far: the slots that it serves, in order.
    std::vector<std::uint32_t> walks(std::size_t most = kNoLimit) {
        std::vector<std::uint32_t> served;
        while (served.size() < most) {
            const Subscriber* next = channels.next(channel, note());
            if (next == nullptr) break;
            served.push_back(next->slot);
        }
        return served;
    }
    /// Until nothing rides.
    std::vector<std::uint32_t> walks_on() {
        std::vector<std::uint32_t> served;
        while (channel.pass.active()) {
            const auto some = walks();
            served.insert(served.end(), some.begin(), some.end());
            turns();
        }
        return served;
    }
    std::vector<std::uint64_t> riding() const {
        std::vector<std::uint64_t> seqs;
        for (const Held* held : channel.pass.messages) seqs.push_back(held->message->seq);
        return seqs;
    }
    /// Others may get on at the next step.
    void stops() { channel.pass.until_boarding = 0; }
    std::vector<std::uint64_t> owed(std::uint32_t index) const {
        std::vector<std::uint64_t> seqs;
        LocalChannels::for_each_owed(channel, index, [&](const Held* held) { seqs.push_back(held->message->seq); });
        return seqs;
    }
    std::vector<std::uint32_t> slots() const {
        std::vector<std::uint32_t> all;
        for (const Subscriber& s : channel.subscribers) all.push_back(s.slot);
        return all;
    }
};

using Seqs = std::vector<std::uint64_t>;
using Slots = std::vector<std::uint32_t>;
constexpr std::uint32_t kGone = Subscriber::kGone;

}  // namespace

// ---- opening, finding, closing

TEST_CASE("C1 the more subscribers, the less a pass joins, within bounds", "[pubsub][local_channels]") {
    CHECK(LocalChannels::join_bytes(0) == kJoinBytesMax);
    CHECK(LocalChannels::join_bytes(1500) == kJoinBytesMax);
    CHECK(LocalChannels::join_bytes(3000) == kPassBytes / 3000);
    CHECK(LocalChannels::join_bytes(1'000'000) == kJoinBytesLeast);
}

TEST_CASE("a channel is opened once and found by app and name", "[pubsub][local_channels]") {
    LocalChannels channels(4);
    std::string name = "market-EURUSD";
    const auto opened = channels.open(channel_key(1, name));
    CHECK(opened.is_new);
    name = "overwritten..";  // the channel keeps a copy
    CHECK(channels.find(channel_key(1, "market-EURUSD")) == opened.id);
    const auto again = channels.open(channel_key(1, "market-EURUSD"));
    CHECK_FALSE(again.is_new);
    CHECK(again.id == opened.id);
    CHECK(channels.find(channel_key(2, "market-EURUSD")).is_none());
    CHECK(channels.find(channel_key(1, "market-EURUS")).is_none());
    REQUIRE(channels.get(opened.id) != nullptr);
    const LocalChannel& channel = *channels.get(opened.id);
    CHECK(channel.name == "market-EURUSD");
    CHECK(channel.home == home_core(channel_key(1, "market-EURUSD"), 4));
    CHECK(LocalChannels::id_of(channel) == opened.id);
    CHECK(channels.size() == 1);
    channels.check_invariants();
}

TEST_CASE("an id names one life of a channel", "[pubsub][local_channels]") {
    LocalChannels channels(1);
    const ChannelKey key = channel_key(0, "a");
    const LocalChannelId first = channels.open(key).id;
    CHECK(channels.close_if_unused(*channels.get(first)));
    CHECK(channels.size() == 0);
    CHECK(channels.get(first) == nullptr);
    CHECK(channels.find(key).is_none());
    const auto second = channels.open(key);
    CHECK(second.is_new);
    CHECK(second.id.slot == first.slot);
    CHECK(second.id.generation != first.generation);
    CHECK(channels.get(first) == nullptr);
    CHECK(channels.get(second.id) != nullptr);
    CHECK(channels.get({}) == nullptr);
    CHECK(channels.get({second.id.slot + 1, 1}) == nullptr);
    channels.check_invariants();
}

TEST_CASE("a channel stays open while it has subscribers, joins under way, a job or a pass",
          "[pubsub][local_channels]") {
    Fixture f;
    SECTION("subscribers") {
        f.joins(1);
        CHECK_FALSE(f.channels.close_if_unused(f.channel));
        f.leaves(0);
    }
    SECTION("joins under way") {
        f.channel.joins_pending = 1;
        CHECK_FALSE(f.channels.close_if_unused(f.channel));
        f.channel.joins_pending = 0;
    }
    SECTION("a job") {
        f.channel.queued = LocalChannel::Queued::normal;
        CHECK_FALSE(f.channels.close_if_unused(f.channel));
        f.channel.queued = LocalChannel::Queued::no;
    }
    SECTION("a pass") {
        f.joins(1);
        f.gathers(1);
        f.boards();
        f.leaves(0);
        CHECK_FALSE(f.channels.close_if_unused(f.channel));
        f.turns();
    }
    CHECK(f.channels.close_if_unused(f.channel));
    CHECK(f.messages.nothing_left());
}

TEST_CASE("a reopened slot remembers nothing of its earlier life", "[pubsub][local_channels]") {
    Fixture f;
    for (std::uint32_t i = 0; i < 100; ++i) f.joins(i);
    f.gathers(1);
    f.boards();
    for (std::uint32_t i = 0; i < 100; ++i) f.leaves(i);
    f.turns();
    REQUIRE(f.channels.close_if_unused(f.channel));
    const auto opened = f.channels.open(channel_key(3, "another"));
    const LocalChannel& channel = *f.channels.get(opened.id);
    CHECK(channel.name == "another");
    CHECK(channel.live == 0);
    CHECK(channel.subscribers.capacity() == 0);
    CHECK(channel.gathered.empty());
    CHECK_FALSE(channel.pass.active());
    CHECK(channel.orphaned == 0);
    f.channels.check_invariants();
}

TEST_CASE("channels agree with a map over random openings and closings", "[pubsub][local_channels]") {
    std::mt19937 random(11);
    LocalChannels channels(3);
    std::map<std::string, LocalChannelId> open;
    std::vector<LocalChannelId> over;
    for (int step = 0; step < 20'000; ++step) {
        const std::string name = base::concat("c", random() % 300);
        const ChannelKey key = channel_key(0, name);
        if (const auto it = open.find(name); it != open.end()) {
            REQUIRE(channels.find(key) == it->second);
            if (random() % 2 == 0) {
                REQUIRE(channels.close_if_unused(*channels.get(it->second)));
                over.push_back(it->second);
                open.erase(it);
            }
        } else {
            REQUIRE(channels.find(key).is_none());
            const auto opened = channels.open(key);
            REQUIRE(opened.is_new);
            open[name] = opened.id;
        }
        REQUIRE(channels.size() == open.size());
        if (!over.empty()) REQUIRE(channels.get(over[random() % over.size()]) == nullptr);
    }
    std::size_t seen = 0;
    channels.for_each([&](const LocalChannel& channel) {
        ++seen;
        CHECK(open.at(channel.name) == LocalChannels::id_of(channel));
    });
    CHECK(seen == open.size());
    channels.check_invariants();
}

// ---- joining and leaving outside a pass

TEST_CASE("H1 leaving moves the last subscriber into the gap and tells where it went", "[pubsub][local_channels]") {
    Fixture f;
    for (std::uint32_t slot = 10; slot < 14; ++slot) CHECK(f.joins(slot, slot) == slot - 10);
    CHECK(f.channel.live == 4);
    f.leaves(1);
    CHECK(f.moves == std::vector<Move>{{13, 1013, 1}});
    CHECK(f.slots() == Slots{10, 13, 12});
    CHECK(f.channel.subscribers[1].first_seq == 13);
    f.leaves(2);  // the last: nobody moves
    CHECK(f.moves.size() == 1);
    CHECK(f.slots() == Slots{10, 13});
    CHECK(f.channel.live == 2);
    f.channels.check_invariants();
}

TEST_CASE("H1 R1 back pointers stay right over random joins and leaves", "[pubsub][local_channels]") {
    std::mt19937 random(5);
    LocalChannels channels(1);
    LocalChannel& channel = *channels.get(channels.open(channel_key(0, "a")).id);
    std::map<std::uint32_t, std::uint32_t> place_of;  // slot -> index
    for (std::uint32_t step = 0; step < 30'000; ++step) {
        if (place_of.size() < 50 || (place_of.size() < 500 && random() % 2 == 0)) {
            place_of[step] = channels.add(channel, step, step ^ 0x5555, 1);
        } else {
            const auto it = std::next(place_of.begin(), static_cast<std::ptrdiff_t>(random() % place_of.size()));
            const std::uint32_t index = it->second;
            place_of.erase(it);
            int moved = 0;
            channels.remove(channel, index, [&](std::uint32_t slot, std::uint32_t back, std::uint32_t to) {
                ++moved;
                REQUIRE(to == index);
                REQUIRE(back == (slot ^ 0x5555));
                place_of.at(slot) = to;
            });
            REQUIRE(moved <= 1);
        }
        REQUIRE(channel.live == place_of.size());
    }
    for (const auto& [slot, index] : place_of) CHECK(channel.subscribers[index].slot == slot);
    channels.check_invariants();
}

// ---- passes

TEST_CASE("R5 a pass over nobody ends where it starts", "[pubsub][local_channels]") {
    Fixture f;
    f.joins(1);
    f.gathers(1);
    f.leaves(0);
    f.boards();
    CHECK_FALSE(f.channel.pass.active());
    CHECK(f.walks().empty());
    f.turns();
    CHECK(f.messages.nothing_left());
}

TEST_CASE("C1 what comes during a pass rides at once, for one lap, and everybody gets one send a lap",
          "[pubsub][local_channels]") {
    Fixture f;
    for (std::uint32_t slot = 0; slot < 5; ++slot) f.joins(slot);
    f.gathers(1);
    f.boards();
    CHECK(f.walks(2) == Slots{0, 1});
    f.gathers(2);
    f.gathers(3);
    f.stops();
    f.boards();
    CHECK(f.riding() == Seqs{1, 2, 3});
    CHECK(f.walks() == Slots{2, 3, 4});
    f.turns();
    CHECK(f.riding() == Seqs{2, 3});
    CHECK(f.walks(1) == Slots{0});
    f.gathers(4);
    f.stops();
    f.boards();
    CHECK(f.walks() == Slots{1});
    f.turns();
    CHECK(f.riding() == Seqs{4});
    CHECK(f.walks() == Slots{2, 3, 4});
    f.turns();
    CHECK(f.walks() == Slots{0});
    f.turns();
    CHECK_FALSE(f.channel.pass.active());
    CHECK(f.messages.nothing_left());
}

TEST_CASE("C1 nobody gets on at every step: what is joined is joined a few times a lap only",
          "[pubsub][local_channels]") {
    Fixture f;
    for (std::uint32_t slot = 0; slot < 8000; ++slot) f.joins(slot);
    f.gathers(1);
    CHECK(LocalChannels::boards(f.channel));
    f.boards();
    f.gathers(2);
    CHECK_FALSE(LocalChannels::boards(f.channel));
    CHECK(f.walks(999).size() == 999);
    CHECK_FALSE(LocalChannels::boards(f.channel));
    CHECK(f.walks(1).size() == 1);
    CHECK(LocalChannels::boards(f.channel));
    f.boards();
    CHECK(f.riding() == Seqs{1, 2});
    CHECK(f.walks_on().size() == 8000);
    f.gathers(3);
    CHECK(LocalChannels::boards(f.channel));  // nothing rides
    f.boards();
    CHECK(f.walks_on().size() == 8000);
    CHECK(f.messages.nothing_left());
}

TEST_CASE("C4 during a pass joins append, leaves leave a tombstone, and the pass closes the gaps it comes to",
          "[pubsub][local_channels]") {
    Fixture f;
    for (std::uint32_t slot = 0; slot < 5; ++slot) f.joins(slot);
    f.gathers(1);
    f.boards();
    CHECK(f.walks(1) == Slots{0});
    f.joins(5, 2);
    f.leaves(3);
    f.leaves(0);
    CHECK(f.moves.empty());
    CHECK(f.slots() == Slots{kGone, 1, 2, kGone, 4, 5});
    CHECK(f.channel.live == 4);
    CHECK(f.walks() == Slots{1, 2, 5, 4});  // 5 knows by its first_seq that this is not for it
    CHECK(f.moves == std::vector<Move>{{5, 1005, 3}});
    f.channels.check_invariants();
    f.turns();
    CHECK(f.moves == std::vector<Move>{{5, 1005, 3}, {4, 1004, 0}});
    CHECK(f.slots() == Slots{4, 1, 2, 5});
    f.gathers(2);
    f.boards();
    CHECK(f.walks_on() == Slots{4, 1, 2, 5});
    CHECK(f.messages.nothing_left());
}

TEST_CASE("C4 who is moved into a gap gets nothing of this lap twice", "[pubsub][local_channels]") {
    Fixture f;
    for (std::uint32_t slot = 0; slot < 6; ++slot) f.joins(slot);
    f.gathers(1);
    f.boards();
    f.walks(4);
    f.gathers(2);  // gets on at 4: 4 and 5 have it before the lap ends
    f.stops();
    f.boards();
    f.walks();
    f.turns();
    f.walks(1);
    f.gathers(3);  // gets on at 1: nobody of those ahead has it
    f.stops();
    f.boards();
    f.leaves(2);
    CHECK(f.owed(5) == Seqs{3});
    CHECK(f.walks(2) == Slots{1, 5});
    CHECK(f.moves == std::vector<Move>{{5, 1005, 2}});
    CHECK(f.channel.subscribers[2].first_seq == 3);
    CHECK(f.owed(2).empty());
    f.channels.check_invariants();
    f.walks_on();
    CHECK(f.messages.nothing_left());
}

TEST_CASE("C4 compaction moves survivors into gaps at the end, in the middle and in runs", "[pubsub][local_channels]") {
    // Every set of leavers out of eight, who leave when the pass has come so far.
    for (unsigned leavers = 0; leavers < 256; ++leavers) {
        for (std::size_t so_far = 0; so_far <= 8; ++so_far) {
            Fixture f;
            std::map<std::uint32_t, std::uint32_t> place_of;
            for (std::uint32_t slot = 0; slot < 8; ++slot) place_of[slot] = f.joins(slot);
            f.gathers(1);
            f.boards();
            std::size_t served = f.walks(so_far).size();
            REQUIRE(served == so_far);
            for (std::uint32_t slot = 0; slot < 8; ++slot) {
                if ((leavers >> slot & 1) == 0) continue;
                if (slot >= so_far) ++served;  // never to be
                f.leaves(place_of.at(slot));
                place_of.erase(slot);
            }
            served += f.walks().size();
            REQUIRE(served == 8);
            f.turns();
            for (const Move& move : f.moves) {
                REQUIRE(move.back == move.slot + 1000);
                place_of.at(move.slot) = move.index;
            }
            REQUIRE(f.channel.subscribers.size() == place_of.size());
            for (const auto& [slot, index] : place_of) REQUIRE(f.channel.subscribers[index].slot == slot);
            f.channels.check_invariants();
        }
    }
}

TEST_CASE("a pass takes on what fits, in order, and at least one message", "[pubsub][local_channels]") {
    Fixture f;
    f.joins(1);
    for (std::uint64_t seq = 1; seq <= 6; ++seq) f.gathers(seq, 40);
    const auto in_pass = [&](std::size_t bytes_max) {
        f.boards(bytes_max);
        const Seqs seqs = f.riding();
        f.walks_on();
        return seqs;
    };
    CHECK(in_pass(79) == Seqs{1});
    CHECK(in_pass(80) == Seqs{2, 3});
    CHECK(in_pass(1) == Seqs{4});
    CHECK(in_pass(1000) == Seqs{5, 6});
    CHECK(f.messages.nothing_left());
}

TEST_CASE("who rides and who gets on must fit together", "[pubsub][local_channels]") {
    Fixture f;
    for (std::uint32_t slot = 0; slot < 3; ++slot) f.joins(slot);
    for (std::uint64_t seq = 1; seq <= 3; ++seq) f.gathers(seq, 40);
    f.boards(100);
    CHECK(f.riding() == Seqs{1, 2});
    f.walks(1);
    f.stops();
    f.boards(100);
    CHECK(f.riding() == Seqs{1, 2});
    f.stops();
    f.boards(120);
    CHECK(f.riding() == Seqs{1, 2, 3});
    f.walks_on();
    CHECK(f.messages.nothing_left());
}

TEST_CASE("a pass is measured by the larger form of each message", "[pubsub][local_channels]") {
    Fixture f;
    f.joins(1);
    LocalChannels::gather(f.channel, f.messages.make({.seq = 1, .bytes = 10, .feed_bytes = 60}));
    LocalChannels::gather(f.channel, f.messages.make({.seq = 2, .bytes = 40, .feed_bytes = 10}));
    f.boards(99);
    CHECK(f.channel.pass.messages.size() == 1);
    f.walks_on();
    f.boards(100);
    f.walks_on();
    LocalChannels::gather(f.channel, f.messages.make({.seq = 3, .bytes = 10, .feed_bytes = 60}));
    LocalChannels::gather(f.channel, f.messages.make({.seq = 4, .bytes = 40, .feed_bytes = 10}));
    f.boards(100);
    CHECK(f.channel.pass.messages.size() == 2);
    f.walks_on();
    CHECK(f.messages.nothing_left());
}

TEST_CASE("C2 one message is sent from where it lies, several from one joined copy per form",
          "[pubsub][local_channels]") {
    Fixture f;
    f.joins(1);
    const auto gather = [&](std::uint64_t seq) {
        LocalChannels::gather(f.channel, f.messages.make({.seq = seq, .bytes = 5, .feed_bytes = 3}));
        return f.channel.gathered.back()->message;
    };
    const Message* alone = gather(1);
    f.boards();
    CHECK(f.channels.pass_bytes(f.channel, WireForm::pusher).data() == alone->frame(WireForm::pusher).data());
    CHECK(f.channels.pass_bytes(f.channel, WireForm::feed).data() == alone->frame(WireForm::feed).data());
    f.walks_on();

    const Message* first = gather(2);
    const Message* second = gather(3);
    f.boards();
    for (const WireForm form : {WireForm::pusher, WireForm::feed}) {
        const auto joined = f.channels.pass_bytes(f.channel, form);
        std::string expected(base::as_text(first->frame(form)));
        expected += base::as_text(second->frame(form));
        CHECK(base::as_text(joined) == expected);
        CHECK(f.channels.pass_bytes(f.channel, form).data() == joined.data());
    }
    f.walks_on();
    CHECK(f.channel.pass.joined[0].capacity() == 0);
    CHECK(f.channel.pass.joined[1].capacity() == 0);
    CHECK(f.messages.nothing_left());
}

TEST_CASE("memory that large passes were joined in is kept for the next, and goes when no pass needs it",
          "[pubsub][local_channels]") {
    Fixture f;
    f.joins(1);
    std::uint64_t seq = 0;
    const auto capacity_of_pass = [&](std::size_t bytes) {
        f.gathers(++seq, bytes);
        f.gathers(++seq, bytes);
        f.boards();
        static_cast<void>(f.channels.pass_bytes(f.channel, WireForm::pusher));
        const std::size_t capacity = f.channel.pass.joined[0].capacity();
        f.walks_on();
        return capacity;
    };
    REQUIRE(capacity_of_pass(20'000) >= 40'000);
    f.channels.trim_unneeded();
    CHECK(capacity_of_pass(10) >= 40'000);
    f.channels.trim_unneeded();  // it was needed since
    CHECK(capacity_of_pass(10) >= 40'000);
    f.channels.trim_unneeded();
    f.channels.trim_unneeded();
    CHECK(capacity_of_pass(10) < 1000);
    CHECK(f.messages.nothing_left());
}

TEST_CASE("C4 a pass knows whether one of its messages excludes somebody", "[pubsub][local_channels]") {
    Fixture f;
    f.joins(1);
    const auto excludes = [&] {
        f.boards(25);
        const bool answer = f.channel.pass.excludes;
        f.walks_on();
        return answer;
    };
    for (std::uint64_t seq = 1; seq <= 6; ++seq)
        LocalChannels::gather(f.channel, f.messages.make({.seq = seq, .exclude = seq == 4 ? 99U : 0U}));
    CHECK_FALSE(excludes());
    CHECK(excludes());
    CHECK_FALSE(excludes());
}

// ---- what is owed

TEST_CASE("what a subscriber is owed is what was gathered since it joined and what the pass has not reached it with",
          "[pubsub][local_channels]") {
    Fixture f;
    f.joins(0, 1);
    f.joins(1, 2);
    f.joins(2, 4);
    for (std::uint64_t seq = 1; seq <= 3; ++seq) f.gathers(seq);
    CHECK(f.owed(0) == Seqs{1, 2, 3});
    CHECK(f.owed(1) == Seqs{2, 3});
    CHECK(f.owed(2).empty());

    f.boards();
    f.joins(3, 4);
    f.gathers(4);
    CHECK(f.owed(0) == Seqs{1, 2, 3, 4});
    CHECK(f.owed(1) == Seqs{2, 3, 4});
    CHECK(f.owed(2) == Seqs{4});
    CHECK(f.owed(3) == Seqs{4});
    f.walks(1);
    CHECK(f.owed(0) == Seqs{4});
    CHECK(f.owed(1) == Seqs{2, 3, 4});
    f.walks();
    CHECK(f.owed(1) == Seqs{4});
    f.turns();
    CHECK(f.owed(3) == Seqs{4});
    f.boards();
    f.walks_on();
    CHECK(f.owed(3).empty());
    CHECK(f.messages.nothing_left());
}

TEST_CASE("what somebody is owed of a message that got on in the midst goes round the end",
          "[pubsub][local_channels]") {
    Fixture f;
    for (std::uint32_t slot = 0; slot < 4; ++slot) f.joins(slot);
    f.gathers(1);
    f.boards();
    f.walks(2);
    f.gathers(2);
    f.stops();
    f.boards();
    CHECK(f.owed(0) == Seqs{2});
    CHECK(f.owed(1) == Seqs{2});
    CHECK(f.owed(2) == Seqs{1, 2});
    f.walks(1);
    CHECK(f.owed(2).empty());
    f.walks();
    CHECK(f.owed(3).empty());
    CHECK(f.owed(0) == Seqs{2});
    f.turns();
    CHECK(f.owed(0) == Seqs{2});
    CHECK(f.owed(3).empty());
    f.walks(1);
    CHECK(f.owed(0).empty());
    CHECK(f.owed(1) == Seqs{2});
    f.walks_on();
    CHECK(f.messages.nothing_left());
}

TEST_CASE("what was gathered for subscribers who all left is for nobody, though a new life counts from 1 again",
          "[pubsub][local_channels]") {
    Fixture f;
    f.joins(7, 1);
    f.gathers(56);
    f.gathers(57);
    f.leaves(0);
    // The channel ended at its home and began anew: the sequence numbers of before are larger than the joiner's.
    f.joins(8, 1);
    CHECK(f.owed(0).empty());
    f.gathers(1);
    CHECK(f.owed(0) == Seqs{1});
    f.channels.check_invariants();

    f.boards(15);  // the orphans go whatever their size
    CHECK(f.riding() == Seqs{1});
    CHECK(f.owed(0) == Seqs{1});
    f.channels.check_invariants();
    CHECK(f.walks_on() == Slots{8});
    CHECK(f.messages.nothing_left());
}

TEST_CASE("a life that ends during its pass leaves nothing to the next one", "[pubsub][local_channels]") {
    Fixture f;
    f.joins(7, 1);
    f.gathers(50);
    f.boards();
    f.gathers(51);
    f.leaves(0);
    f.joins(8, 1);
    f.gathers(1);
    CHECK(f.owed(1) == Seqs{1});
    f.channels.check_invariants();
    CHECK(f.walks().empty());
    f.stops();
    f.boards();  // not onto what is over
    CHECK(f.riding() == Seqs{50});
    f.turns();
    CHECK(f.moves == std::vector<Move>{{8, 1008, 0}});
    CHECK(f.owed(0) == Seqs{1});
    f.boards();
    CHECK(f.walks_on() == Slots{8});
    CHECK(f.messages.nothing_left());
}

// ---- the model

namespace {

/// What one client life must get of one channel, kept as a naive list beside the real thing.
class Model {
public:
    explicit Model(std::uint32_t seed) : random_(seed) {}

    void run(int steps) {
        for (int i = 0; i < steps; ++i) step();
        while (!by_slot_.empty() && random_() % 3 != 0) leave();
        while (channel_.pass.active() || !channel_.gathered.empty()) pass();
        check();
        for (const auto& [message, owed_to] : outstanding_) REQUIRE(owed_to.empty());
        while (!by_slot_.empty()) leave();
        REQUIRE(channels_.close_if_unused(channel_));
        REQUIRE(messages_.nothing_left());
    }
    std::uint64_t served() const { return served_; }
    std::uint64_t lives() const { return lives_; }

private:
    auto moved() {
        return [this](std::uint32_t slot, std::uint32_t back, std::uint32_t index) {
            REQUIRE(back == ~slot);
            by_slot_.at(slot) = index;
        };
    }

    void step() {
        switch (random_() % 8) {
            case 0:
            case 1: join(); break;
            case 2: leave(); break;
            case 3:
                if (random_() % 20 == 0) {
                    while (!by_slot_.empty()) leave();  // the last one out ends the life at home
                } else {
                    leave();
                }
                break;
            case 4:
            case 5: publish(); break;
            default: pass();
        }
        if (random_() % 16 == 0) check();
    }

    void join() {
        if (by_slot_.size() >= 40) return;
        if (by_slot_.empty()) {
            seq_ = 0;
            ++lives_;
        }
        const std::uint32_t slot = next_slot_++;
        by_slot_[slot] = channels_.add(channel_, slot, ~slot, seq_ + 1);
    }

    void leave() {
        if (by_slot_.empty()) return;
        const auto it = std::next(by_slot_.begin(), static_cast<std::ptrdiff_t>(random_() % by_slot_.size()));
        const auto [slot, index] = *it;
        by_slot_.erase(it);
        std::multiset<std::uint64_t> owed;
        LocalChannels::for_each_owed(channel_, index, [&](Held* held) { owed.insert(number_of_.at(held)); });
        std::multiset<std::uint64_t> expected;
        for (auto& [number, owed_to] : outstanding_)
            if (owed_to.erase(slot) != 0) expected.insert(number);
        REQUIRE(owed == expected);
        channels_.remove(channel_, index, moved());
    }

    void publish() {
        if (by_slot_.empty()) return;  // nothing is gathered for nobody
        Held* held = messages_.make({.seq = ++seq_, .bytes = 1 + random_() % 100});
        const std::uint64_t number = next_number_++;
        number_of_[held] = number;
        for (const auto& [slot, index] : by_slot_) outstanding_[number].insert(slot);
        LocalChannels::gather(channel_, held);
    }

    auto release() {
        return [this](Held* held) {
            number_of_.erase(held);
            messages_.release(held);
        };
    }

    /// Takes on what was gathered, or not, walks a piece, and turns at the boundary, or later.
    void pass() {
        PassState& pass = channel_.pass;
        if (random_() % 3 == 0) pass.until_boarding = 0;
        if (LocalChannels::boards(channel_) && random_() % 4 != 0)
            channels_.board(channel_, 1 + random_() % 400, release());
        for (auto n = random_() % 30; n != 0; --n) {
            const Subscriber* next = channels_.next(channel_, moved());
            if (next != nullptr) {
                serve(*next);
                continue;
            }
            if (random_() % 2 != 0) channels_.turn(channel_, release(), moved());
            return;
        }
    }

    void serve(const Subscriber& subscriber) {
        for (Held* held : channel_.pass.messages) {
            if (held->message->seq < subscriber.first_seq) continue;
            ++served_;
            REQUIRE(outstanding_.at(number_of_.at(held)).erase(subscriber.slot) == 1);
        }
    }

    void check() {
        channels_.check_invariants();
        REQUIRE(channel_.live == by_slot_.size());
        for (const auto& [slot, index] : by_slot_) {
            REQUIRE(channel_.subscribers[index].slot == slot);
            REQUIRE(channel_.subscribers[index].back == ~slot);
        }
    }

    std::mt19937 random_;
    Messages messages_;
    LocalChannels channels_{1};
    LocalChannel& channel_ = *channels_.get(channels_.open(channel_key(0, "room")).id);
    std::map<std::uint32_t, std::uint32_t> by_slot_;                // live client -> index of its entry
    std::map<std::uint64_t, std::set<std::uint32_t>> outstanding_;  // message -> clients that must get it yet
    std::map<Held*, std::uint64_t> number_of_;
    std::uint64_t seq_ = 0;
    std::uint64_t next_number_ = 0;
    std::uint32_t next_slot_ = 0;
    std::uint64_t served_ = 0;
    std::uint64_t lives_ = 0;
};

}  // namespace

TEST_CASE("C4 every subscriber is served each message since its join exactly once, or owed it when it leaves",
          "[pubsub][local_channels]") {
    const auto seed = static_cast<std::uint32_t>(GENERATE(range(1, 13)));
    CAPTURE(seed);
    Model model(seed);
    model.run(6000);
    CHECK(model.served() > 1000);
    CHECK(model.lives() > 5);
}
