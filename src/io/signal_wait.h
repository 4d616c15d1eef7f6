// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Signals as something to wait for beside descriptors (signalfd(2)).
#pragma once

#include <csignal>
#include <span>

#include "base/clock.h"
#include "io/descriptor.h"

namespace spillway::io {

/// Thread: one.
class SignalWait {
public:
    /// `signals`: blocked in every thread.
    explicit SignalWait(const sigset_t& signals);

    /// The next of the signals; 0 when the time is up, or when something of `readable` (-1 are left out, at most 4) can be
    /// read or has ended.
    [[nodiscard]] int next(base::Duration at_most, std::span<const int> readable);

private:
    Descriptor fd_;
};

}  // namespace spillway::io
