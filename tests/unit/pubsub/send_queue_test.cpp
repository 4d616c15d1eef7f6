// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/send_queue.h"

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "messages.h"

using namespace spillway;
using namespace spillway::pubsub;
using spillway::test::Messages;

namespace {

using Seqs = std::vector<std::uint64_t>;

constexpr LocalChannelId kRoom{1, 1};
constexpr LocalChannelId kOther{2, 1};
constexpr LocalChannelId kAnswer{};  // to this client alone
constexpr auto kForm = WireForm::pusher;
constexpr std::uint64_t kPlenty = 1 << 30;

struct LetGo {
    std::uint64_t seq;
    DropReason reason;
    friend bool operator==(const LetGo&, const LetGo&) = default;
};

/// A queue under limits, and verbs. Messages are named by seq, counted up from 1.
class Fixture {
public:
    Messages messages;
    SendQueue queue;
    QueueLimits limits{.messages = 10, .bytes = kPlenty};
    OverflowPolicy policy = OverflowPolicy::drop_newest;
    bool high_client = false;
    std::vector<LetGo> let_go;
    Seqs done;

    ~Fixture() {
        queue.check_invariants(kForm);
        queue.clear([this](const QueueEntry& e) { messages.release(e.held); });
        CHECK(messages.nothing_left());
    }

    struct Push {
        Priority priority = Priority::normal;
        std::size_t bytes = 10;
        LocalChannelId channel = kRoom;
        std::uint64_t event = 1;
        bool behind = true;
    };
    Admission push(const Push& p) {
        Held* held = messages.make({.seq = next_++, .bytes = p.bytes, .priority = p.priority, .event = p.event});
        const SendQueue::Offer offer{{held, p.channel}, kForm, policy, high_client, p.behind};
        const Admission answer = queue.push(offer, limits, [this](const QueueEntry& e, DropReason reason) {
            let_go.push_back({e.held->message->seq, reason});
            messages.release(e.held);
        });
        if (answer != Admission::queued) messages.release(held);
        queue.check_invariants(kForm);
        return answer;
    }
    Admission push(Priority priority) { return push(Push{.priority = priority}); }

    /// `count` more messages of `bytes` each, whatever the limits: urgent ones into an unlimited queue.
    void fill(std::size_t count, std::size_t bytes = 10, Priority priority = Priority::urgent) {
        const QueueLimits kept = limits;
        limits = {kPlenty, kPlenty};
        for (std::size_t i = 0; i < count; ++i)
            REQUIRE(push({.priority = priority, .bytes = bytes, .event = 1'000'000 + next_, .behind = false}) ==
                    Admission::queued);
        limits = kept;
    }
    void consume(std::size_t taken) {
        queue.consume(taken, kForm, [this](const QueueEntry& e) {
            done.push_back(e.held->message->seq);
            messages.release(e.held);
        });
        queue.check_invariants(kForm);
    }
    void purge(LocalChannelId channel) {
        queue.purge(channel, kForm, [this](const QueueEntry& e) { drop(e); });
        queue.check_invariants(kForm);
    }
    void clear_behind_partial() {
        queue.clear_behind_partial([this](const QueueEntry& e) { drop(e); });
        queue.check_invariants(kForm);
    }
    void empty_it() {
        queue.clear([this](const QueueEntry& e) { messages.release(e.held); });
    }
    Seqs seqs() const {
        Seqs all;
        for (std::size_t i = 0; i < queue.size(); ++i) all.push_back(queue.at(i).held->message->seq);
        return all;
    }

private:
    void drop(const QueueEntry& e) {
        let_go.push_back({e.held->message->seq, DropReason::unsubscribed});
        messages.release(e.held);
    }
    std::uint64_t next_ = 1;
};

constexpr std::size_t kThresholds[2][kPriorities] = {{600, 800, 950, 1000}, {800, 900, 975, 1000}};

}  // namespace

// ---- thresholds

