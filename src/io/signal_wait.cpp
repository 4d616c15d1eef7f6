// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/signal_wait.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>

#include "base/assert.h"

namespace spillway::io {

SignalWait::SignalWait(const sigset_t& signals) : fd_(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)) {
    SPILLWAY_ASSERT(static_cast<bool>(fd_));
}

int SignalWait::next(base::Duration at_most, std::span<const int> readable) {
    std::array<pollfd, 5> looks = {};
    SPILLWAY_ASSERT(readable.size() < looks.size());
    looks[0] = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    for (std::size_t i = 0; i < readable.size(); ++i)
        looks[i + 1] = {.fd = readable[i], .events = POLLIN, .revents = 0};
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::max(at_most, base::Duration::zero()));
    const timespec most{seconds.count(), (std::max(at_most, base::Duration::zero()) - seconds).count()};
    static_cast<void>(::ppoll(looks.data(), static_cast<nfds_t>(readable.size() + 1), &most, nullptr));
    signalfd_siginfo signal = {};
    if (::read(fd_.get(), &signal, sizeof signal) != static_cast<ssize_t>(sizeof signal)) return 0;
    return static_cast<int>(signal.ssi_signo);
}

}  // namespace spillway::io
