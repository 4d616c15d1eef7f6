// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Seeds by the hundred. Each draws its own server, people and faults (sim_swarm.cpp), plays some thousand steps and ends
// everything; sim_world.h says what is checked. One process per processor plays them, so that one that an assertion
// ends takes no other with it; every sixteenth seed is played twice and must leave the same trace.
//
// Exit code 0 only if every promise was kept under every seed.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim_seed.h"

namespace spillway::test {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::string_view kUsage =
    "sim_seeds [--fixed N] [--seeds N | --minutes N] [--first SEED] [--jobs N] [--until-failure] [--seed SEED]\n"
    "  --fixed N        seeds 1 to N, before all others (0)\n"
    "  --seeds N        so many others (300)\n"
    "  --minutes N      as many others as N minutes allow\n"
    "  --first SEED     the first of the others (from the clock, or SPILLWAY_SIM_FIRST); the rest follow it\n"
    "  --jobs N         processes (processors)\n"
    "  --until-failure  ends with the first seed that fails\n"
    "  --seed SEED      this one alone, and what happened in it\n";

struct Plan {
    std::uint64_t fixed = 0;
    std::uint64_t seeds = 300;
    std::uint64_t minutes = 0;
    std::uint64_t first = 0;
    std::uint64_t jobs = 0;
    std::uint64_t seed = 0;
    bool until_failure = false;
};

/// What the processes share.
struct Score {
    std::atomic<std::uint64_t> next{0};  // of the plan's seeds, from 0
    std::atomic<std::uint64_t> played{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<std::uint64_t> steps{0};
    std::atomic<std::uint64_t> steps_most{0};
    std::atomic<std::uint64_t> completions{0};
    std::atomic<std::uint64_t> deliveries{0};
};

bool read_number(std::string_view text, std::uint64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

bool read_plan(const std::vector<std::string_view>& words, Plan& plan) {
    const std::pair<std::string_view, std::uint64_t*> numbers[] = {
        {"--fixed", &plan.fixed}, {"--seeds", &plan.seeds}, {"--minutes", &plan.minutes},
        {"--first", &plan.first}, {"--jobs", &plan.jobs},   {"--seed", &plan.seed}};
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--until-failure") {
            plan.until_failure = true;
            continue;
        }
        bool known = false;
        for (const auto& [name, number] : numbers)
            if (words[i] == name) known = i + 1 < words.size() && read_number(words[++i], *number);
        if (!known) return false;
    }
    return true;
}

std::uint64_t seed_of(const Plan& plan, std::uint64_t place) {
    return place < plan.fixed ? place + 1 : plan.first + (place - plan.fixed);
}

void tell(const std::string& line) {
    const std::string whole = line + "\n";  // one write: lines of several processes do not mix
    static_cast<void>(!::write(STDERR_FILENO, whole.data(), whole.size()));
}

void count(Score& score, const SeedOutcome& outcome) {
    ++score.played;
    score.steps += outcome.steps;
    score.completions += outcome.completions;
    score.deliveries += outcome.deliveries;
    std::uint64_t most = score.steps_most;
    while (most < outcome.steps && !score.steps_most.compare_exchange_weak(most, outcome.steps)) {
    }
}

/// One process: seeds, as long as there are any.
void work(const Plan& plan, Score& score, SteadyClock::time_point end) {
    for (;;) {
        if (plan.until_failure && score.failed != 0) return;
        const std::uint64_t place = score.next++;
        const bool over =
            plan.minutes != 0 ? place >= plan.fixed && SteadyClock::now() >= end : place >= plan.fixed + plan.seeds;
        if (over) return;
        const std::uint64_t seed = seed_of(plan, place);
        SeedOutcome outcome = play_seed(seed);
        if (outcome.failure.empty() && place % 16 == 0 && play_seed(seed).trace != outcome.trace)
            outcome.failure = "simulation: seed " + std::to_string(seed) + " played twice is not the same game";
        count(score, outcome);
        if (outcome.failure.empty()) continue;
        ++score.failed;
        tell(outcome.failure + ";" + outcome.summary);
    }
}

int start(const Plan& plan, Score& score, SteadyClock::time_point end) {
    const int pid = ::fork();
    if (pid != 0) return pid;
    work(plan, score, end);
    ::_exit(0);
}

/// A process that ended in the midst of a seed has said which; another takes its place.
void run(const Plan& plan, Score& score) {
    const auto end = SteadyClock::now() + std::chrono::minutes(plan.minutes);
    std::set<int> processes;
    for (std::uint64_t i = 0; i < plan.jobs; ++i) processes.insert(start(plan, score, end));
    int status = 0;
    for (int pid = ::wait(&status); pid > 0; pid = ::wait(&status)) {
        processes.erase(pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            if (plan.until_failure && score.failed != 0) continue;  // it was told to end
            ++score.failed;
            if (!plan.until_failure) processes.insert(start(plan, score, end));
        }
        if (plan.until_failure && score.failed != 0)
            for (const int other : processes) static_cast<void>(::kill(other, SIGKILL));
    }
}

int play_one(std::uint64_t seed) {
    const SeedOutcome outcome = play_seed(seed);
    std::cout << "seed " << seed << ": " << outcome.steps << " steps, trace " << outcome.trace << "," << outcome.summary
              << "\n";
    if (outcome.failure.empty()) return 0;
    std::cout << outcome.failure << "\n";
    return 1;
}

int play_many(const Plan& plan) {
    void* shared = ::mmap(nullptr, sizeof(Score), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 2;
    Score& score = *::new (shared) Score;
    std::cout << "sim: ";
    if (plan.fixed != 0) std::cout << "seeds 1 to " << plan.fixed << ", then ";
    std::cout << "seeds from " << plan.first << ", " << plan.jobs << " processes" << std::endl;
    const auto began = SteadyClock::now();
    run(plan, score);
    const std::chrono::duration<double> took = SteadyClock::now() - began;
    std::cout << "sim: " << score.played << " seeds, " << score.steps / std::max<std::uint64_t>(score.played, 1)
              << " steps each (at most " << score.steps_most << "), " << score.completions << " completions, "
              << score.deliveries << " deliveries, " << score.failed << " failed, "
              << std::chrono::round<std::chrono::seconds>(took).count() << " s\n";
    const bool lively = score.deliveries > score.played * 20;  // a swarm in which nothing happens proves nothing
    if (!lively && score.failed == 0) std::cout << "sim: too little happened\n";
    return score.failed == 0 && lively ? 0 : 1;
}

}  // namespace
}  // namespace spillway::test

int main(int argc, char** argv) {
    using namespace spillway::test;
    Plan plan;
    if (!read_plan({argv + 1, argv + argc}, plan)) {
        std::cerr << kUsage;
        return 2;
    }
    if (plan.seed != 0) return play_one(plan.seed);
    if (plan.first == 0) plan.first = fresh_seed();
    if (plan.jobs == 0) plan.jobs = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    return play_many(plan);
}
