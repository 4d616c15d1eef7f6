// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One kind of event at most every so often per channel: the first goes at once; what comes too soon after it is either
// the same again and forgotten, or the newest of it is told when the time is over.
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

class Pacing {
public:
    enum class TooSoon { forget, keep_last };

    /// At most `most` channels are paced at a time; with more, the others are not.
    Pacing(base::Duration every, std::size_t most, TooSoon too_soon)
        : every_(every), most_(most), too_soon_(too_soon) {}

    enum class Verdict {
        passes,  // the notice is still the caller's: to be told now
        waits,   // kept here, in the place of an older one if there is any
        merges,  // gone, in the place of an older one or forgotten
    };
    [[nodiscard]] Verdict take(std::unique_ptr<Notice>& notice, base::Instant now);
    /// What waits for this channel is out of date: forgotten. Returns whether there was anything.
    bool supersede(const Notice& by);

    /// A notice whose time has come, or none.
    [[nodiscard]] std::unique_ptr<Notice> release(base::Instant now);
    /// From now on nothing waits.
    void end_waiting() { every_ = base::Duration::zero(); }

    [[nodiscard]] std::optional<base::Instant> due() const;
    [[nodiscard]] std::size_t size() const { return paced_.size(); }

private:
    struct Turn {
        std::string subject;
        base::Instant told;
    };
    base::Duration every_;
    const std::size_t most_;
    const TooSoon too_soon_;
    std::deque<Turn> turns_;                                          // in order of time
    std::unordered_map<std::string, std::unique_ptr<Notice>> paced_;  // what waits for its turn; often nothing
};

}  // namespace spillway::webhooks
