// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0

#include "search.h"

#include <cmath>

namespace spillway::load {
namespace {

constexpr double kUp = 1.5;
constexpr double kFarthest = 1000;

}  // namespace

Search::Search(double first, double precision) : first_(first), precision_(precision), next_(first) {}

bool Search::done() const {
    if (best_ > 0 && failed_ > 0 && failed_ <= best_ * precision_) return true;
    return failed_ > 0 && best_ == 0 ? next_ < first_ / kFarthest : next_ > first_ * kFarthest;
}

void Search::tell(bool kept) {
    if (kept) best_ = next_;
    else failed_ = next_;
    if (failed_ == 0) next_ = best_ * kUp;
    else if (best_ == 0) next_ = failed_ / kUp;
    else next_ = std::sqrt(best_ * failed_);
}

}  // namespace spillway::load
