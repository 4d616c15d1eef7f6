// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How much of what is kept for reuse nobody needs. A pool that never lets go remembers the largest burst there ever was, and
// since larger ones come ever more rarely, but come, its memory never quite stops growing.
#pragma once

#include <algorithm>
#include <cstddef>

namespace spillway::base {

class Surplus {
public:
    /// So many are kept, after one was taken for use.
    void left(std::size_t kept) { least_ = std::min(least_, kept); }

    /// To be asked at even distances: how many of the `kept` may go, for they lay there ever since the last time. Not all of
    /// them at once: a pause between two bursts costs few, and after some dozen times the last has gone.
    [[nodiscard]] std::size_t take(std::size_t kept) {
        const std::size_t unneeded = std::min(least_, kept);
        const std::size_t count = (unneeded + kPart - 1) / kPart;
        least_ = kept - count;
        return count;
    }

private:
    static constexpr std::size_t kPart = 16;
    std::size_t least_ = 0;  // kept at a time, since it was asked
};

}  // namespace spillway::base
