// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The queue against a naive one over random steps: a vector of entries and the documented rules written down as plainly
// as they read. Whatever differs in what enters, what is let go and why, in order, bytes or references is a fault.
#include <algorithm>
#include <deque>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "messages.h"
#include "pubsub/send_queue.h"

using namespace spillway;
using namespace spillway::pubsub;
using spillway::test::Messages;

namespace {

constexpr auto kForm = WireForm::pusher;

struct Entry {
    std::uint64_t seq = 0;
    std::size_t bytes = 0;
    Priority priority = Priority::normal;
    LocalChannelId channel;
    std::uint64_t event = 0;
};

using Losses = std::vector<std::pair<std::uint64_t, DropReason>>;

class Naive {
public:
    std::vector<Entry> entries;
    std::size_t head_taken = 0;
    std::size_t in_flight = 0;

    std::uint64_t bytes() const { return sum(entries) - head_taken; }

    Admission push(const Entry& arriving, OverflowPolicy policy, bool high_client, bool behind,
                   const QueueLimits& limits, Losses& losses) {
        const auto replaced = [&](std::vector<std::uint64_t> gone) { return without(gone); };
        if (policy == OverflowPolicy::conflate && behind) {
            if (const auto older = same_event(arriving);
                older && may_follow(arriving, replaced({*older}), high_client, limits)) {
                entries = replaced({*older});
                losses.emplace_back(*older, DropReason::conflated);
                entries.push_back(arriving);
                return Admission::queued;
            }
        }
        if (!over(entries, arriving.priority, high_client, limits)) {
            entries.push_back(arriving);
            return Admission::queued;
        }
        if (arriving.priority == Priority::urgent) return Admission::close;
        if (policy == OverflowPolicy::disconnect && over(entries, Priority::normal, high_client, limits))
            return Admission::close;
        if (policy != OverflowPolicy::drop_oldest) return Admission::dropped;
        std::vector<std::uint64_t> gone;
        for (const std::uint64_t seq : displaceable(arriving.priority)) {
            gone.push_back(seq);
            if (!may_follow(arriving, replaced(gone), high_client, limits)) continue;
            entries = replaced(gone);
            for (const std::uint64_t lost : gone) losses.emplace_back(lost, DropReason::displaced);
            entries.push_back(arriving);
            return Admission::queued;
        }
        return Admission::dropped;
    }

    std::vector<std::uint64_t> consume(std::size_t taken) {
        std::vector<std::uint64_t> done;
        head_taken += taken;
        while (!entries.empty() && head_taken >= entries.front().bytes) {
            head_taken -= entries.front().bytes;
            done.push_back(entries.front().seq);
            entries.erase(entries.begin());
            if (in_flight != 0) --in_flight;
        }
        return done;
    }

