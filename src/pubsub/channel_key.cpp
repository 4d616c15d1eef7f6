// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/channel_key.h"

#include <xxhash.h>

namespace spillway::pubsub {

std::uint64_t channel_hash(AppIndex app, std::string_view name) {
    return XXH3_64bits_withSeed(name.data(), name.size(), app);
}

std::uint64_t event_hash(std::string_view event) { return XXH3_64bits(event.data(), event.size()) | 1; }

}  // namespace spillway::pubsub
