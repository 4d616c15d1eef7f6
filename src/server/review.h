// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// After a reload: a core's clients looked at once more, some in each turn. Who belongs to an app that is not served any
// more is closed with 4003; the others' timers follow the new settings. Nobody else notices.
//
// Thread: the core.
#pragma once

#include <cstdint>

#include "server/client.h"

namespace spillway::server {

class Core;

class Review {
public:
    explicit Review(Core& core) : core_(core) {}

    /// Settings changed: whoever is here now is looked at, from the first on.
    void begin();
    /// Once per turn.
    void step();
    [[nodiscard]] bool active() const { return next_ < slots_; }

private:
    void look_at(Client& client);

    Core& core_;
    std::uint32_t slots_ = 0;  // to go through
    std::uint32_t next_ = 0;
};

}  // namespace spillway::server
