// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Whether sends without a copy pay on one route, by the kernel's own reports: on the way to a peer on the same host it copies
// after all, and then such a send costs more than a plain one. Pure.
#pragma once

#include <chrono>

#include "base/clock.h"

namespace spillway::server {

class ZeroCopyRoute {
public:
    /// Reports that make a verdict; as many sends are tried before the first one.
    static constexpr unsigned kWindow = 8;
    /// A route that is off is tried again after this long: peers and paths change.
    static constexpr std::chrono::minutes kLookAgain{1};

    [[nodiscard]] bool may_send(base::Instant now) {
        if (off_ && now >= again_) *this = {};
        return !off_ && (!trying_ || tried_ < kWindow);
    }
    void sent() { tried_ += trying_ ? 1 : 0; }
    /// A send for which no report will come.
    void unreported() { tried_ -= trying_ && tried_ != 0 ? 1 : 0; }
    /// What the kernel says of one send. Off when it copied more than half of the last few.
    void reported(bool copied, base::Instant now) {
        if (off_) return;
        copies_ += copied ? 1 : 0;
        if (++reports_ < kWindow) return;
        trying_ = false;
        if (copies_ * 2 > kWindow) refused(now);
        reports_ = copies_ = 0;
    }
    /// The kernel cannot do it here, or has no memory for it.
    void refused(base::Instant now) {
        off_ = true;
        again_ = now + kLookAgain;
    }
    [[nodiscard]] bool off() const { return off_; }

private:
    bool trying_ = true;
    bool off_ = false;
    unsigned tried_ = 0;
    unsigned reports_ = 0;
    unsigned copies_ = 0;
    base::Instant again_{};
};

}  // namespace spillway::server
