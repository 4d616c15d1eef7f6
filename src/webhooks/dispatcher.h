// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// From notices to POSTs: what waits for a return or for its turn, which webhooks want it, and whose turn it is to be sent.
// A webhook that fails or hangs has a queue and a share of the POSTs of its own, so it holds up no other.
//
// Pure: time and random numbers are arguments, what is to be sent is a value. Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <spillway/config.h>

#include "base/clock.h"
#include "crypto/random.h"
#include "webhooks/delivery.h"
#include "webhooks/notice.h"
#include "webhooks/pacing.h"
#include "webhooks/return_window.h"
#include "webhooks/tally.h"
#include "webhooks/timing.h"

namespace spillway::webhooks {

/// One POST to make. The views and the reference hold until it is finished or the configuration changes.
struct Outgoing {
    std::uint64_t id = 0;
    const WebhookConfig& webhook;
    std::string_view key;  // X-Pusher-Key
    std::string signature;
    std::string_view body;
};

class Dispatcher {
public:
    Dispatcher(const Timing& timing, Tally& tally, crypto::Random& random);

    /// The apps in force, by their index. Webhooks that stay as they were keep what waits for them; what waits for others
    /// is counted as unsent.
    void configure(const std::vector<AppConfig>& apps);

    void take(std::unique_ptr<Notice> notice, base::Instant now);
    /// What waited long enough goes into the queues. Before next().
    void advance(base::Instant now);
    /// A POST that can be made now, or none. `unix_ms` is the wall clock for time_ms.
    [[nodiscard]] std::optional<Outgoing> next(base::Instant now, std::int64_t unix_ms);

    /// What a webhook's state became by an answer, for the log.
    struct Change {
        enum class To : std::uint8_t { same, failing, well };
        To to = To::same;
        std::string_view url;
    };
    Change finished(std::uint64_t id, Answer answer, base::Instant now);

    /// The server ends: nobody can return to it, so nothing waits any more but for its receiver.
    void hurry(base::Instant now);
    /// What is left counts as unsent. Returns how many events that were.
    std::uint64_t abandon();

    /// When there is something to do, as far as only time is missing.
    [[nodiscard]] std::optional<base::Instant> due() const;
    /// Nothing waits anywhere.
    [[nodiscard]] bool idle() const;

    void check_invariants() const;

private:
    struct Hook {
        Hook(const WebhookConfig& webhook, const AppConfig& of, const Timing& timing, Tally& tally);
        WebhookConfig config;
        std::string app_id;
        std::string key;
        std::string secret;
        Delivery delivery;
    };
    struct UnderWay {
        Hook* hook = nullptr;
        std::unique_ptr<Delivery::Post> post;
    };

    void offer(std::unique_ptr<Notice> notice, base::Instant now);
    [[nodiscard]] std::unique_ptr<Hook> reuse(const AppConfig& app, const WebhookConfig& webhook);
    void abandon(Hook& hook);
    void show_held();

    const Timing timing_;
    Tally& tally_;
    crypto::Random& random_;
    ReturnWindow returns_;
    Pacing counts_;
    Pacing misses_;
    std::vector<std::vector<std::unique_ptr<Hook>>> by_app_;
    std::vector<Hook*> hooks_;  // all of them
    std::size_t first_ = 0;     // whose turn it is among them
    std::map<std::uint64_t, UnderWay> under_way_;
    std::uint64_t posts_ = 0;
};

}  // namespace spillway::webhooks
