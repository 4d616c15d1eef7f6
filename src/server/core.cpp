// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/core.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/heap.h"

namespace spillway::server {
namespace {

using std::chrono::milliseconds;

/// Envelopes handled between looks at anything else.
constexpr std::size_t kMeshBudget = 1024;
/// And before it is looked whether the fan-out can keep up.
constexpr std::size_t kMeshBite = 64;
/// A core that could not keep up counts as slow for so long.
constexpr milliseconds kSlowFor{100};
/// A core turns at least this often, so that a stuck one can be told from an idle one.
constexpr milliseconds kRestMax{500};
/// With something waiting for room elsewhere, a core looks again this soon: room does not wake anybody.
constexpr milliseconds kRestWhileBlocked{1};
constexpr milliseconds kRestWhileDraining{5};
constexpr milliseconds kGaugesEvery{100};

}  // namespace

Core::Core(const CoreSetup& setup)
    : id(setup.id),
      cores(setup.mesh.cores()),
      send_batch(setup.send_batch),
      quotas(setup.quotas),
      ring(setup.ring),
      clock(setup.clock),
      random(setup.random),
      stats(setup.stats),
      ops(setup.ops),
      config(setup.settings.config),
      apps(setup.settings.apps),
      now(setup.clock.now()),
      port(setup.mesh, setup.id),
      blocks(setup.id, setup.mesh.endpoints()),
      holds(blocks),
      channels(setup.mesh.cores(), setup.pass_step),
      clients(setup.clients_max),
      timers(base::TimerWheel::kTickDefault, base::TimerWheel::kBucketsDefault, now),
      intake(*this, setup.short_bytes),
      sender(*this),
      fanout(*this),
      gaps(*this),
      membership(*this),
      notices(*this, setup.notices),
      users(*this),
      home(*this),
      census(*this),
      key_office(*this),
      publisher(*this),
      doors(*this),
      life(*this),
      calls(*this),
      gate(*this),
      http(*this),
      ws(*this),
      pusher(*this),
      publishing(*this),
      review(*this),
      health(setup.ops.cores()),
      memory(*this),
      drain(*this),
      dashboard(*this) {
    const auto add = [&](int listener, Door::For what, bool kept = false) {
        if (listener >= 0)
            doors.add({.listener = listener, .what = what, .kept = kept, .shared = setup.listeners_shared});
    };
    add(setup.listener, Door::For::clients, setup.listener_kept);
    for (const int listener : setup.more_listeners) add(listener, Door::For::clients);
    add(setup.ops_listener, Door::For::metrics);
    add(setup.unix_listener, Door::For::local, setup.unix_listener_kept);
    if (setup.ops_listener >= 0) dashboard.begin();
    watches_health_ = setup.ops_listener >= 0;
    note_turn();
}

Core::~Core() {
    // Connections that outlived the drain: those of the metrics port, which is served to the last.
    clients.for_each([this](std::uint32_t /*slot*/, Client& client) { life.let_go(client); });
}

void Core::begin() { doors.begin(); }

void Core::run() {
    const int fault = ring.start();
    SPILLWAY_ASSERT(fault == 0);
    stats.thread.set(static_cast<std::uint64_t>(::gettid()));
    begin();
    while (!stopped_) {
        const base::Duration rest = turn();
        if (rest == base::Duration::zero() || !port.may_sleep()) {
            if (intake.crowded()) ring.submit();
            else ring.wait(base::Duration::zero());
            continue;
        }
        ring.wait(rest);
        port.awake();
    }
}

base::Duration Core::turn() {
    now = clock.now();
    stats.turns.add();
    note_turn();

    // 1. What the kernel finished: bytes in become work. First, so that what it leaves is seen to in this same turn.
    heard_ = false;
    const bool more_input = intake.work();
    bool busy = more_input;
    // 2. Other cores, and this one's messages to itself: joins, publications, broadcasts, until nothing comes any more.
    home.resume();
    busy |= drain_mesh();
    say_slow();
    home.tell_due();
    census.step();
    // 3. To other cores before our own fan-out: they work at the same time.
    port.flush();
    // 4. Answers, which are few, do not wait for a slice of broadcasts; then that.
    sender.flush_dirty();
    fanout.run();
    publishing.acknowledge();
    users.go_on();
    // 5. Timeouts, after activity was seen, and what else is due by the clock; nothing that was waiting for this turn waits for it.
    expire(more_input);
    drain.step();
    review.step();
    http.step();
    dashboard.step();
    calls.step();
    memory.step();
    if (watches_health_ && health.due(now)) health.step(config, now, memory.take_peak());
    // 6. One send per client that gained something else.
    life.retry_sends();
    sender.flush_dirty();
    // 7. Clients that had to wait, where there is room again; receives that ended, whose buffers are back by now.
    life.resume_paused();
    life.arm_receives();
    doors.rearm();
    sender.flush_dirty();
    life.free_doomed();
    send_returns();
    port.flush();
    notices.flush();
    stats.loop_lag.record(clock.now() - now);
    return may_rest(busy);
}

/// Timeouts count what clients failed to do, not what this loop did: after a stall the input that piled up is taken first. The
/// kernel has it ready at the earliest when it was asked again, and then hands it over in small portions.
void Core::expire(bool more_input) {
    const bool stalled = last_turn_ != base::Instant{} && now - last_turn_ >= kStall;
    if (stalled) {
        stats.stalls.add();
        patience_until_ = now + kStall;
    }
    last_turn_ = now;
    asked_again_ = !stalled || !asked_again_;  // not put off for ever if every turn is late
    if (!asked_again_ || ((more_input || heard_) && now < patience_until_)) return;
    timers.advance(now, [this](std::uint32_t slot) { life.timer_fired(slot); });
}

void Core::say_slow() {
    if (fanout.saturated()) behind_until_ = now + kSlowFor;
    if (home.holds_back()) waiting_until_ = now + kSlowFor;
    port.say_slow(now < behind_until_, now < waiting_until_);
}

void Core::note_turn() {
    stats.last_turn_ms.set(
        static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count()));
}