TEST_CASE("H4 a priority enters up to its threshold of messages, exactly", "[pubsub][send_queue]") {
    const auto priority = static_cast<Priority>(GENERATE(range(0, 4)));
    const bool high_client = GENERATE(false, true);
    CAPTURE(to_string(priority), high_client);
    Fixture f;
    f.limits = {.messages = 1000, .bytes = kPlenty};
    f.high_client = high_client;
    const std::size_t threshold = kThresholds[high_client ? 1 : 0][static_cast<std::size_t>(priority)];
    f.fill(threshold - 1);
    CHECK_FALSE(f.queue.over_threshold(priority, high_client, f.limits));
    CHECK(f.push(priority) == Admission::queued);
    CHECK(f.queue.size() == threshold);
    CHECK(f.queue.over_threshold(priority, high_client, f.limits));
    CHECK(f.push(priority) == (priority == Priority::urgent ? Admission::close : Admission::dropped));
    CHECK(f.queue.size() == threshold);
    f.consume(10);
    CHECK(f.push(priority) == Admission::queued);
}

TEST_CASE("H4 a priority enters up to its threshold of bytes, exactly", "[pubsub][send_queue]") {
    const auto priority = static_cast<Priority>(GENERATE(range(0, 4)));
    const bool high_client = GENERATE(false, true);
    CAPTURE(to_string(priority), high_client);
    Fixture f;
    f.limits = {.messages = kPlenty, .bytes = 1000};
    f.high_client = high_client;
    const std::size_t threshold = kThresholds[high_client ? 1 : 0][static_cast<std::size_t>(priority)];
    const auto refused = priority == Priority::urgent ? Admission::close : Admission::dropped;
    SECTION("one byte below: any one message enters, however large") {
        f.fill(1, threshold - 1);
        CHECK(f.push({.priority = priority, .bytes = 5000}) == Admission::queued);
        CHECK(f.queue.bytes() == threshold - 1 + 5000);
        CHECK(f.push({.priority = priority, .bytes = 1}) == refused);
    }
    SECTION("at it") {
        f.fill(1, threshold);
        CHECK(f.push({.priority = priority, .bytes = 1}) == refused);
    }
    SECTION("bytes already on the wire do not count") {
        f.fill(1, threshold);
        f.consume(1);
        CHECK(f.push({.priority = priority, .bytes = 1}) == Admission::queued);
    }
}

TEST_CASE("H4 a threshold that falls between two messages is reached by the second", "[pubsub][send_queue]") {
    Fixture f;
    f.limits = QueueLimits{};
    CHECK(f.limits.messages == 1024);
    CHECK(f.limits.bytes == 1 * kMiB);
    const auto limit_of = [&](Priority priority, bool high_client) {  // how full a queue still takes it
        f.empty_it();
        f.high_client = high_client;
        while (!f.queue.over_threshold(priority, high_client, f.limits)) f.fill(1);
        return f.queue.size();
    };
    CHECK(limit_of(Priority::low, false) == 615);     // 614.4
    CHECK(limit_of(Priority::normal, false) == 820);  // 819.2
    CHECK(limit_of(Priority::high, false) == 973);    // 972.8
    CHECK(limit_of(Priority::urgent, false) == 1024);
    CHECK(limit_of(Priority::low, true) == 820);
    CHECK(limit_of(Priority::normal, true) == 922);  // 921.6
    CHECK(limit_of(Priority::high, true) == 999);    // 998.4
    CHECK(limit_of(Priority::urgent, true) == 1024);
}

TEST_CASE("H4 whichever is fuller decides, messages or bytes", "[pubsub][send_queue]") {
    Fixture f;
    f.limits = {.messages = 10, .bytes = 1000};
    f.fill(8, 1);
    CHECK(f.push(Priority::normal) == Admission::dropped);
    f.empty_it();
    f.fill(2, 400);
    CHECK(f.push(Priority::normal) == Admission::dropped);
    f.empty_it();
    f.fill(7, 100);
    CHECK(f.push(Priority::normal) == Admission::queued);
}

TEST_CASE("an empty queue takes any one message under every policy", "[pubsub][send_queue]") {
    const auto policy = static_cast<OverflowPolicy>(GENERATE(range(0, 4)));
    const auto priority = static_cast<Priority>(GENERATE(range(0, 4)));
    Fixture f;
    f.limits = {.messages = 1, .bytes = 1};
    f.policy = policy;
    CHECK(f.push({.priority = priority, .bytes = 1'000'000}) == Admission::queued);
    CHECK(f.let_go.empty());
    f.consume(1'000'000);
    CHECK(f.push({.priority = priority, .bytes = 1'000'000}) == Admission::queued);
}

