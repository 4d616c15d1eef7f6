// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/return_window.h"

#include <utility>

#include "base/assert.h"
#include "base/format.h"

namespace spillway::webhooks {
namespace {

/// Channel and user as one text: names of channels hold no blank.
std::string subject_of(const Notice& notice) {
    return base::concat(notice.app, ' ', notice.channel, ' ', notice.user_id);
}

bool is_departure(WebhookEvent what) {
    return what == WebhookEvent::channel_vacated || what == WebhookEvent::member_removed;
}

}  // namespace

ReturnWindow::Verdict ReturnWindow::take(std::unique_ptr<Notice>& notice, base::Instant now) {
    std::string subject = subject_of(*notice);
    const auto found = by_subject_.find(subject);
    if (is_departure(notice->what)) {
        // A second departure without a return between them: some notice was lost on the way. Once is enough.
        if (found != by_subject_.end()) {
            notice.reset();
            return Verdict::returns;
        }
        if (wait_ == base::Duration::zero()) return Verdict::passes;
        by_subject_.emplace(subject, gone_ + waiting_.size());
        waiting_.push_back({std::move(subject), std::move(notice), now});
        return Verdict::waits;
    }
    if (found == by_subject_.end()) return Verdict::passes;
    waiting_[found->second - gone_].notice.reset();
    by_subject_.erase(found);
    notice.reset();
    forget_returned();
    return Verdict::returns;
}

std::unique_ptr<Notice> ReturnWindow::release(base::Instant now) {
    if (waiting_.empty()) return nullptr;
    Departure& oldest = waiting_.front();
    if (by_subject_.size() <= most_ && now < oldest.left + wait_) return nullptr;
    by_subject_.erase(oldest.subject);
    std::unique_ptr<Notice> notice = std::move(oldest.notice);
    forget_returned();
    return notice;
}

std::optional<base::Instant> ReturnWindow::due() const {
    if (waiting_.empty()) return std::nullopt;
    return by_subject_.size() > most_ ? waiting_.front().left : waiting_.front().left + wait_;
}

void ReturnWindow::forget_returned() {
    while (!waiting_.empty() && waiting_.front().notice == nullptr) {
        waiting_.pop_front();
        ++gone_;
    }
    SPILLWAY_ASSERT(waiting_.empty() == by_subject_.empty());
}

}  // namespace spillway::webhooks