    std::size_t fixed() const { return std::max<std::size_t>(in_flight, head_taken != 0 ? 1 : 0); }

private:
    static std::uint64_t sum(const std::vector<Entry>& list) {
        std::uint64_t n = 0;
        for (const Entry& e : list) n += e.bytes;
        return n;
    }
    std::vector<Entry> without(const std::vector<std::uint64_t>& gone) const {
        std::vector<Entry> rest;
        for (const Entry& e : entries)
            if (std::ranges::find(gone, e.seq) == gone.end()) rest.push_back(e);
        return rest;
    }
    bool over(const std::vector<Entry>& list, Priority priority, bool high_client, const QueueLimits& limits) const {
        constexpr double share[] = {0.60, 0.80, 0.95, 1.00};
        double t = share[static_cast<std::size_t>(priority)];
        if (high_client) t += (1 - t) / 2;
        constexpr double kRounding = 1e-9;
        const auto messages = static_cast<double>(list.size());
        const auto unsent = static_cast<double>(list.empty() ? 0 : sum(list) - head_taken);
        return !list.empty() && (messages >= t * static_cast<double>(limits.messages) - kRounding ||
                                 unsent >= t * static_cast<double>(limits.bytes) - kRounding);
    }
    /// Into `rest`, what is left of the entries: under the threshold, or no fuller than before.
    bool may_follow(const Entry& arriving, const std::vector<Entry>& rest, bool high_client,
                    const QueueLimits& limits) const {
        return !over(rest, arriving.priority, high_client, limits) || sum(entries) - sum(rest) >= arriving.bytes;
    }
    std::optional<std::uint64_t> same_event(const Entry& arriving) const {
        for (std::size_t i = fixed(); i < entries.size(); ++i) {
            const Entry& e = entries[i];
            if (!e.channel.is_none() && e.channel == arriving.channel && e.event == arriving.event &&
                e.priority <= arriving.priority)
                return e.seq;
        }
        return std::nullopt;
    }
    /// In the order in which they go: lowest priority first, oldest first.
    std::vector<std::uint64_t> displaceable(Priority at_most) const {
        std::vector<Entry> list(entries.begin() + static_cast<std::ptrdiff_t>(fixed()), entries.end());
        std::erase_if(list, [&](const Entry& e) { return e.channel.is_none() || e.priority > at_most; });
        std::ranges::stable_sort(list, {}, &Entry::priority);
        std::vector<std::uint64_t> seqs;
        for (const Entry& e : list) seqs.push_back(e.seq);
        return seqs;
    }
};

class Runner {
public:
    /// How often each outcome was seen.
    struct Seen {
        int answers[3] = {};
        int conflated = 0;
        int displaced = 0;
    };

    Runner(std::uint32_t seed, Seen& seen) : random_(seed), seen_(seen) {
        limits_ = {.messages = 5 + random_() % 30, .bytes = 200 + random_() % 3000};
    }
    ~Runner() {
        queue_.clear([this](const QueueEntry& e) { messages_.release(e.held); });
        CHECK(queue_.bytes() == 0);
        CHECK(messages_.nothing_left());
    }