TEST_CASE("H6 R6 a queue is never longer than its limit, and never has more bytes than it and one message",
          "[pubsub][send_queue]") {
    const auto policy = static_cast<OverflowPolicy>(GENERATE(range(0, 4)));
    CAPTURE(static_cast<int>(policy));
    Fixture f;
    f.policy = policy;
    f.limits = {.messages = 20, .bytes = 2000};
    for (std::uint64_t i = 0; i < 500; ++i) {
        // Small ones, then large ones: what they displace does not make up for them.
        const std::size_t bytes = i % 100 < 50 ? 20 : 900;
        f.push({.priority = static_cast<Priority>(i % 4), .bytes = bytes, .event = i % 7});
        REQUIRE(f.queue.size() <= 20);
        REQUIRE(f.queue.bytes() < 2000 + 900);
        if (i % 13 == 0) f.consume(f.queue.bytes() / 2);
    }
}

// ---- policies

TEST_CASE("H4 drop_newest drops the arriving message and nothing else", "[pubsub][send_queue]") {
    Fixture f;
    f.fill(8, 10, Priority::low);
    CHECK(f.push(Priority::low) == Admission::dropped);
    CHECK(f.push(Priority::normal) == Admission::dropped);
    CHECK(f.push(Priority::high) == Admission::queued);
    CHECK(f.push(Priority::urgent) == Admission::queued);
    CHECK(f.seqs() == Seqs{1, 2, 3, 4, 5, 6, 7, 8, 11, 12});
    CHECK(f.let_go.empty());
}

TEST_CASE("H4 at a full queue urgent closes the client under every policy", "[pubsub][send_queue]") {
    const auto policy = static_cast<OverflowPolicy>(GENERATE(range(0, 4)));
    Fixture f;
    f.policy = policy;
    f.fill(10, 10, Priority::low);
    CHECK(f.push(Priority::urgent) == Admission::close);
    CHECK(f.queue.size() == 10);
    CHECK(f.let_go.empty());
}

TEST_CASE("H4 drop_oldest lets the oldest of the lowest priority go", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::drop_oldest;
    f.fill(2, 10, Priority::high);                         // 1 2
    f.fill(2, 10, Priority::normal);                       // 3 4
    f.fill(2, 10, Priority::low);                          // 5 6
    f.fill(2, 10, Priority::normal);                       // 7 8
    CHECK(f.push(Priority::normal) == Admission::queued);  // 9 for 5
    CHECK(f.push(Priority::normal) == Admission::queued);  // 10 for 6
    CHECK(f.push(Priority::normal) == Admission::queued);  // 11 for 3
    CHECK(f.let_go ==
          std::vector<LetGo>{{5, DropReason::displaced}, {6, DropReason::displaced}, {3, DropReason::displaced}});
    CHECK(f.seqs() == Seqs{1, 2, 4, 7, 8, 9, 10, 11});
}

TEST_CASE("H4 drop_oldest never displaces a higher priority for a lower one", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::drop_oldest;
    f.fill(8, 10, Priority::high);
    CHECK(f.push(Priority::normal) == Admission::dropped);
    CHECK(f.push(Priority::low) == Admission::dropped);
    f.fill(2, 10, Priority::urgent);
    CHECK(f.let_go.empty());
    CHECK(f.push(Priority::high) == Admission::queued);
    CHECK(f.let_go == std::vector<LetGo>{{1, DropReason::displaced}});
}

TEST_CASE("H4 drop_oldest does not displace answers to the client itself", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::drop_oldest;
    for (int i = 0; i < 8; ++i) f.push({.priority = Priority::low, .channel = i < 6 ? kAnswer : kRoom});
    REQUIRE(f.seqs() == Seqs{1, 2, 3, 4, 5, 6});
    CHECK(f.push(Priority::low) == Admission::dropped);
    CHECK(f.push(Priority::normal) == Admission::queued);
    CHECK(f.let_go.empty());
}

