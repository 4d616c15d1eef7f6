// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/background.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/format.h"
#include "webhooks/address_rule.h"
#include "webhooks/url.h"

namespace spillway::server {
namespace {

using base::concat;
namespace log = base::log;
using webhooks::Answer;
using webhooks::Fate;

/// It looks at least this often, so that an order or a wake-up that got lost costs no more.
constexpr std::chrono::seconds kRestMax{1};
constexpr std::chrono::seconds kLinesEvery{10};
constexpr std::size_t kLinesMax = 1024;

Answer answer_of(const io::HttpOutcome& outcome) {
    switch (outcome.kind) {
        case io::HttpOutcome::Kind::answered:
            return outcome.status >= 200 && outcome.status < 300 ? Answer::ok : Answer::status;
        case io::HttpOutcome::Kind::timeout: return Answer::timeout;
        case io::HttpOutcome::Kind::refused: return Answer::refused;
        case io::HttpOutcome::Kind::failed: break;
    }
    return Answer::failed;
}

/// By index, those that are gone included: their last clients still leave channels.
std::vector<AppConfig> apps_of(const Snapshot& settings) {
    std::vector<AppConfig> apps;
    apps.reserve(settings.apps.size());
    for (std::size_t i = 0; i < settings.apps.size(); ++i) apps.push_back(settings.apps[static_cast<AppIndex>(i)]);
    return apps;
}

}  // namespace

Background::Background(std::size_t cores, const base::Clock& clock)
    : clock_(clock), rings_(cores), dispatcher_(webhooks::Timing{}, tally_, random_), loss_lines_(kLinesEvery) {}

Background::~Background() {
    if (!thread_.joinable()) return;
    if (!finished()) finish(clock_.now());
    thread_.join();
}

base::Result<void> Background::start(const std::shared_ptr<const Snapshot>& settings, std::string user_agent) {
    auto http = io::HttpClient::create(webhooks::is_public_address, std::move(user_agent));
    if (!http) return base::fail(concat("webhooks cannot be sent: ", http.error()));
    http_ = std::move(*http);
    rings_.set_waker([this] { http_->wake(); });
    dispatcher_.configure(apps_of(*settings));
    thread_ = std::thread([this] { run(); });
    return {};
}

// ---- orders of the control thread

void Background::configure(std::shared_ptr<const Snapshot> settings) {
    const std::lock_guard lock(orders_);
    wanted_settings_ = std::move(settings);
    ordered_.store(true, std::memory_order_release);
    http_->wake();
}

void Background::hurry() {
    const std::lock_guard lock(orders_);
    wanted_hurry_ = true;
    ordered_.store(true, std::memory_order_release);
    http_->wake();
}

void Background::finish(base::Instant deadline) {
    const std::lock_guard lock(orders_);
    wanted_end_ = deadline;
    ordered_.store(true, std::memory_order_release);
    http_->wake();
}

void Background::take_orders(base::Instant now) {
    if (!ordered_.load(std::memory_order_acquire)) return;
    const std::lock_guard lock(orders_);
    ordered_.store(false, std::memory_order_relaxed);
    if (wanted_settings_ != nullptr) dispatcher_.configure(apps_of(*wanted_settings_));
    wanted_settings_.reset();
    if (wanted_hurry_ || wanted_end_) dispatcher_.hurry(now);
    wanted_hurry_ = false;
    if (wanted_end_) deadline_ = wanted_end_;
}

// ---- the thread

void Background::run() {
    while (true) {
        const base::Instant now = clock_.now();
        take_orders(now);
        take_notices(now);
        dispatcher_.advance(now);
        take_answers(now);
        send(now);
        report_losses(now);
        if (at_end(now)) break;
        if (ordered_.load(std::memory_order_acquire) || !rings_.may_sleep()) {
            http_->wait(base::Duration::zero());
            continue;
        }
        http_->wait(rest(now));
        rings_.awake();
    }
    const std::uint64_t left = dispatcher_.abandon();
    if (left != 0) log::warn(concat(left, " webhook events were not delivered before the end"));
    finished_.store(true, std::memory_order_release);
}

void Background::take_notices(base::Instant now) {
    rings_.drain([&](std::unique_ptr<webhooks::Notice> notice) { dispatcher_.take(std::move(notice), now); });
}

void Background::take_answers(base::Instant now) {
    for (const io::HttpOutcome& outcome : http_->take()) answered(outcome, now);
}

void Background::send(base::Instant now) {
    while (http_->under_way() < kPostsMax) {
        const auto post = dispatcher_.next(now, clock_.unix_milliseconds());
        if (!post) return;
        io::HttpPost request;
        request.id = post->id;
        request.url = post->webhook.url;
        request.headers = post->webhook.headers;
        request.headers.emplace_back("Content-Type: application/json");
        request.headers.push_back(concat("X-Pusher-Key: ", post->key));
        request.headers.push_back(concat("X-Pusher-Signature: ", post->signature));
        request.body = post->body;
        request.timeout = post->webhook.timeout;
        request.public_only = !post->webhook.allow_private_network;
        http_->start(std::move(request));
    }
}

void Background::answered(const io::HttpOutcome& outcome, base::Instant now) {
    const auto change = dispatcher_.finished(outcome.id, answer_of(outcome), now);
    if (change.to == webhooks::Dispatcher::Change::To::same) return;
    const std::string url = webhooks::shown_url(change.url);
    if (lines_.size() >= kLinesMax) lines_.clear();
    auto& line = lines_.try_emplace(url, kLinesEvery).first->second;
    if (change.to == webhooks::Dispatcher::Change::To::well)
        return log::write_throttled(line, now, log::Level::info,
                                    [&] { return concat("webhook ", url, " works again"); });
    log::write_throttled(line, now, log::Level::warn, [&] {
        const std::string reason = outcome.kind == io::HttpOutcome::Kind::answered
                                       ? concat("it answered ", outcome.status)
                                       : log::escaped(outcome.reason);
        return concat("webhook ", url, " fails, what is for it is tried again for 5 minutes: ", reason);
    });
}

void Background::report_losses(base::Instant now) {
    const std::uint64_t losses = tally_.of(Fate::dropped) + tally_.of(Fate::expired);
    if (losses == losses_told_) return;
    const std::uint64_t more = losses - losses_told_;
    if (!loss_lines_.admit(now)) return;
    losses_told_ = losses;
    log::warn(
        concat(more, " webhook events were given up: a queue was full, or a receiver took nothing for 5 minutes"));
}

bool Background::at_end(base::Instant now) {
    if (!deadline_) return false;
    return now >= *deadline_ || (dispatcher_.idle() && http_->under_way() == 0 && rings_.empty());
}

base::Duration Background::rest(base::Instant now) const {
    base::Duration rest = kRestMax;
    // With every place taken, only an answer makes room for what is due.
    if (const auto due = dispatcher_.due(); due && http_->under_way() < kPostsMax)
        rest = std::min(rest, std::max(*due - now, base::Duration::zero()));
    if (deadline_) rest = std::min(rest, std::max(*deadline_ - now, base::Duration::zero()));
    return rest;
}

}  // namespace spillway::server
