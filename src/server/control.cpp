// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control.h"

#include <cerrno>
#include <ctime>

#include "base/format.h"
#include "base/log.h"

namespace spillway::server {

namespace log = base::log;

void Control::run() {
    int signal = 0;
    while (signal != SIGTERM && signal != SIGINT) {
        signal = next_signal(reloader_.waiting());
        if (signal == SIGHUP) reloader_.reload(port_, quotas_, ops_);
        hear_cores();
    }
    drain();
}

int Control::next_signal(bool something_else) {
    // Cores do not wake this thread: while they owe an answer it looks now and then.
    constexpr timespec kLook{0, 2'000'000};
    int signal = 0;
    if (!something_else) return sigwait(&signals_, &signal) == 0 ? signal : 0;
    signal = sigtimedwait(&signals_, nullptr, &kLook);
    return signal > 0 ? signal : 0;
}

void Control::hear_cores() {
    port_.drain(1024, [this](CoreId, const Envelope& envelope) {
        if (std::holds_alternative<Reloaded>(envelope)) reloader_.switched(port_, quotas_, ops_);
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
    log::info(base::concat("draining: no new connections; up to ", config.drain_timeout.count() / 1000, " s for ",
                           quotas_.clients.count(), " clients"));
    ops_.set_draining();
    deadline_ = clock_.now() + config.drain_timeout;
    background_.hurry();
    tell_cores(Signal::What::drain);
    while (drained_ < cores()) {
        const int again = next_signal(true);
        if (again == SIGTERM || again == SIGINT) {
            log::warn("asked again: cutting whoever is left");
            tell_cores(Signal::What::force);
            deadline_ = clock_.now();
        }
        hear_cores();
    }
    tell_cores(Signal::What::stop);
    while (port_.outbox_waiting()) port_.flush();
}

void Control::finish() {
    background_.finish(deadline_);
    while (!background_.finished()) {
        const int again = next_signal(true);
        if (again == SIGTERM || again == SIGINT) background_.finish(clock_.now());
    }
}

}  // namespace spillway::server
