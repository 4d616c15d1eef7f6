// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The names by which parts of Spillway refer to each other. Others hold an id, never a pointer across a loop turn: a
// stale id is detected by its generation, not followed.
#pragma once

#include <compare>
#include <cstdint>

namespace spillway {

/// One reactor core: 0-based index, equal to its place in the mesh. At most kCoresMax (limits.h).
using CoreId = std::uint8_t;

/// Index of an app in the AppTable in force.
using AppIndex = std::uint16_t;

/// A client: which core owns it, which slot there, and which life of that slot. Packs into 64 bits
/// (core 8, generation 24, slot 32); the generation starts at 1, so the packed value 0 names nobody.
struct ClientId {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;  // 24 bits used
    CoreId core = 0;

    static constexpr std::uint32_t kGenerationMask = 0xFFFFFF;

    [[nodiscard]] constexpr bool is_none() const { return generation == 0; }
    [[nodiscard]] constexpr std::uint64_t packed() const {
        return (std::uint64_t{core} << 56) | (std::uint64_t{generation & kGenerationMask} << 32) | slot;
    }
    [[nodiscard]] static constexpr ClientId unpack(std::uint64_t v) {
        return {static_cast<std::uint32_t>(v), static_cast<std::uint32_t>(v >> 32) & kGenerationMask,
                static_cast<CoreId>(v >> 56)};
    }
    friend constexpr auto operator<=>(const ClientId&, const ClientId&) = default;
};
static_assert(sizeof(ClientId) <= 16);

/// A channel as one core knows it locally (its own subscribers): slot and life of the slot.
struct LocalChannelId {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;  // 0 names no channel
    [[nodiscard]] constexpr bool is_none() const { return generation == 0; }
    friend constexpr auto operator<=>(const LocalChannelId&, const LocalChannelId&) = default;
};
static_assert(sizeof(LocalChannelId) == 8);

}  // namespace spillway
