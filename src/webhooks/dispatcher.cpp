// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "webhooks/payload.h"

namespace spillway::webhooks {

Dispatcher::Hook::Hook(const WebhookConfig& webhook, const AppConfig& of, const Timing& timing, Tally& tally)
    : config(webhook),
      app_id(of.id),
      key(of.key),
      secret(of.secret),
      delivery(
          timing,
          [&] {
              Delivery::Limits limits;
              limits.events_max = webhook.queue_events;
              limits.batch = webhook.batch;
              return limits;
          }(),
          tally) {}

Dispatcher::Dispatcher(const Timing& timing, Tally& tally, crypto::Random& random)
    : timing_(timing),
      tally_(tally),
      random_(random),
      returns_(timing.return_wait, kHeldMax),
      counts_(timing.count_every, kHeldMax, Pacing::TooSoon::keep_last),
      misses_(timing.miss_quiet, kHeldMax, Pacing::TooSoon::forget) {}

// ---- configuration

void Dispatcher::configure(const std::vector<AppConfig>& apps) {
    std::vector<std::vector<std::unique_ptr<Hook>>> by_app(apps.size());
    for (std::size_t i = 0; i < apps.size(); ++i)
        for (const WebhookConfig& webhook : apps[i].webhooks) {
            auto hook = reuse(apps[i], webhook);
            if (hook == nullptr) hook = std::make_unique<Hook>(webhook, apps[i], timing_, tally_);
            hook->key = apps[i].key;
            hook->secret = apps[i].secret;
            by_app[i].push_back(std::move(hook));
        }
    for (auto& left : by_app_)
        for (auto& hook : left)
            if (hook != nullptr) abandon(*hook);
    by_app_ = std::move(by_app);
    hooks_.clear();
    for (const auto& of_app : by_app_)
        for (const auto& hook : of_app) hooks_.push_back(hook.get());
}

std::unique_ptr<Dispatcher::Hook> Dispatcher::reuse(const AppConfig& app, const WebhookConfig& webhook) {
    for (auto& of_app : by_app_)
        for (auto& hook : of_app)
            if (hook != nullptr && hook->app_id == app.id && hook->config == webhook) return std::move(hook);
    return nullptr;
}

void Dispatcher::abandon(Hook& hook) {
    hook.delivery.abandon();
    std::erase_if(under_way_, [&](const auto& entry) { return entry.second.hook == &hook; });
}

// ---- in

void Dispatcher::take(std::unique_ptr<Notice> notice, base::Instant now) {
    switch (notice->what) {
        case WebhookEvent::channel_occupied:
        case WebhookEvent::channel_vacated:
        case WebhookEvent::member_added:
        case WebhookEvent::member_removed:
            switch (returns_.take(notice, now)) {
                case ReturnWindow::Verdict::passes: break;
                case ReturnWindow::Verdict::waits: return show_held();
                case ReturnWindow::Verdict::returns: tally_.count(Fate::returned, 2); return show_held();
            }
            break;
        case WebhookEvent::subscription_count:
            if (notice->count <= kCountAtOnce) {
                if (counts_.supersede(*notice)) tally_.count(Fate::merged);
            } else if (const auto verdict = counts_.take(notice, now); verdict != Pacing::Verdict::passes) {
                if (verdict == Pacing::Verdict::merges) tally_.count(Fate::merged);
                return;
            }
            break;
        case WebhookEvent::cache_miss:
            static_cast<void>(misses_.release(now));  // forgets those whose time is over; it keeps nothing
            if (misses_.take(notice, now) != Pacing::Verdict::passes) return tally_.count(Fate::merged);
            break;
        case WebhookEvent::client_event: break;
    }
    offer(std::move(notice), now);
}

void Dispatcher::offer(std::unique_ptr<Notice> notice, base::Instant now) {
    if (notice->app >= by_app_.size()) return;  // of an app that came after the configuration known here
    const SharedNotice shared = std::move(notice);
    for (const auto& hook : by_app_[shared->app])
        if (hook->config.events.has(shared->what) && shared->channel.starts_with(hook->config.channel_prefix))
            hook->delivery.push(shared, now);
}

void Dispatcher::advance(base::Instant now) {
    while (auto notice = returns_.release(now)) offer(std::move(notice), now);
    while (auto notice = counts_.release(now)) offer(std::move(notice), now);
    static_cast<void>(misses_.release(now));
    show_held();
}

void Dispatcher::show_held() { tally_.held.set(static_cast<std::int64_t>(returns_.size())); }

// ---- out

std::optional<Outgoing> Dispatcher::next(base::Instant now, std::int64_t unix_ms) {
    for (std::size_t i = 0; i < hooks_.size(); ++i) {
        Hook& hook = *hooks_[(first_ + i) % hooks_.size()];
        if (hook.delivery.events() == 0) continue;
        auto post = hook.delivery.next(now);
        if (post == nullptr) continue;
        first_ = (first_ + i + 1) % hooks_.size();
        const std::string& body = post->body(timing_, now, unix_ms);
        const std::uint64_t id = ++posts_;
        under_way_.emplace(id, UnderWay{&hook, std::move(post)});
        return Outgoing{id, hook.config, hook.key, signature(hook.secret, body), body};
    }
    return std::nullopt;
}

Dispatcher::Change Dispatcher::finished(std::uint64_t id, Answer answer, base::Instant now) {
    tally_.posts[static_cast<std::size_t>(answer)].add();
    const auto found = under_way_.find(id);
    if (found == under_way_.end()) return {};  // its webhook is no more
    Hook& hook = *found->second.hook;
    std::unique_ptr<Delivery::Post> post = std::move(found->second.post);
    under_way_.erase(found);
    const bool was_failing = hook.delivery.failing();
    if (answer == Answer::ok) {
        hook.delivery.delivered(std::move(post), now);
        return {was_failing ? Change::To::well : Change::To::same, hook.config.url};
    }
    hook.delivery.failed(std::move(post), now, random_.next());
    return {was_failing ? Change::To::same : Change::To::failing, hook.config.url};
}

// ---- the end

void Dispatcher::hurry(base::Instant now) {
    returns_.end_waiting();
    counts_.end_waiting();
    misses_.end_waiting();
    for (Hook* hook : hooks_) hook->delivery.hurry(now);
}

std::uint64_t Dispatcher::abandon() {
    const std::uint64_t before = tally_.of(Fate::unsent);
    for (Hook* hook : hooks_) abandon(*hook);
    by_app_.clear();
    hooks_.clear();
    return tally_.of(Fate::unsent) - before;
}

std::optional<base::Instant> Dispatcher::due() const {
    std::optional<base::Instant> due;
    const auto consider = [&](std::optional<base::Instant> when) {
        if (when && (!due || *when < *due)) due = when;
    };
    consider(returns_.due());
    consider(counts_.due());
    consider(misses_.due());
    for (const Hook* hook : hooks_)
        if (hook->delivery.events() != 0) consider(hook->delivery.due());
    return due;
}

bool Dispatcher::idle() const {
    return returns_.size() == 0 && std::ranges::all_of(hooks_, [](const Hook* h) { return h->delivery.events() == 0; });
}

void Dispatcher::check_invariants() const {
    for (const Hook* hook : hooks_) hook->delivery.check_invariants();
    for (const auto& [id, sent] : under_way_) SPILLWAY_ASSERT(sent.post != nullptr && id <= posts_);
}

}  // namespace spillway::webhooks