base::Duration Core::may_rest(bool busy) {
    const bool work = busy || fanout.busy() || users.busy() || sender.dirty() || intake.waiting() || life.arming() ||
                      review.active() || !port.inbox_empty() || census.busy();
    if (!work || now >= gauges_due_) publish_gauges();
    if (work) return base::Duration::zero();
    base::Duration rest = kRestMax;
    if (const auto due = timers.next_due())
        rest = std::min(rest, std::max(*due - clock.now(), base::Duration(milliseconds{1})));
    if (const auto due = doors.due())
        rest = std::min(rest, std::max(*due - clock.now(), base::Duration(milliseconds{1})));
    if (const auto due = home.next_due()) rest = std::min(rest, std::max(*due - now, base::Duration(milliseconds{1})));
    if (port.outbox_waiting() || home.waiting() || life.paused() != 0 || life.retrying())
        rest = std::min<base::Duration>(rest, kRestWhileBlocked);
    if (memory.active()) rest = std::min<base::Duration>(rest, kMemoryCalm);
    if (drain.active()) rest = std::min<base::Duration>(rest, kRestWhileDraining);
    return rest;
}

void Core::dispatch(const io::Completion& done) {
    heard_ = true;
    switch (done.token.op) {
        case io::Op::accept: doors.accepted(done); break;
        case io::Op::recv: life.received(done); break;
        case io::Op::send_wait: sender.send_wait_done(done); break;
        case io::Op::send_zc: sender.send_zc_done(done); break;
        case io::Op::send_now:
        case io::Op::wake:
        case io::Op::none: SPILLWAY_ASSERT(false); break;
    }
}

bool Core::drain_mesh() {
    std::size_t total = 0;
    while (total < kMeshBudget && !fanout.saturated()) {
        const std::size_t n = port.drain(std::min(kMeshBite, kMeshBudget - total),
                                         [this](CoreId from, const Envelope& e) { receive(from, e); });
        if (n == 0) return false;
        total += n;
    }
    return true;
}

namespace {
template <class... F>
struct Overload : F... {
    using F::operator()...;
};
}  // namespace

