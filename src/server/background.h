// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The thread for what blocks: it reads the cores' notices, makes webhooks of them and sends them. No core waits for it, and
// it touches nothing of a core's but the rings.
//
// Threads: start() to the end are the control thread's; the rest is said there.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "crypto/random.h"
#include "io/http_client.h"
#include "server/notice_rings.h"
#include "server/snapshot.h"
#include "webhooks/dispatcher.h"
#include "webhooks/tally.h"

namespace spillway::server {

class Background {
public:
    /// POSTs under way at the same time, over all webhooks; each takes a descriptor of those kept aside
    /// (descriptor_plan.h).
    static constexpr std::size_t kPostsMax = 32;

    Background(std::size_t cores, const base::Clock& clock);
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    /// What cores push into.
    [[nodiscard]] NoticeRings& rings() { return rings_; }
    [[nodiscard]] const webhooks::Tally& tally() const { return tally_; }

    /// Before the cores run. The result is why it cannot.
    [[nodiscard]] base::Result<void> start(const std::shared_ptr<const Snapshot>& settings, std::string user_agent);
    /// Takes these settings into force.
    void configure(std::shared_ptr<const Snapshot> settings);

    /// The server drains: what waits for a return or a retry is sent now.
    void hurry();
    /// No core will push any more: sends what is left until `deadline`, then ends.
    void finish(base::Instant deadline);
    /// Whether the thread has ended. After it, ~Background does not wait.
    [[nodiscard]] bool finished() const { return finished_.load(std::memory_order_acquire); }

private:
    void run();
    void take_orders(base::Instant now);
    void take_notices(base::Instant now);
    void take_answers(base::Instant now);
    void send(base::Instant now);
    void answered(const io::HttpOutcome& outcome, base::Instant now);
    [[nodiscard]] bool at_end(base::Instant now);
    [[nodiscard]] base::Duration rest(base::Instant now) const;
    void report_losses(base::Instant now);

    // Fixed after start().
    const base::Clock& clock_;
    NoticeRings rings_;
    std::unique_ptr<io::HttpClient> http_;
    std::string user_agent_;

    // From the control thread, under the lock.
    std::mutex orders_;
    std::shared_ptr<const Snapshot> wanted_settings_;
    bool wanted_hurry_ = false;
    std::optional<base::Instant> wanted_end_;
    std::atomic<bool> ordered_{false};

    // The thread's own.
    crypto::SystemRandom random_;
    webhooks::Tally tally_;
    webhooks::Dispatcher dispatcher_;
    std::optional<base::Instant> deadline_;
    std::unordered_map<std::string, base::log::Throttle> lines_;  // by URL
    base::log::Throttle loss_lines_;
    std::uint64_t losses_told_ = 0;

    std::atomic<bool> finished_{false};
    std::thread thread_;
};

}  // namespace spillway::server