    void step() {
        switch (random_() % 16) {
            case 0: set_in_flight(); break;
            case 1: purge(); break;
            case 2: push_partial(); break;
            case 3:
                if (random_() % 8 == 0) clear_behind_partial();
                break;
            case 4:
            case 5:
            case 6: consume(); break;
            default: push();
        }
        check();
    }

private:
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_()) % n; }

    Entry arriving() {
        Entry e;
        e.seq = next_++;
        e.bytes = 1 + (below(10) == 0 ? below(600) : below(60));
        e.priority = static_cast<Priority>(std::min(below(6), 3U));
        if (below(8) != 0) e.channel = {1 + below(3), 1};
        e.event = 1 + below(4);
        return e;
    }
    Held* make(const Entry& e) {
        return messages_.make({.seq = e.seq, .bytes = e.bytes, .priority = e.priority, .event = e.event});
    }

    void push() {
        const Entry entry = arriving();
        const auto policy = static_cast<OverflowPolicy>(below(4));
        const bool high_client = below(3) == 0;
        const bool behind = below(3) != 0;
        Losses expected;
        const Admission answer = naive_.push(entry, policy, high_client, behind, limits_, expected);
        Losses losses;
        Held* held = make(entry);
        const SendQueue::Offer offer{{held, entry.channel}, kForm, policy, high_client, behind};
        const Admission got = queue_.push(offer, limits_, [&](const QueueEntry& e, DropReason reason) {
            losses.emplace_back(e.held->message->seq, reason);
            ++(reason == DropReason::conflated ? seen_.conflated : seen_.displaced);
            messages_.release(e.held);
        });
        REQUIRE(got == answer);
        REQUIRE(losses == expected);
        if (got != Admission::queued) messages_.release(held);
        ++seen_.answers[static_cast<std::size_t>(got)];
    }

    void push_partial() {
        if (queue_.head_taken() != 0 || queue_.in_flight() != 0) return;
        Entry entry = arriving();
        entry.bytes += 1;
        const std::size_t taken = 1 + below(static_cast<std::uint32_t>(entry.bytes - 1));
        queue_.push_partial({make(entry), entry.channel}, kForm, taken);
        naive_.entries.insert(naive_.entries.begin(), entry);
        naive_.head_taken = taken;
    }

    void set_in_flight() {
        const auto n = below(static_cast<std::uint32_t>(queue_.size()) + 1);
        if (naive_.head_taken != 0 && n == 0) return;
        queue_.set_in_flight(n);
        naive_.in_flight = n;
    }

    void consume() {
        const bool most = below(4) == 0;
        const auto taken =
            static_cast<std::size_t>(below(static_cast<std::uint32_t>(queue_.bytes() / (most ? 1 : 4)) + 1));
        std::vector<std::uint64_t> done;
        queue_.consume(taken, kForm, [&](const QueueEntry& e) {
            done.push_back(e.held->message->seq);
            messages_.release(e.held);
        });
        REQUIRE(done == naive_.consume(taken));
        queue_.set_in_flight(0);  // a send ends with what it took
        naive_.in_flight = 0;
    }

    void purge() {
        const LocalChannelId channel{1 + below(4), 1};
        lets_go([&](auto&& let_go) { queue_.purge(channel, kForm, let_go); },
                [&](const Entry& e) { return e.channel == channel; });
        for (std::size_t i = 0; i < naive_.fixed(); ++i)
            if (naive_.entries[i].channel == channel) naive_.entries[i].channel = SendQueue::kLeft;
    }
    void clear_behind_partial() {
        lets_go([&](auto&& let_go) { queue_.clear_behind_partial(let_go); }, [](const Entry&) { return true; });
    }
    template <class Act, class Goes>
    void lets_go(Act&& act, Goes&& goes) {
        std::vector<std::uint64_t> expected;
        std::vector<Entry> rest;
        for (std::size_t i = 0; i < naive_.entries.size(); ++i) {
            const Entry& e = naive_.entries[i];
            if (i >= naive_.fixed() && goes(e)) {
                expected.push_back(e.seq);
            } else {
                rest.push_back(e);
            }
        }
        naive_.entries = rest;
        std::vector<std::uint64_t> gone;
        act([&](const QueueEntry& e) {
            gone.push_back(e.held->message->seq);
            messages_.release(e.held);
        });
        REQUIRE(gone == expected);
    }

    void check() {
        queue_.check_invariants(kForm);
        REQUIRE(queue_.size() == naive_.entries.size());
        REQUIRE(queue_.bytes() == naive_.bytes());
        REQUIRE(queue_.head_taken() == naive_.head_taken);
        REQUIRE(queue_.in_flight() == naive_.in_flight);
        for (std::size_t i = 0; i < naive_.entries.size(); ++i) {
            REQUIRE(queue_.at(i).held->message->seq == naive_.entries[i].seq);
            REQUIRE(queue_.at(i).channel == naive_.entries[i].channel);
        }
        REQUIRE(messages_.holds.in_use() == queue_.size());
        if (queue_.empty() && random_() % 4 == 0) queue_.shrink();
    }

    std::mt19937 random_;
    Messages messages_;
    SendQueue queue_;
    Naive naive_;
    QueueLimits limits_;
    Seen& seen_;
    std::uint64_t next_ = 1;
};

}  // namespace

TEST_CASE("H2 H4 R6 a queue does what the rules say over random steps, and lets every reference go exactly once",
          "[pubsub][send_queue]") {
    Runner::Seen seen;
    for (std::uint32_t seed = 1; seed <= 32; ++seed) {
        CAPTURE(seed);
        Runner runner(seed, seen);
        for (int step = 0; step < 4000; ++step) runner.step();
    }
    for (const int n : seen.answers) CHECK(n > 1000);
    CHECK(seen.conflated > 1000);
    CHECK(seen.displaced > 1000);
}
