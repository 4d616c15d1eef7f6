// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/intake.h"

#include <algorithm>
#include <array>
#include <utility>

#include "server/core.h"

namespace spillway::server {
namespace {

/// Input is worked on for about so long before the others have their turn.
constexpr std::chrono::microseconds kSlice{1000};
/// Of which long input has this much, however long the short took.
constexpr std::chrono::microseconds kLongSlice{250};
/// Short completions between looks at the clock. A long one is looked at the clock for by itself: 4 KiB of the smallest
/// frames, each with an answer, are some 0.2 ms.
constexpr std::size_t kShortBite = 16;
/// Taken off the ring in a turn; the kernel may go on and on when its queue overflows.
constexpr std::size_t kTakeMax = 1024;

}  // namespace

Intake::Intake(Core& core, std::size_t short_bytes)
    : core_(core), short_bytes_(short_bytes), buffers_enough_(core.ring.buffers_free() / 2) {}

void Intake::add(const io::Completion& done) {
    Client* client =
        done.token.op == io::Op::recv ? core_.clients.find(done.token.slot, done.token.generation) : nullptr;
    const bool is_long = done.has_buffer && std::cmp_greater(done.result, short_bytes_);
    if (client == nullptr || (client->pieces_waiting == 0 && !is_long)) {
        short_.push_back(done);
        return;
    }
    long_.push_back(done);
    if (++client->pieces_waiting == kPiecesMax) greedy_.push_back(client->id);
}

bool Intake::work() {
    const bool ring_has_more = take_all();
    const base::Instant end = core_.now + kSlice;
    // Long input may follow short input of its connection: it waits for the short that is there, and is not looked at before the
    // short that comes meanwhile.
    const std::size_t long_ones = long_.size();
    if (!work_short(end)) return true;
    if (long_ones != 0) work_long(long_ones, std::max(end, core_.clock.now() + kLongSlice));
    slow_down_greedy();
    return ring_has_more || waiting();
}

bool Intake::take_all() {
    std::array<io::Completion, 64> completions;
    for (std::size_t taken = 0; taken < kTakeMax; taken += completions.size()) {
        const std::size_t n = core_.ring.take(completions);
        for (std::size_t i = 0; i < n; ++i) add(completions[i]);
        if (n < completions.size()) return false;
    }
    return true;
}

bool Intake::work_short(base::Instant end) {
    std::size_t looks = 0;
    for (std::size_t left = short_.size(); left != 0; --left) {
        const io::Completion done = short_.front();
        short_.pop_front();
        core_.dispatch(done);
        if (++looks % kShortBite == 0 && core_.clock.now() >= end) return left == 1;
    }
    return true;
}

void Intake::work_long(std::size_t most, base::Instant end) {
    for (std::size_t left = most; left != 0; --left) {
        const io::Completion done = long_.front();
        long_.pop_front();
        if (Client* client = core_.clients.find(done.token.slot, done.token.generation)) --client->pieces_waiting;
        core_.dispatch(done);
        if (core_.clock.now() >= end) return;
    }
}

void Intake::slow_down_greedy() {
    for (const std::uint64_t id : greedy_)
        if (Client* client = core_.find(id)) core_.life.update_receive(*client);
    greedy_.clear();
}

bool Intake::crowded() const {
    return !short_.empty() || (!long_.empty() && core_.ring.buffers_free() < buffers_enough_);
}

}  // namespace spillway::server
