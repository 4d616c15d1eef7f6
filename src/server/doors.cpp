// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/doors.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>

#include "server/core.h"

namespace spillway::server {
namespace {

using std::chrono::milliseconds;

/// After EMFILE and kin: not at once, the condition rarely ends within microseconds.
constexpr milliseconds kAcceptRetry{100};
/// For so long, so often, doors that a predecessor accepted on are looked at: longer than it may take to drain.
constexpr std::chrono::minutes kSharedFor{2};
constexpr milliseconds kSharedLook{50};
/// A server that stops goes on accepting so long while connections wait that came before.
constexpr milliseconds kShutWithin{1000};
/// Answered with the spare descriptor before the loop goes on with other work.
constexpr unsigned kRefusedAtOnce = 64;

}  // namespace

void Doors::begin() {
    for (std::uint32_t which = 0; which < doors_.size(); ++which) {
        doors_[which].wanted = true;
        arm(which);
    }
    if (std::ranges::none_of(doors_, &Door::shared)) return;
    shared_until_ = core_.now + kSharedFor;
    shared_due_ = core_.now + kSharedLook;
}

/// The kernel wakes one accept for each connection. If that was the predecessor's, which it was just giving up, nobody takes
/// the connection before the next comes: an accept that is armed anew looks for itself.
void Doors::look_at_shared() {
    shared_due_ = core_.now < shared_until_ ? core_.now + kSharedLook : base::Instant::max();
    for (std::uint32_t which = 0; which < doors_.size(); ++which) {
        const Door& door = doors_[which];
        if (door.shared && door.armed && door.wanted && core_.ring.has_waiting(door.listener))
            core_.ring.cancel({io::Op::accept, 1, which});
    }
}

void Doors::arm(std::uint32_t which) {
    doors_[which].armed = true;
    core_.ring.accept(doors_[which].listener, {io::Op::accept, 1, which});
}

void Doors::leave_open(Door::For what) {
    for (Door& door : doors_)
        if (door.what == what) door.kept = true;
}

void Doors::shut(Shut how) {
    const base::Instant by = how == Shut::at_once ? core_.now : core_.now + kShutWithin;
    shut_by_ = std::min(shut_by_.value_or(by), by);
    go_on_shutting();
}

void Doors::go_on_shutting() {
    for (std::uint32_t which = 0; which < doors_.size(); ++which) {
        const Door& door = doors_[which];
        if (!door.wanted || door.what == Door::For::metrics) continue;
        const bool waited_for = !door.kept && core_.now < *shut_by_;
        if (!waited_for || !core_.ring.has_waiting(door.listener)) shut_one(which);
    }
}

void Doors::shut_one(std::uint32_t which) {
    Door& door = doors_[which];
    door.wanted = false;
    if (door.armed) {
        core_.ring.cancel({io::Op::accept, 1, which});
    } else {
        close(door);
    }
}

/// Nobody waits in a backlog that is not served: who came in the last moment is told so.
void Doors::close(Door& door) {
    if (door.what == Door::For::metrics) return;
    if (!door.kept) refuse_waiting(door);
    core_.ring.close(door.listener);
    door.listener = -1;
}

void Doors::leave_metrics() {
    for (std::uint32_t which = 0; which < doors_.size(); ++which)
        if (doors_[which].what == Door::For::metrics && doors_[which].wanted) shut_one(which);
}

bool Doors::open() const {
    return std::ranges::any_of(doors_, [](const Door& d) { return d.what != Door::For::metrics && d.listener >= 0; });
}

void Doors::rearm() {
    if (shut_by_) go_on_shutting();
    if (core_.now >= shared_due_) look_at_shared();
    for (std::uint32_t which = 0; which < doors_.size(); ++which) {
        Door& door = doors_[which];
        if (!door.wanted || door.armed || core_.now < door.retry) continue;
        if (door.what != Door::For::metrics && crowded()) {
            refuse_waiting(door);
        } else {
            arm(which);
        }
    }
}

std::optional<base::Instant> Doors::due() const {
    std::optional<base::Instant> first;
    if (shared_due_ != base::Instant::max()) first = shared_due_;
    for (const Door& door : doors_)
        if (door.wanted && !door.armed) first = first ? std::min(*first, door.retry) : door.retry;
    return first;
}

/// So many connections that descriptors would run out, which the process needs for more than connections.
bool Doors::crowded() const {
    const std::uint64_t most = core_.config.max_connections;
    return most != 0 && core_.quotas.connections.count() >= most;
}

/// Nobody hangs in the backlog while descriptors are short: whoever waits there is told so.
void Doors::refuse_waiting(Door& door) {
    const Refusal reason = shut_by_ ? Refusal::draining : Refusal::descriptors;
    core_.stats.refused[static_cast<std::size_t>(reason)].add(
        core_.ring.refuse_waiting(door.listener, kNoRoom, kRefusedAtOnce));
    door.retry = core_.now + kAcceptRetry;
}

void Doors::accepted(const io::Completion& done) {
    const std::uint32_t which = done.token.slot;
    Door& door = doors_[which];
    const bool ops = door.what == Door::For::metrics;
    if (!done.more) {
        door.armed = false;
        if (!door.wanted) close(door);
    }
    if (done.result < 0) {
        if (done.result == -ECANCELED) return;
        door.retry = core_.now + kAcceptRetry;
        if (!ops && door.wanted && (done.result == -EMFILE || done.result == -ENFILE)) {
            note_pause();
            refuse_waiting(door);
        }
        return;
    }
    if (ops || core_.quotas.connections.enter(core_.config.max_connections)) {
        core_.life.admit(done.result, ops ? ClientKind::ops : ClientKind::http);
    } else {
        core_.stats.count_refusal(Refusal::descriptors);
        core_.ring.refuse(done.result, kNoRoom);
    }
    if (!ops && door.armed && door.wanted && crowded()) {
        note_pause();
        core_.ring.cancel({io::Op::accept, 1, which});
    }
}

void Doors::note_pause() {
    core_.stats.accept_pauses.add();
    base::log::write_throttled(pause_lines_, core_.now, base::log::Level::warn, [] {
        return std::string("descriptors run out: accepting pauses until connections end, whoever comes gets 503");
    });
}

}  // namespace spillway::server
