// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/pacing.h"

#include <utility>

#include "base/format.h"

namespace spillway::webhooks {
namespace {

std::string subject_of(const Notice& notice) { return base::concat(notice.app, ' ', notice.channel); }

}  // namespace

Pacing::Verdict Pacing::take(std::unique_ptr<Notice>& notice, base::Instant now) {
    std::string subject = subject_of(*notice);
    const auto found = paced_.find(subject);
    if (found == paced_.end()) {
        if (paced_.size() < most_ && every_ != base::Duration::zero()) {
            paced_.emplace(subject, nullptr);
            turns_.push_back({std::move(subject), now});
        }
        return Verdict::passes;
    }
    if (too_soon_ == TooSoon::forget) {
        notice.reset();
        return Verdict::merges;
    }
    const Verdict verdict = found->second == nullptr ? Verdict::waits : Verdict::merges;
    found->second = std::move(notice);
    return verdict;
}

bool Pacing::supersede(const Notice& by) {
    const auto found = paced_.find(subject_of(by));
    if (found == paced_.end() || found->second == nullptr) return false;
    found->second.reset();
    return true;
}

std::unique_ptr<Notice> Pacing::release(base::Instant now) {
    while (!turns_.empty() && now >= turns_.front().told + every_) {
        Turn turn = std::move(turns_.front());
        turns_.pop_front();
        const auto found = paced_.find(turn.subject);
        std::unique_ptr<Notice> notice = std::move(found->second);
        if (notice == nullptr || every_ == base::Duration::zero()) {
            paced_.erase(found);
        } else {
            turn.told = now;
            turns_.push_back(std::move(turn));
        }
        if (notice != nullptr) return notice;
    }
    return nullptr;
}

std::optional<base::Instant> Pacing::due() const {
    if (turns_.empty()) return std::nullopt;
    return turns_.front().told + every_;
}

}  // namespace spillway::webhooks
