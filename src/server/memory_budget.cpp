// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/memory_budget.h"

#include <numeric>

#include "pubsub/send_queue.h"

namespace spillway::server {

MemoryJudge::Verdict MemoryJudge::look(double level, base::Instant now) {
    const auto step = [this](int by) { stage_ = static_cast<MemoryStage>(static_cast<int>(stage_) + by); };
    if (level >= 1) {
        calm_since_ = {};
        if (stage_ != MemoryStage::no_publications) step(1);
    } else if (level >= kMemoryRelease || stage_ == MemoryStage::all_served) {
        calm_since_ = {};
    } else if (calm_since_ == base::Instant{}) {
        calm_since_ = now;
    } else if (now - calm_since_ >= kMemoryCalm) {
        calm_since_ = now;
        step(-1);
    }
    if (level < 1 || stage_ < MemoryStage::backlogs_cut || now < cut_due_) return {stage_, 0};
    cut_due_ = now + kMemoryCutEvery;
    return {stage_, level - kMemoryCutTo};
}

void settle_memory(Config& config, std::uint64_t available) {
    if (config.memory_limit_derived) config.memory_limit = available / 4 * 3;
    if (config.backlog_bytes_derived) config.backlog_bytes = config.memory_limit / 2;
}

bool over_backlog_budget(Priority priority, bool high_client, std::uint64_t queued, std::uint64_t budget) {
    return budget != 0 && queued >= budget * pubsub::threshold_permille(priority, high_client) / 1000;
}

std::size_t backlogs_to_cut(std::span<const std::uint64_t> backlogs, std::uint32_t permille, std::uint64_t limit) {
    const std::uint64_t owed = std::accumulate(backlogs.begin(), backlogs.end(), std::uint64_t{0});
    if (owed < limit / 1000) return 0;
    std::uint64_t gone = 0;
    std::size_t n = 0;
    for (; n < backlogs.size(); ++n) {
        if (n != 0 && gone >= owed / 1000 * permille) break;
        if (backlogs[n] == 0 || backlogs[n] < owed / backlogs.size() / 100) break;
        gone += backlogs[n];
    }
    return n;
}

}  // namespace spillway::server
