// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Shared memory and the one futex in it: nobody polls while a broadcast is under way.

#include "board.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>

namespace spillway::load {
namespace {

std::uint32_t* futex_word(std::atomic<std::uint32_t>& word) { return reinterpret_cast<std::uint32_t*>(&word); }
static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4);

}  // namespace

std::int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

Board* Board::create(std::uint32_t main_rounds, std::uint32_t aside_rounds) {
    const std::size_t histograms = std::size_t{kProcessesMax} * kClasses * kSlots;
    const std::size_t bytes =
        sizeof(Board) + (std::size_t{main_rounds} + aside_rounds) * sizeof(Round) + histograms * sizeof(Histogram);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("spillway-load: no shared memory");
        std::exit(2);
    }
    // The kernel gives zeros, which is how rounds and histograms begin; most of them are never touched.
    Board* board = new (memory) Board();
    board->round_count_[kMain] = main_rounds;
    board->round_count_[kAside] = aside_rounds;
    board->rounds_[kMain] = reinterpret_cast<Round*>(board + 1);
    board->rounds_[kAside] = board->rounds_[kMain] + main_rounds;
    board->latencies_ = reinterpret_cast<Histogram*>(board->rounds_[kAside] + aside_rounds);
    board->mapped_bytes_ = bytes;
    return board;
}

void Board::destroy() { munmap(this, mapped_bytes_); }

Histogram Board::latency(std::uint32_t which, std::uint32_t slot) {
    Histogram all;
    for (std::uint32_t process = 0; process < kProcessesMax; ++process)
        if (const Histogram& one = latency(process, which, slot); one.count() != 0) all.add(one);
    return all;
}

void Board::arrived(Stream stream, std::uint32_t number, std::uint32_t count, std::int64_t now) {
    Round& whole = round(stream, number);
    if (whole.remaining.fetch_sub(count, std::memory_order_acq_rel) != count) return;
    whole.done_ns.store(now, std::memory_order_release);
    done_[stream].fetch_add(1, std::memory_order_release);
    changed.fetch_add(1, std::memory_order_release);
    syscall(SYS_futex, futex_word(changed), FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

bool Board::wait_done(Stream stream, std::uint32_t goal, std::int64_t until_ns) {
    for (;;) {
        const std::uint32_t seen = changed.load(std::memory_order_acquire);
        if (done(stream) >= goal) return true;
        const std::int64_t left = until_ns - now_ns();
        if (left <= 0) return false;
        const timespec wait{left / 1'000'000'000, left % 1'000'000'000};
        syscall(SYS_futex, futex_word(changed), FUTEX_WAIT, seen, &wait, nullptr, 0);
    }
}

std::uint64_t Board::sum(std::atomic<std::uint64_t> ProcessCounts::* field) const {
    std::uint64_t total = 0;
    for (const ProcessCounts& process : processes) total += (process.*field).load(std::memory_order_acquire);
    return total;
}

std::uint32_t Board::sum(std::atomic<std::uint32_t> ProcessCounts::* field) const {
    std::uint32_t total = 0;
    for (const ProcessCounts& process : processes) total += (process.*field).load(std::memory_order_acquire);
    return total;
}

}  // namespace spillway::load
