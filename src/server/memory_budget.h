// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What the server does about its memory: a pure judgement of bytes against a limit. It lets go in this order, one stage for
// each look that finds the limit reached: no new clients, then the largest backlogs are cut, then publications are refused.
// Stages are taken back one by one, each after kMemoryCalm below kMemoryRelease; between the two everything stays as it is.
// Health, figures and deliveries to whoever takes them go on throughout.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <spillway/config.h>

#include "base/clock.h"

namespace spillway::server {

/// Kinds of memory that are accounted for; their sum is what is judged.
enum class MemoryKind : std::uint8_t {
    frames,            // blocks of messages, in use and kept for reuse; each once, however many clients it waits for
    queues,            // what queues need beside the frames: entries, control frames, answers of the API
    clients,           // slots, timers, lists of channels (estimated from their number)
    channels,          // channels and subscribers (estimated from their number)
    cache,             // last events of cache channels
    buffers,           // receive buffers, parsers lent, input that waits
    history,           // none yet
    sockets_estimate,  // the kernel's: the whole send buffer of each client whose socket is full
};
inline constexpr std::size_t kMemoryKinds = 8;
[[nodiscard]] constexpr std::string_view to_string(MemoryKind kind) {
    constexpr std::string_view names[kMemoryKinds] = {"frames", "queues",  "clients", "channels",
                                                      "cache",  "buffers", "history", "sockets_estimate"};
    return names[static_cast<std::size_t>(kind)];
}

/// What is withheld; each stage withholds what those before it do.
enum class MemoryStage : std::uint8_t { all_served, no_new_clients, backlogs_cut, no_publications };

inline constexpr double kMemoryRelease = 0.90;  // of the limit
inline constexpr base::Duration kMemoryCalm = std::chrono::milliseconds{100};
/// Backlogs are cut down to this part of the limit, and again at the earliest when what was let go shows.
inline constexpr double kMemoryCutTo = 0.75;
inline constexpr base::Duration kMemoryCutEvery = std::chrono::seconds{1};

/// 0 without a limit.
[[nodiscard]] constexpr double memory_level(std::uint64_t bytes, std::uint64_t limit) {
    return limit == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(limit);
}

class MemoryJudge {
public:
    struct Verdict {
        MemoryStage stage = MemoryStage::all_served;
        double cut = 0;  // part of the limit by which backlogs are to be cut now; 0 = none are
    };
    [[nodiscard]] Verdict look(double level, base::Instant now);

private:
    MemoryStage stage_ = MemoryStage::all_served;
    base::Instant calm_since_{};  // zero: not calm
    base::Instant cut_due_{};
};

/// Puts in what the configuration leaves to the host, which has `available` bytes (0 = not known).
void settle_memory(Config& config, std::uint64_t available);

/// Does a message of this priority stay out of a client's backlog, with so many bytes in all backlogs of a core? The part of
/// the budget that a priority may fill is that of a queue (pubsub::threshold_permille). budget 0 = none.
[[nodiscard]] bool over_backlog_budget(Priority priority, bool high_client, std::uint64_t queued, std::uint64_t budget);

/// How many of a core's backlogs, given in bytes and the largest first, are let go so that `permille` of them all are. Whoever owes
/// next to nothing stays, for closing him gives nothing back: all clients of a core that owes less than a thousandth of the
/// limit, and those below a hundredth of the average.
[[nodiscard]] std::size_t backlogs_to_cut(std::span<const std::uint64_t> backlogs, std::uint32_t permille,
                                          std::uint64_t limit);

}  // namespace spillway::server
