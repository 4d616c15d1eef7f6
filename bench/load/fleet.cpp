// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Forking before any thread exists keeps this simple: a child never returns from here.

#include "fleet.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "subscribers.h"

namespace spillway::load {
namespace {

constexpr std::int64_t kStallNs = 15'000'000'000;  // no progress for so long: give up

void raise_descriptor_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Fleet::Fleet(const Options& options, Board& board) : options_(options), board_(board) {
    raise_descriptor_limit();
    std::fflush(nullptr);
    for (std::uint32_t process = 0; process < options.all_processes(); ++process) {
        const pid_t pid = fork();
        if (pid < 0) {
            std::perror("spillway-load: fork");
            std::exit(2);
        }
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            pin(options, 1 + process);
            prctl(PR_SET_TIMERSLACK, 1UL);
            Subscribers(options, board, process).run();
            _exit(0);
        }
        pids_.push_back(pid);
    }
    pin(options, 0);
    prctl(PR_SET_TIMERSLACK, 1UL);
}

Fleet::~Fleet() {
    board_.stop.store(true, std::memory_order_release);
    for (const pid_t pid : pids_) waitpid(pid, nullptr, 0);
}

bool Fleet::hold(std::uint32_t clients) {
    const std::uint32_t regular = std::min(clients, options_.clients_of_processes());
    for (std::uint32_t process = 0; process < options_.processes; ++process) {
        const std::uint32_t share = (regular + options_.processes - 1 - process) / options_.processes;
        board_.processes[process].target.store(share, std::memory_order_release);
    }
    if (options_.aside != 0)
        board_.processes[options_.processes].target.store(clients - regular, std::memory_order_release);
    std::int64_t moved_ns = now_ns();
    for (std::uint32_t last = 0;;) {
        const std::uint32_t ready = board_.sum(&ProcessCounts::ready);
        const std::uint64_t refused = board_.sum(&ProcessCounts::refused) + board_.sum(&ProcessCounts::lost);
        if (ready == clients && board_.sum(&ProcessCounts::open) == clients) break;
        if (ready != last) moved_ns = now_ns();
        last = ready;
        progress(std::to_string(ready) + " of " + std::to_string(clients) + " clients");
        if (refused != 0 || now_ns() - moved_ns > kStallNs) {
            progress("");
            int reason = 0;
            for (const ProcessCounts& p : board_.processes)
                if (p.reason != 0) reason = p.reason;
            std::fprintf(stderr,
                         "spillway-load: %u of %u clients; %llu refused or lost (last reason %d: errno, HTTP status or "
                         "close code)\n",
                         ready, clients, static_cast<unsigned long long>(refused), reason);
            return false;
        }
        poll(nullptr, 0, 1);  // the time this takes is a figure, too
    }
    progress("");
    return true;
}

void pin(const Options& options, std::size_t place) {
    if (options.cpus.empty()) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    const std::size_t rest = options.cpus.size() - 1;
    CPU_SET(place == 0 || rest == 0 ? options.cpus[0] : options.cpus[1 + (place - 1) % rest], &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) std::perror("spillway-load: --cpus");
}

void progress(const std::string& text) {
    static std::size_t shown = 0;
    static std::int64_t last_ns = 0;
    if (!text.empty() && (now_ns() - last_ns < 200'000'000 || isatty(2) == 0)) return;
    if (text.empty() && shown == 0) return;
    last_ns = now_ns();
    std::fprintf(stderr, "\r%-*s\r%s", static_cast<int>(shown), "", text.c_str());
    std::fflush(stderr);
    shown = text.size();
}

}  // namespace spillway::load
