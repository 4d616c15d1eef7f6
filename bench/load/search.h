// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Which rate to try next, when the question is the highest that is kept: up by half until one fails, then between the
// best kept and the least failed, by their geometric mean, until they are close.
#pragma once

#include <cstdint>

namespace spillway::load {

class Search {
public:
    /// Begins at `first`; ends when the least failed is at most `precision` (> 1) times the best kept, or when even
    /// 1/1000 of `first` fails, or 1000 times it is kept.
    Search(double first, double precision);

    [[nodiscard]] bool done() const;
    [[nodiscard]] double next() const { return next_; }

    /// What became of next().
    void tell(bool kept);

    /// 0: none was kept.
    [[nodiscard]] double best() const { return best_; }

private:
    double first_;
    double precision_;
    double next_;
    double best_ = 0;
    double failed_ = 0;  // 0: none has yet
};

}  // namespace spillway::load
