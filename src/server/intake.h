// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What the kernel has finished, and the order in which a core looks at it. Nobody waits for a connection that says much:
// short input comes first, long input (a flood, an upload) behind it and in slices, and who has said more than its share is
// received from again when that has been looked at. Of each connection everything stays in order.
//
// Thread: the core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/fifo.h"
#include "io/completion.h"

namespace spillway::server {

class Core;

class Intake {
public:
    /// Pieces of long input that wait of one connection before its receive is cancelled. The kernel receives up to 32
    /// (MULTISHOT_MAX_RETRY) before it looks at others, so there may be that many more.
    static constexpr std::uint16_t kPiecesMax = 16;
    /// Input of at most this many bytes is short.
    static constexpr std::size_t kShortBytes = 1024;

    Intake(Core& core, std::size_t short_bytes);

    /// Takes up a completion that came off the ring.
    void add(const io::Completion& done);
    /// Looks at what the ring has and what waits, for about a slice. True: something is left.
    bool work();
    /// A completion waits here.
    [[nodiscard]] bool waiting() const { return !short_.empty() || !long_.empty(); }
    /// So much waits that the kernel is to receive no more for now: short input would come behind it, or find no buffer.
    [[nodiscard]] bool crowded() const;

private:
    bool take_all();
    /// What is there when it begins; false: the time did not suffice.
    bool work_short(base::Instant end);
    void work_long(std::size_t most, base::Instant end);
    void slow_down_greedy();

    Core& core_;
    const std::size_t short_bytes_;
    const std::uint32_t buffers_enough_;
    base::Fifo<io::Completion> short_;
    base::Fifo<io::Completion> long_;
    std::vector<std::uint64_t> greedy_;  // clients with kPiecesMax pieces and more, which are still received from
};

}  // namespace spillway::server
