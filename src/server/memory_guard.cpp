// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/memory_guard.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/heap.h"
#include "base/log.h"
#include "server/core.h"

namespace spillway::server {
namespace {

constexpr std::chrono::milliseconds kMemoryLook{10};

/// The part of the limit from which on what becomes free is to be free at once.
constexpr double kShort = 0.75;
// How much less a core uses, and how little that changes from one look to the next, when its free memory is given back.
constexpr std::uint64_t kFall = 4 * kMiB;
constexpr std::uint64_t kStill = kMiB;
constexpr std::chrono::seconds kTidyEvery{1};

// Bytes beside what is counted one by one, rounded up: the nodes and tables of the maps, and short names.
constexpr std::uint64_t kTimerBytes = 16;
constexpr std::uint64_t kLocalChannelBytes = sizeof(pubsub::LocalChannel) + 160;
constexpr std::uint64_t kHomeChannelBytes = sizeof(pubsub::HomeChannel) + sizeof(pubsub::Share) + 160;
constexpr std::uint64_t kMemberBytes = 256;

std::int64_t gauge(std::uint64_t bytes) { return static_cast<std::int64_t>(bytes); }

std::string_view told(MemoryStage stage) {
    constexpr std::string_view words[] = {"everybody is served", "new clients are refused",
                                          "new clients are refused, the largest backlogs are cut",
                                          "new clients and publications are refused, the largest backlogs are cut"};
    return words[static_cast<std::size_t>(stage)];
}

}  // namespace

MemoryStage MemoryGuard::stage() const { return core_.quotas.memory.stage.load(std::memory_order_relaxed); }

double MemoryGuard::take_peak() { return std::exchange(peak_, 0); }

void MemoryGuard::step() {
    // What is kept for reuse counts, and while something is withheld nothing may be there to reuse it.
    if (active() && core_.blocks.bytes_kept() != 0) core_.blocks.trim();
    core_.stats.memory_of(MemoryKind::frames).set(gauge(core_.blocks.bytes_live() + core_.blocks.bytes_kept()));
    core_.stats.memory_of(MemoryKind::queues).set(gauge(core_.sender.outflow_bytes()));
    if (core_.id == 0 && core_.now >= look_due_) look();
    if (const std::uint32_t tidy = core_.quotas.memory.tidy.load(std::memory_order_relaxed); tidy != tidied_) {
        tidied_ = tidy;
        base::give_heap_back();
    }
    const std::uint64_t order = core_.quotas.memory.cut.load(std::memory_order_relaxed);
    const auto rounds = static_cast<std::uint32_t>(order >> 32);
    if (rounds == rounds_seen_) return;
    rounds_seen_ = rounds;
    cut(static_cast<std::uint32_t>(order));
}

void MemoryGuard::publish_gauges() {
    trim_unneeded();
    Stats& stats = core_.stats;
    const auto subscriptions = static_cast<std::uint64_t>(std::max<std::int64_t>(stats.subscriptions.value(), 0));
    const auto set = [&stats](MemoryKind kind, std::uint64_t bytes) { stats.memory_of(kind).set(gauge(bytes)); };
    set(MemoryKind::clients,
        core_.clients.memory_bytes() + core_.clients.slots_used() * kTimerBytes + subscriptions * sizeof(Subscription));
    set(MemoryKind::channels, core_.channels.size() * kLocalChannelBytes + subscriptions * sizeof(pubsub::Subscriber) +
                                  core_.home.channels().size() * kHomeChannelBytes +
                                  core_.home.members() * kMemberBytes);
    set(MemoryKind::cache, core_.home.cache().bytes());
    set(MemoryKind::buffers,
        kRecvBuffers * kRecvBufferBytes + core_.ws.bytes_held() + core_.http.bytes_held() + core_.life.held_bytes());
    set(MemoryKind::sockets_estimate, core_.sender.waiting() * core_.config.socket_send_buffer);
    tidy_after_fall();
}

void MemoryGuard::trim_unneeded() {
    if (core_.now < trim_due_) return;
    trim_due_ = core_.now + kTrimEvery;
    core_.blocks.trim_unneeded();
    core_.channels.trim_unneeded();
}

/// Much of this core's memory has become free and no more does: the allocator, which puts it off, gives it back to the host.
void MemoryGuard::tidy_after_fall() {
    std::uint64_t used = 0;
    for (const base::Gauge& kind : core_.stats.memory) used += static_cast<std::uint64_t>(kind.value());
    const bool falls = used + kStill < used_last_;
    used_last_ = used;
    used_most_ = std::max(used_most_, used);
    if (falls || core_.now < tidy_due_ || used_most_ - used < std::max(kFall, used_most_ / 4)) return;
    used_most_ = used;
    tidy_due_ = core_.now + kTidyEvery;
    base::give_heap_back();
}

void MemoryGuard::look() {
    look_due_ = core_.now + kMemoryLook;
    MemoryState& state = core_.quotas.memory;
    std::int64_t accounted = 0;
    std::int64_t queued = 0;
    for (const Stats* stats : core_.ops.cores()) {
        for (const base::Gauge& kind : stats->memory) accounted += kind.value();
        queued += stats->queued_bytes.value();
    }
    const std::uint64_t limit = core_.config.memory_limit;
    const std::uint64_t bytes = in_use(accounted, state.resident.load(std::memory_order_relaxed));
    const double level = memory_level(bytes, limit);
    peak_ = std::max(peak_, level);
    if (const bool is_short = level >= kShort; is_short != short_) {
        short_ = is_short;
        base::free_at_once(is_short);
    }
    const MemoryJudge::Verdict verdict = judge_.look(level, core_.now);
    state.stage.store(verdict.stage, std::memory_order_relaxed);
    tell(bytes);
    if (verdict.cut == 0) return;
    const double owed = std::max<double>(static_cast<double>(queued), 1);
    const double part = std::clamp(verdict.cut * static_cast<double>(limit) / owed, 0.0, 1.0);
    const std::uint64_t rounds = (state.cut.load(std::memory_order_relaxed) >> 32) + 1;
    state.cut.store(rounds << 32 | static_cast<std::uint32_t>(part * 1000), std::memory_order_relaxed);
}

/// A line for what is withheld now, if it is not what was told last. At the limit stages may come and go many times a second.
void MemoryGuard::tell(std::uint64_t bytes) {
    if (stage() == told_ || !lines_.admit(core_.now)) return;
    told_ = stage();
    base::log::warn(
        base::concat("memory: ", bytes / kMiB, " MiB of ", core_.config.memory_limit / kMiB, ": ", told(told_)));
}

/// The larger of what is accounted for and what is resident; since that was read it has changed as much as the accounts.
std::uint64_t MemoryGuard::in_use(std::int64_t accounted, std::uint64_t resident) {
    if (resident != resident_seen_) {
        resident_seen_ = resident;
        accounted_then_ = accounted;
        // Much that is resident is nobody's: allocators keep it until they are asked.
        const std::uint64_t used = static_cast<std::uint64_t>(std::max<std::int64_t>(accounted, 0));
        const std::uint64_t limit = core_.config.memory_limit;
        if (limit != 0 && resident > used && (active() || (resident > limit / 2 && resident > used + used / 4)))
            core_.quotas.memory.tidy.fetch_add(1, std::memory_order_relaxed);
    }
    const std::int64_t now = static_cast<std::int64_t>(resident_seen_) + accounted - accounted_then_;
    return static_cast<std::uint64_t>(std::max<std::int64_t>({accounted, now, 0}));
}

/// Closes the clients with the largest backlogs until `permille` of what waits here is let go. Walks all clients, which an
/// overload may cost.
void MemoryGuard::cut(std::uint32_t permille) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> backlogs;  // bytes, client
    core_.clients.for_each([&](std::uint32_t, const Client& client) {
        if (client.out == nullptr || client.state != ClientState::open || !counts_as_client(client.kind)) return;
        backlogs.emplace_back(client.out->bytes(), client.id);
    });
    std::ranges::sort(backlogs, std::greater{});
    std::vector<std::uint64_t> bytes(backlogs.size());
    std::ranges::transform(backlogs, bytes.begin(), [](const auto& backlog) { return backlog.first; });
    backlogs.resize(backlogs_to_cut(bytes, permille, core_.config.memory_limit));
    for (const auto& [owed, id] : backlogs)
        if (Client* client = core_.find(id)) core_.life.cut_backlog(*client);
}

}  // namespace spillway::server
