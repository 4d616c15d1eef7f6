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
    void begins(std::size_t bytes_max = kNoLimit) { channels.begin_pass(channel, bytes_max); }
    void ends() {
        channels.end_pass(channel, [this](Held* held) { messages.release(held); }, note());
    }
    /// A whole pass: the slots that it serves, in order.
    std::vector<std::uint32_t> walks() {
        std::vector<std::uint32_t> served;
        for (; channel.pass.cursor < channel.pass.end; ++channel.pass.cursor)
            if (const Subscriber& s = channel.subscribers[channel.pass.cursor]; !s.is_gone()) served.push_back(s.slot);
        return served;
    }
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
        f.begins();
        f.leaves(0);
        CHECK_FALSE(f.channels.close_if_unused(f.channel));
        f.ends();
    }
    CHECK(f.channels.close_if_unused(f.channel));
    CHECK(f.messages.nothing_left());
}

TEST_CASE("a reopened slot remembers nothing of its earlier life", "[pubsub][local_channels]") {
    Fixture f;
    for (std::uint32_t i = 0; i < 100; ++i) f.joins(i);
    f.gathers(1);
    f.begins();
    for (std::uint32_t i = 0; i < 100; ++i) f.leaves(i);
    f.ends();
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
    f.begins();
    CHECK(f.walks().empty());
    f.ends();
    CHECK(f.messages.nothing_left());
}

TEST_CASE("C4 a pass serves who was there when it began, except who left", "[pubsub][local_channels]") {
    Fixture f;
    for (std::uint32_t slot = 0; slot < 5; ++slot) f.joins(slot);
    f.gathers(1);
    f.begins();
    f.joins(5, 2);
    f.leaves(3);
    f.leaves(0);
    CHECK(f.moves.empty());
    CHECK(f.slots() == Slots{kGone, 1, 2, kGone, 4, 5});
    CHECK(f.channel.live == 4);
    CHECK(f.walks() == Slots{1, 2, 4});
    f.channels.check_invariants();
    f.ends();
    CHECK(f.moves == std::vector<Move>{{5, 1005, 0}, {4, 1004, 3}});
    CHECK(f.slots() == Slots{5, 1, 2, 4});
    f.gathers(2);
    f.begins();
    CHECK(f.walks() == Slots{5, 1, 2, 4});
    f.ends();
    CHECK(f.messages.nothing_left());
}

TEST_CASE("C4 compaction moves survivors into gaps at the end, in the middle and in runs", "[pubsub][local_channels]") {
    // Every set of leavers out of eight.
    for (unsigned leavers = 0; leavers < 256; ++leavers) {
        Fixture f;
        std::map<std::uint32_t, std::uint32_t> place_of;
        for (std::uint32_t slot = 0; slot < 8; ++slot) place_of[slot] = f.joins(slot);
        f.gathers(1);
        f.begins();
        for (std::uint32_t slot = 0; slot < 8; ++slot) {
            if ((leavers >> slot & 1) == 0) continue;
            f.leaves(place_of.at(slot));
            place_of.erase(slot);
        }
        f.ends();
        for (const Move& move : f.moves) {
            REQUIRE(move.back == move.slot + 1000);
            place_of.at(move.slot) = move.index;
        }
        REQUIRE(f.channel.subscribers.size() == place_of.size());
        for (const auto& [slot, index] : place_of) REQUIRE(f.channel.subscribers[index].slot == slot);
        f.channels.check_invariants();
    }
}

TEST_CASE("a pass takes what fits, in order, and at least one message", "[pubsub][local_channels]") {
    Fixture f;
    f.joins(1);
    for (std::uint64_t seq = 1; seq <= 6; ++seq) f.gathers(seq, 40);
    const auto in_pass = [&](std::size_t bytes_max) {
        f.begins(bytes_max);
        Seqs seqs;
        for (const Held* held : f.channel.pass.messages) seqs.push_back(held->message->seq);
        f.ends();
        return seqs;
    };
    CHECK(in_pass(79) == Seqs{1});
    CHECK(in_pass(80) == Seqs{2, 3});
    CHECK(in_pass(1) == Seqs{4});
    CHECK(in_pass(1000) == Seqs{5, 6});
    CHECK(f.messages.nothing_left());
}