TEST_CASE("H4 H6 drop_oldest lets as many go as a large message needs, and none if they would not do",
          "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::drop_oldest;
    f.limits = {.messages = 100, .bytes = 1000};
    f.fill(8, 100, Priority::normal);  // 1..8: at 80 %
    SECTION("no smaller than what it displaces: one for one") {
        CHECK(f.push({.bytes = 100}) == Admission::queued);
        CHECK(f.seqs() == Seqs{2, 3, 4, 5, 6, 7, 8, 9});
    }
    SECTION("larger: until the queue is under the threshold, where one message may enter") {
        CHECK(f.push({.bytes = 5000}) == Admission::queued);
        CHECK(f.seqs() == Seqs{2, 3, 4, 5, 6, 7, 8, 9});
        CHECK(f.let_go.size() == 1);
        CHECK(f.push({.bytes = 100}) == Admission::queued);  // 4200 bytes must go, so all of 2..9 do
        CHECK(f.let_go.size() == 2);
        CHECK(f.queue.bytes() == 600 + 5000 + 100);
    }
    SECTION("what it may displace is too little: it is dropped, and nothing else") {
        f.fill(2, 500, Priority::high);
        CHECK(f.push({.bytes = 801}) == Admission::dropped);
        CHECK(f.let_go.empty());
        CHECK(f.queue.size() == 10);
        CHECK(f.push({.bytes = 800}) == Admission::queued);
        CHECK(f.let_go.size() == 8);
    }
}

TEST_CASE("H4 disconnect closes at 80 %, and at 60 % a low message is dropped", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::disconnect;
    f.fill(5);
    CHECK(f.push(Priority::low) == Admission::queued);
    CHECK(f.push(Priority::low) == Admission::dropped);
    CHECK(f.push(Priority::normal) == Admission::queued);
    CHECK(f.push(Priority::normal) == Admission::queued);
    CHECK(f.queue.size() == 8);
    CHECK(f.push(Priority::normal) == Admission::close);
    CHECK(f.push(Priority::low) == Admission::close);
    CHECK(f.push(Priority::high) == Admission::queued);  // passes until 95 %
    CHECK(f.push(Priority::high) == Admission::queued);
    CHECK(f.push(Priority::high) == Admission::close);
    CHECK(f.let_go.empty());
}

TEST_CASE("H4 disconnect closes a high client at 90 %", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::disconnect;
    f.high_client = true;
    f.fill(8);
    CHECK(f.push(Priority::low) == Admission::dropped);
    CHECK(f.push(Priority::normal) == Admission::queued);
    CHECK(f.push(Priority::normal) == Admission::close);
}

TEST_CASE("S9 conflate keeps the latest of a channel and event, at the end of the queue", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::conflate;
    f.push({.event = 1});                     // 1
    f.push({.event = 2});                     // 2
    f.push({.channel = kOther, .event = 1});  // 3
    f.push({.event = 3});                     // 4
    CHECK(f.push({.event = 1}) == Admission::queued);
    CHECK(f.let_go == std::vector<LetGo>{{1, DropReason::conflated}});
    CHECK(f.seqs() == Seqs{2, 3, 4, 5});
    CHECK(f.push({.channel = kOther, .event = 1}) == Admission::queued);
    CHECK(f.seqs() == Seqs{2, 4, 5, 6});
    CHECK(f.queue.bytes() == 40);
}