void Core::receive(CoreId from, const Envelope& envelope) {
    std::visit(Overload{
                   [&](const Join& e) { home.join(from, e); },
                   [&](const Leave& e) { home.leave(from, e); },
                   [&](const Joined& e) { membership.joined(e); },
                   [&](const Cached& e) { membership.cached(e); },
                   [&](const Publish& e) { home.publish(from, e); },
                   [&](const Sequenced& e) { calls.sequenced(e); },
                   [&](const Query& e) { census.ask(from, e); },
                   [&](const Told& e) { calls.told(e); },
                   [&](const Claim& e) { key_office.claim(from, e); },
                   [&](const Claimed& e) { calls.claimed(e); },
                   [&](const Settle& e) { key_office.settle(e); },
                   [&](const Credit& e) { port.take_credit(from, e.count); },
                   [&](const Broadcast& e) { fanout.gather(e); },
                   [&](const Watch& e) { users.watch(from, e); },
                   [&](const Unwatch& e) { users.unwatch(from, e); },
                   [&](const Watched& e) { users.watched(e); },
                   [&](const Terminate& e) { home.terminate(from, e); },
                   [&](const Expel& e) { users.expel(e); },
                   [&](const Returns& e) { blocks.accept_returns(e.list); },
                   [&](const Knock& e) { gate.knock(from, e); },
                   [&](const Knocked& e) { gate.knocked(from, e); },
                   [&](const AddressLeft& e) { gate.left(e); },
                   [&](const Reload& e) { take_over(*e.snapshot); },
                   [&](const Reloaded&) {},
                   [&](const SurveyAsked&) { dashboard.asked(from); },
                   [&](const Surveyed& e) { dashboard.surveyed(from, e); },
                   [&](const Signal& e) {
                       switch (e.what) {
                           case Signal::What::drain: drain.begin(); break;
                           case Signal::What::leave_local: doors.leave_open(Door::For::local); break;
                           case Signal::What::hand_over: drain.hand_over(); break;
                           case Signal::What::leave_metrics: doors.leave_metrics(); break;
                           case Signal::What::force: drain.force(); break;
                           case Signal::What::stop: stopped_ = true; break;
                           case Signal::What::drained: break;
                       }
                   },
               },
               envelope);
}

void Core::take_over(const Snapshot& snapshot) {
    config = snapshot.config;
    apps = snapshot.apps;
    http.limits_changed();
    review.begin();
    port.send(static_cast<CoreId>(cores), Reloaded{});
}

void Core::send_returns() {
    if (!blocks.has_returns()) return;
    for (std::size_t owner = 0; owner < cores; ++owner)
        if (pubsub::Block* list = blocks.take_returns(static_cast<CoreId>(owner)))
            port.send(static_cast<CoreId>(owner), Returns{list});
}

void Core::publish_gauges() {
    gauges_due_ = now + kGaugesEvery;
    life.sweep();
    gate.sweep();
    sender.trim_spare();
    stats.queued_messages.set(static_cast<std::int64_t>(sender.queued_messages()));
    stats.queued_bytes.set(static_cast<std::int64_t>(sender.queued_bytes()));
    stats.messages_held.set(static_cast<std::int64_t>(blocks.blocks_live()));
    stats.message_bytes.set(static_cast<std::int64_t>(blocks.bytes_live()));
    stats.presence_members.set(static_cast<std::int64_t>(home.members()));
    stats.cached_events.set(static_cast<std::int64_t>(home.cache().size()));
    memory.publish_gauges();
    stats.cache_evicted.set(home.cache().evicted());
    stats.mesh_depth.set(static_cast<std::int64_t>(port.depth()));
    stats.allocations.set(base::heap_use_of_thread.allocations);
    stats.allocated_bytes.set(base::heap_use_of_thread.bytes);
    const io::RingFigures f = ring.figures();
    stats.ring_enters.set(f.enters);
    stats.ring_sqes.set(f.sqes);
    stats.ring_cqes.set(f.cqes);
    stats.ring_overflows.set(f.overflows);
    stats.ring_no_buffers.set(f.no_buffers);
    stats.ring_send_again.set(f.send_again);
    stats.ring_send_short.set(f.send_short);
    stats.ring_wakes.set(f.wakes);
    stats.ring_zc_sends.set(f.zc_sends);
    stats.ring_zc_notifications.set(f.zc_notifications);
    stats.ring_zc_copied.set(f.zc_copied);
    stats.ring_zc_held.set(static_cast<std::int64_t>(sender.zero_copy().held()));
    stats.ring_zc_routes_off.set(static_cast<std::int64_t>(sender.zero_copy().routes_off()));
}

void Core::check_invariants() {
    channels.check_invariants();
    home.channels().check_invariants();
    home.cache().check_invariants();
    users.check_invariants();
    life.check_invariants();
    sender.check_invariants();
}

}  // namespace spillway::server
