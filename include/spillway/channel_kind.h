// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a channel is by its name's prefix, each channel exactly one: a presence-cache- channel is a cache channel, a
// private-encrypted- one is encrypted. The values of the `kind` label in the metrics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spillway {

enum class ChannelKind : std::uint8_t { public_channel, private_channel, encrypted, presence, cache, user };
inline constexpr std::size_t kChannelKinds = 6;

[[nodiscard]] constexpr std::string_view to_string(ChannelKind k) {
    constexpr std::string_view names[kChannelKinds] = {"public", "private", "encrypted", "presence", "cache", "user"};
    return names[static_cast<std::size_t>(k)];
}

}  // namespace spillway