TEST_CASE("S9 conflation finds its entry wherever the ring wraps and whatever was taken out", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::conflate;
    f.limits = {100'000, kPlenty};
    std::uint64_t event = 1;
    for (std::size_t i = 0; i < 700; ++i) f.push({.event = event++});
    for (int round = 0; round < 3; ++round) {  // the head moves round the ring
        f.queue.consume(3000, kForm, [&](const QueueEntry& e) { f.messages.release(e.held); });
        for (std::size_t i = 0; i < 300; ++i) f.push({.event = event++});
    }
    for (std::uint64_t again = event - 1; again + 700 > event; again -= 7) {
        const std::size_t before = f.let_go.size();
        CHECK(f.push({.event = again}) == Admission::queued);
        REQUIRE(f.let_go.size() == before + 1);
        CHECK(f.let_go.back() == LetGo{again, DropReason::conflated});
        CHECK(f.push({.channel = kOther, .event = again}) == Admission::queued);
        CHECK(f.let_go.size() == before + 1);
        f.queue.purge(kOther, kForm, [&](const QueueEntry& e) { f.messages.release(e.held); });
    }
}

TEST_CASE("an entry can be put in front whatever the limits, and taken out again", "[pubsub][send_queue]") {
    Fixture f;
    f.fill(8);
    Held* notice = f.messages.make({.seq = 100, .bytes = 5, .priority = Priority::urgent});
    notice->message->notice = true;
    f.queue.insert(2, {notice, kRoom}, kForm);
    f.queue.check_invariants(kForm);
    CHECK(f.seqs() == Seqs{1, 2, 100, 3, 4, 5, 6, 7, 8});
    CHECK(f.queue.bytes() == 85);
    CHECK(f.queue.at(2).is_delivery() == false);
    CHECK(f.queue.take_out(2, kForm).held == notice);
    f.messages.release(notice);
    f.queue.check_invariants(kForm);
    CHECK(f.seqs() == Seqs{1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("R1 what is under way when a client leaves is of no channel that it could join again",
          "[pubsub][send_queue]") {
    Fixture f;
    f.fill(3);
    f.queue.set_in_flight(1);
    f.queue.purge(kRoom, kForm, [&](const QueueEntry& e) { f.messages.release(e.held); });
    REQUIRE(f.queue.size() == 1);
    CHECK(f.queue.at(0).channel == SendQueue::kLeft);
    CHECK(f.queue.at(0).is_delivery());
    f.queue.set_in_flight(0);
}

TEST_CASE("S9 conflation begins with the first queued message and bounds a queue by its keys", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::conflate;
    for (std::uint64_t i = 0; i < 1000; ++i) CHECK(f.push({.event = 1 + i % 5}) == Admission::queued);
    CHECK(f.seqs() == Seqs{996, 997, 998, 999, 1000});
    CHECK(f.let_go.size() == 995);
}

TEST_CASE("S9 what has no event's name, who comes and who goes, is never conflated", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::conflate;
    for (int i = 0; i < 3; ++i) CHECK(f.push({.event = 0}) == Admission::queued);
    CHECK(f.seqs() == Seqs{1, 2, 3});
    CHECK(f.let_go.empty());
}

TEST_CASE("conflate leaves alone what is only gathered within a turn, and answers to the client",
          "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::conflate;
    f.push({.event = 1, .behind = false});
    f.push({.event = 1, .behind = false});
    f.push({.channel = kAnswer, .event = 7});
    f.push({.channel = kAnswer, .event = 7});
    CHECK(f.seqs() == Seqs{1, 2, 3, 4});
    CHECK(f.let_go.empty());
}

TEST_CASE("conflate does not let a higher priority go for a lower one", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::conflate;
    f.push(Priority::high);  // 1
    CHECK(f.push(Priority::normal) == Admission::queued);
    CHECK(f.seqs() == Seqs{1, 2});
    CHECK(f.push(Priority::normal) == Admission::queued);  // its equal goes
    CHECK(f.seqs() == Seqs{1, 3});
    CHECK(f.push(Priority::urgent) == Admission::queued);  // the oldest that may go
    CHECK(f.seqs() == Seqs{3, 4});
}

TEST_CASE("conflate over the threshold replaces one for one, and drops what finds nothing to replace",
          "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::conflate;
    f.push({.priority = Priority::normal, .event = 7});  // 1
    f.fill(8);                                           // 2..9: 90 % with it
    CHECK(f.push({.event = 8}) == Admission::dropped);
    CHECK(f.push({.event = 7}) == Admission::queued);
    CHECK(f.let_go == std::vector<LetGo>{{1, DropReason::conflated}});
    CHECK(f.seqs() == Seqs{2, 3, 4, 5, 6, 7, 8, 9, 11});
}

TEST_CASE("S9 a message that conflation cannot let in does not take the older one with it", "[pubsub][send_queue]") {
    Fixture f;
    f.policy = OverflowPolicy::conflate;
    f.limits = {.messages = 100, .bytes = 1000};
    f.push({.bytes = 50, .event = 7});  // 1
    f.fill(8, 100);                     // 2..9: over 80 % without it
    CHECK(f.push({.bytes = 51, .event = 7}) == Admission::dropped);
    CHECK(f.let_go.empty());
    CHECK(f.seqs().front() == 1);
    CHECK(f.push({.bytes = 50, .event = 7}) == Admission::queued);
    CHECK(f.let_go == std::vector<LetGo>{{1, DropReason::conflated}});
}

// ---- what may not be touched

TEST_CASE("no policy touches what is partly sent or in flight", "[pubsub][send_queue]") {
    Fixture f;
    f.fill(6, 10, Priority::low);  // 1..6
    SECTION("partly sent") {
        f.consume(3);
        f.policy = OverflowPolicy::drop_oldest;
        f.fill(2);  // 7 8
        CHECK(f.push(Priority::normal) == Admission::queued);
        CHECK(f.let_go == std::vector<LetGo>{{2, DropReason::displaced}});
        CHECK(f.seqs().front() == 1);
        CHECK(f.queue.head_taken() == 3);
    }
    SECTION("in flight") {
        f.queue.set_in_flight(4);
        f.policy = OverflowPolicy::drop_oldest;
        f.fill(2);
        CHECK(f.push(Priority::normal) == Admission::queued);
        CHECK(f.let_go == std::vector<LetGo>{{5, DropReason::displaced}});
        f.queue.set_in_flight(7);
        CHECK(f.push(Priority::normal) == Admission::queued);  // 8 and 9 are not in flight; 9 was normal
        CHECK(f.let_go.size() == 2);
        f.queue.set_in_flight(8);
        CHECK(f.push(Priority::normal) == Admission::dropped);
        CHECK(f.let_go.size() == 2);
        f.queue.set_in_flight(0);
    }
    SECTION("conflate") {
        f.policy = OverflowPolicy::conflate;
        f.push({.event = 7});  // 7
        f.queue.set_in_flight(7);
        CHECK(f.push({.event = 7}) == Admission::queued);  // 8, beside it
        CHECK(f.let_go.empty());
        f.queue.set_in_flight(0);
    }
}

TEST_CASE("purge lets go what is queued of a channel, except what is partly sent or in flight",
          "[pubsub][send_queue]") {
    Fixture f;
    f.limits = {kPlenty, kPlenty};
    for (int i = 0; i < 9; ++i) f.push({.channel = i % 3 == 2 ? kOther : kRoom});  // 3 6 9 are of the other
    SECTION("at a frame boundary everything of it goes") {
        f.purge(kRoom);
        CHECK(f.seqs() == Seqs{3, 6, 9});
        CHECK(f.let_go.size() == 6);
        CHECK(f.queue.bytes() == 30);
        f.purge(kRoom);
        CHECK(f.let_go.size() == 6);
        f.purge(kOther);
        CHECK(f.queue.empty());
    }
    SECTION("the partly sent message stays") {
        f.consume(1);
        f.purge(kRoom);
        CHECK(f.seqs() == Seqs{1, 3, 6, 9});
        CHECK(f.queue.bytes() == 39);
        f.consume(9);
        CHECK(f.done == Seqs{1});
    }
    SECTION("what is in flight stays") {
        f.queue.set_in_flight(4);
        f.purge(kRoom);
        CHECK(f.seqs() == Seqs{1, 2, 3, 4, 6, 9});
        f.consume(40);
        f.queue.set_in_flight(0);
        CHECK(f.seqs() == Seqs{6, 9});
    }
    SECTION("an earlier life of the channel, or an answer, is not it") {
        f.purge({1, 2});
        f.purge(kAnswer);
        CHECK(f.let_go.empty());
    }
}

TEST_CASE("before a close frame everything goes but the partly sent message", "[pubsub][send_queue]") {
    Fixture f;
    f.fill(5);
    SECTION("at a frame boundary") {
        f.consume(10);
        f.clear_behind_partial();
        CHECK(f.queue.empty());
        CHECK(f.queue.bytes() == 0);
    }
    SECTION("within a message") {
        f.consume(13);
        f.clear_behind_partial();
        CHECK(f.seqs() == Seqs{2});
        CHECK(f.queue.bytes() == 7);
        f.consume(7);
        CHECK(f.queue.empty());
    }
}

// ---- the wire

TEST_CASE("R12 messages are done in order at every pair of splits", "[pubsub][send_queue]") {
    const std::vector<std::size_t> sizes{3, 1, 7, 2, 5};
    const std::vector<std::size_t> ends{3, 4, 11, 13, 18};
    constexpr std::size_t kTotal = 18;
    const auto done_by = [&](std::size_t taken) {
        std::size_t n = 0;
        while (n < ends.size() && ends[n] <= taken) ++n;
        return n;
    };
    for (std::size_t first = 0; first <= kTotal; ++first) {
        for (std::size_t second = first; second <= kTotal; ++second) {
            Fixture f;
            for (const std::size_t bytes : sizes) f.fill(1, bytes);
            for (const std::size_t upto : {first, second, kTotal}) {
                f.consume(upto - (kTotal - f.queue.bytes()));
                REQUIRE(f.done.size() == done_by(upto));
                REQUIRE(f.queue.bytes() == kTotal - upto);
                const std::size_t n = done_by(upto);
                REQUIRE(f.queue.head_taken() == (n == 5 ? 0 : upto - (n == 0 ? 0 : ends[n - 1])));
            }
            REQUIRE(f.done == Seqs{1, 2, 3, 4, 5});
        }
    }
}

TEST_CASE("the rest of a partly sent message goes before everything else", "[pubsub][send_queue]") {
    Fixture f;
    const std::size_t queued =
        GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{20});
    f.limits = {kPlenty, kPlenty};
    f.fill(queued);
    Held* held = f.messages.make({.seq = 99, .bytes = 30});
    f.queue.push_partial({held, kRoom}, kForm, 12);
    CHECK(f.seqs().front() == 99);
    CHECK(f.queue.head_taken() == 12);
    CHECK(f.queue.bytes() == 18 + queued * 10);
    f.queue.check_invariants(kForm);
    f.purge(kRoom);
    CHECK(f.seqs() == Seqs{99});
    CHECK(f.queue.bytes() == 18);
    f.consume(17);
    CHECK(f.done.empty());
    f.consume(1);
    CHECK(f.done == Seqs{99});
    CHECK(f.queue.empty());
}

TEST_CASE("a client's form decides what a message weighs", "[pubsub][send_queue]") {
    Messages messages;
    SendQueue queue;
    Held* held = messages.make({.bytes = 100, .feed_bytes = 40});
    const SendQueue::Offer offer{{held, kRoom}, WireForm::feed, OverflowPolicy::drop_newest, false, false};
    REQUIRE(queue.push(offer, {}, [](const QueueEntry&, DropReason) {}) == Admission::queued);
    CHECK(queue.bytes() == 40);
    queue.check_invariants(WireForm::feed);
    queue.consume(39, WireForm::feed, [](const QueueEntry&) { FAIL("not done yet"); });
    CHECK(queue.bytes() == 1);
    queue.consume(1, WireForm::feed, [&](const QueueEntry& e) { messages.release(e.held); });
    CHECK(queue.empty());
    CHECK(messages.nothing_left());
}

TEST_CASE("H2 a queue is a ring: it keeps its memory while in use, and gives a large one back when empty",
          "[pubsub][send_queue]") {
    Fixture f;
    f.limits = {kPlenty, kPlenty};
    CHECK(f.queue.memory_bytes() == 0);
    f.fill(8);
    const std::size_t small = f.queue.memory_bytes();
    for (int i = 0; i < 100; ++i) {
        f.consume(10);
        f.fill(1);
    }
    CHECK(f.queue.memory_bytes() == small);
    f.consume(80);
    f.queue.shrink();
    CHECK(f.queue.memory_bytes() == small);
    f.fill(1000);
    CHECK(f.queue.memory_bytes() == 1024 * sizeof(QueueEntry));
    f.consume(10'000);
    f.queue.shrink();
    CHECK(f.queue.memory_bytes() == 0);
    f.fill(3);
    CHECK(f.queue.size() == 3);
}
