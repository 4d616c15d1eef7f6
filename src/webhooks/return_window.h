// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Departures that wait for a return: a page reload leaves a channel and is back a second later, and the backend is to hear
// of neither. channel_vacated and member_removed are kept for a while; the channel_occupied or member_added that comes
// meanwhile takes the waiting half away and goes itself.
//
// Pure: time is an argument. Thread: one.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "webhooks/notice.h"

namespace spillway::webhooks {

class ReturnWindow {
public:
    /// At most `most` departures wait; beyond that the oldest goes out early.
    ReturnWindow(base::Duration wait, std::size_t most) : wait_(wait), most_(most) {}

    enum class Verdict {
        passes,   // the notice is still the caller's: to be told now
        waits,    // kept here
        returns,  // gone together with the half that waited
    };
    /// A notice of the four kinds that come in pairs.
    [[nodiscard]] Verdict take(std::unique_ptr<Notice>& notice, base::Instant now);

    /// The oldest departure that waited long enough, or none.
    [[nodiscard]] std::unique_ptr<Notice> release(base::Instant now);
    /// From now on nothing waits: what is here can be released, and what comes passes.
    void end_waiting() { wait_ = base::Duration::zero(); }

    /// When release() has something to give.
    [[nodiscard]] std::optional<base::Instant> due() const;
    [[nodiscard]] std::size_t size() const { return by_subject_.size(); }

private:
    struct Departure {
        std::string subject;
        std::unique_ptr<Notice> notice;  // none: it returned
        base::Instant left;
    };
    void forget_returned();

    base::Duration wait_;
    const std::size_t most_;
    std::deque<Departure> waiting_;  // in the order in which they left; the front is never one that returned
    std::uint64_t gone_ = 0;         // departures taken off the front ever
    std::unordered_map<std::string, std::uint64_t> by_subject_;  // place in waiting_, plus gone_
};

}  // namespace spillway::webhooks
