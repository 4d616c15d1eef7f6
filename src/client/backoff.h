// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// When to try again after a connection that ended, by the classes of close codes of the Pusher protocol: 4000 to 4099 never,
// 4100 to 4199 after a second or more, 4200 to 4299 at once, everything else with growing pauses.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace spillway::client {

enum class Retry : std::uint8_t { never, later, at_once };

/// 0: there was no close frame.
[[nodiscard]] constexpr Retry retry_after(std::uint16_t close_code) {
    if (close_code >= 4000 && close_code < 4100) return Retry::never;
    return close_code >= 4200 && close_code < 4300 ? Retry::at_once : Retry::later;
}

/// Pauses of 1 to 2 s, 2 to 4 s, ... at most 15 to 30 s. Jitter is half of each, so that the listeners of a server that went
/// away do not come back in one moment.
class Backoff {
public:
    static constexpr std::chrono::milliseconds kLeast{1000};
    static constexpr std::chrono::milliseconds kLeastOfTheLongest{15'000};

    /// The pause before the next attempt, or nothing when there is to be none. `random`: 64 uniform bits. At once is for the
    /// first attempt only: a server that sends everybody away again is not hammered.
    [[nodiscard]] std::optional<std::chrono::milliseconds> next(Retry retry, std::uint64_t random) {
        if (retry == Retry::never) return std::nullopt;
        if (retry == Retry::at_once && !sent_away_) {
            sent_away_ = true;
            return std::chrono::milliseconds{0};
        }
        const auto least = least_;
        least_ = least * 2 < kLeastOfTheLongest ? least * 2 : kLeastOfTheLongest;
        return least + std::chrono::milliseconds(random % static_cast<std::uint64_t>(least.count()));
    }
    /// The connection does what it is for.
    void succeeded() { *this = Backoff(); }

private:
    std::chrono::milliseconds least_ = kLeast;
    bool sent_away_ = false;
};

}  // namespace spillway::client