TEST_CASE("a pass is measured by the larger form of each message", "[pubsub][local_channels]") {
    Fixture f;
    f.joins(1);
    LocalChannels::gather(f.channel, f.messages.make({.seq = 1, .bytes = 10, .feed_bytes = 60}));
    LocalChannels::gather(f.channel, f.messages.make({.seq = 2, .bytes = 40, .feed_bytes = 10}));
    f.begins(99);
    CHECK(f.channel.pass.messages.size() == 1);
    f.ends();
    f.begins(100);
    f.ends();
    LocalChannels::gather(f.channel, f.messages.make({.seq = 3, .bytes = 10, .feed_bytes = 60}));
    LocalChannels::gather(f.channel, f.messages.make({.seq = 4, .bytes = 40, .feed_bytes = 10}));
    f.begins(100);
    CHECK(f.channel.pass.messages.size() == 2);
    f.ends();
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
    f.begins();
    CHECK(f.channels.pass_bytes(f.channel, WireForm::pusher).data() == alone->frame(WireForm::pusher).data());
    CHECK(f.channels.pass_bytes(f.channel, WireForm::feed).data() == alone->frame(WireForm::feed).data());
    f.ends();

    const Message* first = gather(2);
    const Message* second = gather(3);
    f.begins();
    for (const WireForm form : {WireForm::pusher, WireForm::feed}) {
        const auto joined = f.channels.pass_bytes(f.channel, form);
        std::string expected(base::as_text(first->frame(form)));
        expected += base::as_text(second->frame(form));
        CHECK(base::as_text(joined) == expected);
        CHECK(f.channels.pass_bytes(f.channel, form).data() == joined.data());
    }
    f.ends();
    CHECK(f.channel.pass.joined[0].capacity() == 0);
    CHECK(f.channel.pass.joined[1].capacity() == 0);
    CHECK(f.messages.nothing_left());
}

TEST_CASE("C4 a pass knows whether one of its messages excludes somebody", "[pubsub][local_channels]") {
    Fixture f;
    f.joins(1);
    const auto excludes = [&] {
        f.begins(25);
        const bool answer = f.channel.pass.excludes;
        f.ends();
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

    f.begins();
    f.joins(3, 4);  // behind the end
    f.gathers(4);
    CHECK(f.owed(0) == Seqs{1, 2, 3, 4});
    CHECK(f.owed(1) == Seqs{2, 3, 4});
    CHECK(f.owed(2) == Seqs{4});
    CHECK(f.owed(3) == Seqs{4});
    f.channel.pass.cursor = 1;  // the first was served
    CHECK(f.owed(0) == Seqs{4});
    CHECK(f.owed(1) == Seqs{2, 3, 4});
    f.channel.pass.cursor = f.channel.pass.end;
    CHECK(f.owed(1) == Seqs{4});
    f.ends();
    CHECK(f.owed(3) == Seqs{4});
    f.begins();
    f.walks();
    f.ends();
    CHECK(f.owed(3).empty());
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

    f.begins(15);  // the orphans go whatever their size, and alone
    CHECK(f.channel.pass.messages.size() == 2);
    CHECK(f.walks().empty());
    CHECK(f.owed(0) == Seqs{1});
    f.channels.check_invariants();
    f.ends();
    f.begins();
    CHECK(f.walks() == Slots{8});
    CHECK(f.channel.pass.messages.front()->message->seq == 1);
    f.ends();
    CHECK(f.messages.nothing_left());
}

TEST_CASE("a life that ends during its pass leaves nothing to the next one", "[pubsub][local_channels]") {
    Fixture f;
    f.joins(7, 1);
    f.gathers(50);
    f.begins();
    f.gathers(51);
    f.leaves(0);
    f.joins(8, 1);
    f.gathers(1);
    CHECK(f.owed(1) == Seqs{1});
    f.channels.check_invariants();
    CHECK(f.walks().empty());
    f.ends();
    CHECK(f.moves == std::vector<Move>{{8, 1008, 0}});
    CHECK(f.owed(0) == Seqs{1});
    f.begins();
    CHECK(f.walks().empty());
    f.ends();
    f.begins();
    CHECK(f.walks() == Slots{8});
    f.ends();
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

    /// Begins one, walks a piece of it, or ends it.
    void pass() {
        PassState& pass = channel_.pass;
        if (!pass.active()) {
            if (channel_.gathered.empty()) return;
            channels_.begin_pass(channel_, 1 + random_() % 400);
        }
        for (auto n = random_() % 30; n != 0 && pass.cursor < pass.end; --n) {
            const Subscriber subscriber = channel_.subscribers[pass.cursor++];
            if (!subscriber.is_gone()) serve(subscriber);
        }
        if (pass.cursor != pass.end || random_() % 2 != 0) return;
        channels_.end_pass(
            channel_,
            [&](Held* held) {
                number_of_.erase(held);
                messages_.release(held);
            },
            moved());
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
