// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/delivery.h"

#include <algorithm>

#include "base/assert.h"
#include "webhooks/payload.h"
#include "webhooks/retry.h"

namespace spillway::webhooks {
namespace {

/// Does the newer event make the older one, of the same channel and directly before it, superfluous?
bool says_the_same(const Notice& older, const Notice& newer) {
    return older.what == newer.what &&
           (newer.what == WebhookEvent::cache_miss || newer.what == WebhookEvent::subscription_count);
}

}  // namespace

const std::string& Delivery::Post::body(const Timing& timing, base::Instant now, std::int64_t unix_ms) {
    if (!body_.empty() && now - stamped_ < timing.stamp_good_for) return body_;
    body_.clear();
    begin_payload(body_, unix_ms);
    for (const Item& item : items_) append_event(body_, *item.notice);
    end_payload(body_);
    stamped_ = now;
    return body_;
}

void Delivery::push(const SharedNotice& notice, base::Instant now) {
    const auto found = lanes_.find(notice->channel);
    if (found != lanes_.end() && !found->second.waiting.empty()) {
        Item& last = found->second.waiting.back();
        if (says_the_same(*last.notice, *notice)) {
            last.notice = notice;  // as many bytes as before: the channel is the only text
            tally_.count(Fate::merged);
            return;
        }
    }
    if (events_ >= limits_.events_max || bytes_ + notice->bytes() > limits_.bytes_max) {
        tally_.count(Fate::dropped);
        return;
    }
    auto& entry = found != lanes_.end() ? *found : *lanes_.try_emplace(notice->channel).first;
    Lane& lane = entry.second;
    lane.waiting.push_back({notice, now, ++places_});
    ++events_;
    bytes_ += notice->bytes();
    tally_.queued_events.add();
    tally_.queued_bytes.add(static_cast<std::int64_t>(notice->bytes()));
    if (lane.listed) {
        ++ready_events_;
    } else if (!lane.held) {
        list(entry, now);
    }
}

std::unique_ptr<Delivery::Post> Delivery::next(base::Instant now) {
    if (!slot_free()) return nullptr;
    const auto ready = ready_due();
    const bool retry = !retries_.empty() && retries_.begin()->first.first <= now;
    if (retry && (!ready || retries_.begin()->first.first <= *ready)) {
        std::unique_ptr<Post> post = std::move(retries_.begin()->second);
        retries_.erase(retries_.begin());
        ++under_way_;
        return post;
    }
    if (!ready || *ready > now) return nullptr;
    return make_post(now);
}

std::unique_ptr<Delivery::Post> Delivery::make_post(base::Instant now) {
    auto post = std::make_unique<Post>();
    std::size_t bytes = 0;
    while (!ready_.empty() && fill_from(*ready_.front(), *post, bytes, now)) {
    }
    if (post->items_.empty()) return nullptr;
    // Lane after lane was emptied; the receiver gets what happened in the order in which it happened.
    std::ranges::sort(post->items_, {}, &Item::place);
    ++under_way_;
    return post;
}

/// Moves from the front lane what fits. False: the post is full.
bool Delivery::fill_from(Lanes::value_type& entry, Post& post, std::size_t& bytes, base::Instant now) {
    Lane& lane = entry.second;
    const std::size_t events_max = limits_.batch ? limits_.batch_events_max : 1;
    bool took = false;
    bool full = false;
    while (!lane.waiting.empty()) {
        Item& item = lane.waiting.front();
        if (item.entered + timing_.lifetime <= now) {
            forget(item, Fate::expired);
        } else {
            full = post.items_.size() >= events_max ||
                   (!post.items_.empty() && bytes + item.notice->bytes() > limits_.batch_bytes_max);
            if (full) break;
            bytes += item.notice->bytes();
            post.items_.push_back(std::move(item));
            took = true;
        }
        lane.waiting.pop_front();
        --ready_events_;
    }
    if (full && !took) return false;
    unlist_front();
    if (took) {
        lane.held = true;
        post.lanes_.push_back(&entry);
    } else {
        lanes_.erase(lanes_.find(entry.first));
    }
    return !full;
}

void Delivery::delivered(std::unique_ptr<Post> post, base::Instant now) {
    failing_ = false;
    --under_way_;
    for (const Item& item : post->items_) forget(item, Fate::delivered);
    release_lanes(*post, now);
}

void Delivery::failed(std::unique_ptr<Post> post, base::Instant now, std::uint64_t random) {
    failing_ = true;
    --under_way_;
    const std::size_t before = post->items_.size();
    base::Instant last{};
    std::erase_if(post->items_, [&](const Item& item) {
        const base::Instant end = item.entered + timing_.lifetime;
        if (end > now) {
            last = std::max(last, end);
            return false;
        }
        forget(item, Fate::expired);
        return true;
    });
    if (post->items_.empty()) return release_lanes(*post, now);
    if (post->items_.size() != before) post->body_.clear();
    // The last try is made when the time is over, not up to a minute before.
    const base::Instant due = std::min(now + retry_delay(timing_, ++post->failures_, random), last);
    const std::uint64_t place = post->items_.front().place;
    retries_.emplace(std::pair(due, place), std::move(post));
}

void Delivery::hurry(base::Instant now) {
    hurried_ = true;
    decltype(retries_) waiting;
    waiting.swap(retries_);
    for (auto& [when, post] : waiting)
        retries_.emplace(std::pair(std::min(when.first, now), when.second), std::move(post));
}

void Delivery::abandon() {
    tally_.count(Fate::unsent, events_);
    tally_.queued_events.subtract(static_cast<std::int64_t>(events_));
    tally_.queued_bytes.subtract(static_cast<std::int64_t>(bytes_));
    events_ = 0;
    bytes_ = 0;
}

void Delivery::forget(const Item& item, Fate fate) {
    --events_;
    bytes_ -= item.notice->bytes();
    tally_.queued_events.subtract();
    tally_.queued_bytes.subtract(static_cast<std::int64_t>(item.notice->bytes()));
    tally_.count(fate);
}

void Delivery::list(Lanes::value_type& entry, base::Instant now) {
    Lane& lane = entry.second;
    lane.listed = true;
    lane.ready = now;
    ready_events_ += lane.waiting.size();
    ready_.push_back(&entry);
}

void Delivery::unlist_front() {
    Lane& lane = ready_.front()->second;
    lane.listed = false;
    ready_events_ -= lane.waiting.size();
    ready_.pop_front();
}

void Delivery::release_lanes(Post& post, base::Instant now) {
    for (Lanes::value_type* entry : post.lanes_) {
        entry->second.held = false;
        if (entry->second.waiting.empty()) {
            lanes_.erase(lanes_.find(entry->first));
        } else {
            list(*entry, now);
        }
    }
}

std::optional<base::Instant> Delivery::ready_due() const {
    if (ready_.empty()) return std::nullopt;
    const base::Instant since = ready_.front()->second.ready;
    const bool gathers = limits_.batch && !hurried_ && ready_events_ < limits_.batch_events_max;
    return gathers ? since + timing_.batch_window : since;
}

std::optional<base::Instant> Delivery::due() const {
    if (!slot_free()) return std::nullopt;
    std::optional<base::Instant> due = ready_due();
    if (!retries_.empty() && (!due || retries_.begin()->first.first < *due)) due = retries_.begin()->first.first;
    return due;
}

void Delivery::check_invariants() const {
    std::size_t waiting = 0;
    std::size_t listed = 0;
    for (const auto& [channel, lane] : lanes_) {
        waiting += lane.waiting.size();
        listed += lane.listed ? lane.waiting.size() : 0;
        SPILLWAY_ASSERT(!(lane.held && lane.listed));
        SPILLWAY_ASSERT(lane.held || (lane.listed && !lane.waiting.empty()));
    }
    SPILLWAY_ASSERT(listed == ready_events_);
    SPILLWAY_ASSERT(waiting <= events_);
    SPILLWAY_ASSERT(events_ != 0 || (lanes_.empty() && bytes_ == 0));
    SPILLWAY_ASSERT(under_way_ <= limits_.posts_max);
}

}  // namespace spillway::webhooks
