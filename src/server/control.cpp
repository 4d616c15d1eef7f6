// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "io/host_memory.h"

namespace spillway::server {

namespace log = base::log;

namespace {

constexpr std::chrono::seconds kMemoryEvery{1};

}  // namespace

void Control::run() {
    int signal = 0;
    while (signal != SIGTERM && signal != SIGINT && !heir_) {
        signal = next_signal(reloader_.waiting());
        if (signal == SIGHUP) reload();
        heir_ = predecessor_.step(clock_.now());
        hear_cores();
        tell_alive();
        note_memory();
    }
    drain();
}

int Control::next_signal(bool answer_due) {
    // Cores do not wake this thread: while they owe an answer it looks now and then, and at memory once a second.
    constexpr base::Duration kLook = std::chrono::milliseconds{2};
    const auto watchdog = supervisor_.alive_every();
    base::Instant due = memory_due_;
    if (watchdog) due = std::min(due, alive_due_);
    due = std::min(due, predecessor_.due());
    const base::Duration wait = answer_due ? kLook : std::max(due - clock_.now(), kLook);
    return signals_.next(wait, predecessor_.readable());
}

void Control::reload() {
    supervisor_.reloading(clock_.now());
    reloader_.reload(port_, quotas_, ops_);
    if (!reloader_.waiting())
        supervisor_.ready("the reload was refused, see the log; the settings before are in force");
}

/// Only while the loops turn: a server that hangs is to be restarted.
void Control::tell_alive() {
    const auto every = supervisor_.alive_every();
    const base::Instant now = clock_.now();
    if (!every || now < alive_due_ || !ops_.health(now).ok) return;
    alive_due_ = now + *every;
    supervisor_.alive();
}

void Control::note_memory() {
    const base::Instant now = clock_.now();
    if (now < memory_due_) return;
    memory_due_ = now + kMemoryEvery;
    quotas_.memory.resident.store(io::own_resident_bytes(), std::memory_order_relaxed);
}

void Control::hear_cores() {
    port_.drain(1024, [this](CoreId, const Envelope& envelope) {
        if (std::holds_alternative<Reloaded>(envelope)) {
            reloader_.switched(port_, quotas_, ops_);
            if (!reloader_.waiting()) supervisor_.ready("reloaded");
        }
        if (std::holds_alternative<Signal>(envelope)) ++drained_;
    });
    port_.flush();
}

void Control::tell_cores(Signal::What what) {
    for (std::size_t i = 0; i < cores(); ++i) port_.send(static_cast<CoreId>(i), Signal{what});
    port_.flush();
}

void Control::drain() {
    const Config& config = reloader_.current()->config;
    if (!heir_) heir_ = predecessor_.drain();
    log::info(base::concat("draining: no new connections; up to ", config.drain_timeout.count() / 1000, " s for ",
                           quotas_.clients.count(), " clients"));
    ops_.set_draining();
    deadline_ = clock_.now() + config.drain_timeout;
    background_.hurry();
    if (heir_) {
        hand_over();
    } else {
        supervisor_.stopping("draining");
        tell_cores(Signal::What::drain);
    }
    while (drained_ < cores()) {
        const int again = next_signal(true);
        static_cast<void>(predecessor_.step(clock_.now()));
        if (again == SIGTERM || again == SIGINT) {
            log::warn("asked again: cutting whoever is left");
            tell_cores(Signal::What::force);
            deadline_ = clock_.now();
        }
        hear_cores();
        tell_alive();
    }
    tell_cores(Signal::What::stop);
    while (port_.outbox_waiting()) port_.flush();
}

void Control::hand_over() {
    const Predecessor::Heir& heir = predecessor_.heir();
    log::info(base::concat("pid ", heir.pid, ", version ", log::escaped(heir.message.version), ", has taken over"));
    supervisor_.succeeded_by(heir.pid);
    if (inherited(SocketUse::local)) tell_cores(Signal::What::leave_local);
    tell_cores(Signal::What::hand_over);
    if (inherited(SocketUse::metrics)) tell_cores(Signal::What::leave_metrics);
}

void Control::finish() {
    background_.finish(deadline_);
    while (!background_.finished()) {
        const int again = next_signal(true);
        static_cast<void>(predecessor_.step(clock_.now()));
        if (again == SIGTERM || again == SIGINT) background_.finish(clock_.now());
        supervisor_.alive();
    }
}

}  // namespace spillway::server
