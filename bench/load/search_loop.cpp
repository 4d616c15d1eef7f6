// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Open loops at one rate after another. A message that never came, or could not be published while the step lasted, counts
// as infinitely late, so a rate at which more are dropped than the percentile leaves out is not kept.

#include <poll.h>

#include <algorithm>
#include <cstdio>

#include "fleet.h"
#include "loops.h"
#include "schedule.h"
#include "search.h"

namespace spillway::load {
namespace {

constexpr double kSettleShare = 0.25;              // of a step, at its beginning, that is not measured
constexpr double kPast[] = {1.25, 1.5, 2};         // times the best rate
constexpr std::int64_t kQuiet = 3 * kSecond / 10;  // nothing arrived for so long: what is missing was dropped
constexpr std::int64_t kDrainPatience = 10 * kSecond;
constexpr std::uint32_t kPasses = 5;
constexpr double kHopeless = 4;  // bounds that the oldest broadcast under way is late: the step has failed
constexpr std::int64_t kLead = kSecond / 50;

class Steps {
public:
    explicit Steps(Run& run) : run_(run) {}

    [[nodiscard]] bool room() const { return slot_ < kWarmupSlot && n_ + 1000 < run_.board.round_count(kMain); }

    Step play(double rate, bool to_the_end) {
        const auto length = static_cast<std::int64_t>(run_.options.step_seconds * 1e9);
        const Schedule schedule{now_ns() + kLead, rate, run_.options.burst};
        const std::int64_t measured_from =
            schedule.begin_ns + static_cast<std::int64_t>(static_cast<double>(length) * kSettleShare);
        const std::int64_t end = schedule.begin_ns + length;
        first_ = n_;
        done_before_ = run_.board.done(kMain);
        std::uint64_t expected = 0;
        std::uint64_t due_rounds = 0;
        std::uint64_t at_start = 0;
        bool hopeless = false;
        for (;; ++due_rounds) {
            const std::int64_t due = schedule.due_ns(due_rounds);
            if (due >= end) break;
            if (due >= measured_from)
                expected += run_.options.deliveries_each();  // whether it can still be published or not
            if (hopeless || now_ns() >= end || n_ + 1 >= run_.board.round_count(kMain)) continue;
            const bool measured = due >= measured_from;
            const std::string prepared = run_.publisher.prepare(n_);
            run_.begin(kMain, n_, due, measured ? slot_ : kWarmupSlot);
            wait_until(run_.publisher, due);
            if (measured && at_start == 0) sample(at_start, from_ns_);
            run_.publisher.send(prepared);
            run_.publisher.settle(0, 0);
            ++n_;
            hopeless = !to_the_end && oldest_age() > kHopeless * run_.outcome.bound_ms * 1e6 + 0.25e9;
        }
        if (!hopeless) wait_until(run_.publisher, end);
        std::uint64_t at_end = 0;
        std::int64_t until_ns = 0;
        sample(at_end, until_ns);
        drain();
        Step step = judge(rate, expected);
        step.sent_share = static_cast<double>(n_ - first_) / static_cast<double>(due_rounds);
        step.delivered =
            at_start == 0 ? 0 : static_cast<double>(at_end - at_start) * 1e9 / static_cast<double>(until_ns - from_ns_);
        step.kept = !hopeless && step.bounded <= run_.outcome.bound_ms;
        ++slot_;
        return step;
    }

private:
    void sample(std::uint64_t& deliveries, std::int64_t& when) const {
        deliveries = std::max<std::uint64_t>(run_.board.sum(&ProcessCounts::deliveries), 1);
        when = now_ns();
    }

    /// Nanoseconds since the oldest broadcast was due that is not complete.
    [[nodiscard]] double oldest_age() const {
        const std::uint32_t oldest = first_ + (run_.board.done(kMain) - done_before_);
        return oldest >= n_ ? 0 : static_cast<double>(now_ns() - run_.board.round(kMain, oldest).due_ns);
    }

    void drain() const {
        const std::int64_t patience = now_ns() + kDrainPatience;
        std::uint64_t last = 0;
        for (std::int64_t moved = now_ns(); now_ns() < patience && now_ns() - moved < kQuiet;) {
            if (run_.board.done(kMain) - done_before_ == n_ - first_) return;
            const std::uint64_t deliveries = run_.board.sum(&ProcessCounts::deliveries);
            if (deliveries != last) moved = now_ns();
            last = deliveries;
            run_.publisher.settle(0, 0);
            poll(nullptr, 0, 10);
        }
    }

    [[nodiscard]] Step judge(double rate, std::uint64_t expected) const {
        Histogram all;
        for (std::uint32_t which = 0; which < kClasses; ++which) all.add(run_.board.latency(which, slot_));
        Step step;
        step.rate = rate;
        step.p50 = all.percentile_ms(0.5, expected);
        step.p95 = all.percentile_ms(0.95, expected);
        step.bounded = all.percentile_ms(run_.options.search_share, expected);
        return step;
    }

    Run& run_;
    std::uint32_t n_ = 0;
    std::uint32_t slot_ = 0;
    std::uint32_t first_ = 0;
    std::uint32_t done_before_ = 0;
    std::int64_t from_ns_ = 0;
};

double bound_of(Run& run) {
    if (run.limit == nullptr || run.options.search_bound_passes == 0) return run.options.search_bound_ms;
    std::vector<double> passes(kPasses);
    run.limit->pass();
    for (double& pass : passes) pass = run.limit->pass().sends_ms;
    run.outcome.limit.sockets = run.options.clients;
    run.outcome.limit.sends_ms.push_back(median(passes));
    return run.options.search_bound_passes * median(passes);
}

void show(const Step& step, double bound_ms) {
    char line[160];
    std::snprintf(line, sizeof line,
                  "%.1f per second: %.0f deliveries per second, bounded percentile %.1f of %.1f ms: %s", step.rate,
                  step.delivered, step.bounded, bound_ms, step.kept ? "kept" : "not kept");
    progress(line);
}

}  // namespace

void search_loop(Run& run) {
    Outcome& outcome = run.outcome;
    outcome.bound_ms = bound_of(run);
    Steps steps(run);
    Search search(run.options.rate, run.options.search_precision);
    const std::int64_t begin = now_ns();
    while (!search.done() && steps.room()) {
        Step step = steps.play(search.next(), false);
        if (!step.kept && steps.room())
            step = steps.play(search.next(), false);  // once more: it may not have been the server
        search.tell(step.kept);
        if (step.kept && step.delivered > outcome.kept) outcome.kept = step.delivered;
        outcome.steps.push_back(step);
        show(step, outcome.bound_ms);
    }
    outcome.kept_rate = search.best();
    for (const double times : kPast) {
        if (search.best() == 0 || !steps.room()) break;
        // Against the same minute: kept is the best of the whole search, and the machine drifts.
        const Step best = steps.play(search.best(), true);
        const Step step = steps.play(search.best() * times, true);
        const double share = best.delivered == 0 ? 0 : step.delivered / best.delivered;
        const bool first = outcome.past == 0;
        outcome.past = first ? step.delivered : std::min(outcome.past, step.delivered);
        outcome.past_share = first ? share : std::min(outcome.past_share, share);
        outcome.steps.insert(outcome.steps.end(), {best, step});
        show(step, outcome.bound_ms);
    }
    outcome.seconds = static_cast<double>(now_ns() - begin) / 1e9;
    for (const Step& step : outcome.steps) outcome.series.push_back({step.delivered, step.p50, step.p95, step.bounded});
    std::sort(outcome.series.begin(), outcome.series.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
}

}  // namespace spillway::load
