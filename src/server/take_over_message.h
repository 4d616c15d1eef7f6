// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a server and its successor say to each other while one takes the listening sockets over from the other. Versions of
// Spillway differ between the two, so it is text: lines of `key: value` behind a first line with the version of the
// language. Keys and uses of sockets that a reader does not know mean nothing to it; a language it does not know is refused.
//
//   successor: ask      predecessor: offer (with the sockets), or refused
//   successor: ready    predecessor: go, and it drains; or refused
//
// Pure: the records and their descriptors are io/descriptor_passing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace spillway::server {

/// Longest text of a message, and of one value in it (a path, a sentence).
inline constexpr std::size_t kTakeOverMessageMax = 8192;
inline constexpr std::size_t kTakeOverValueMax = 512;

enum class TakeOverStep : std::uint8_t { ask, offer, ready, go, refused };

/// What a socket is for. `successor`: where successors ask.
enum class SocketUse : std::uint8_t { main, metrics, local, successor };

struct TakeOverMessage {
    TakeOverStep step = TakeOverStep::ask;
    /// offer: of the descriptors that come with it, in their order, nothing for a use that is not known here. ready: those
    /// that are taken, each once.
    std::vector<std::optional<SocketUse>> sockets;
    std::uint64_t pid = 0;
    std::string version;
    std::string local_path;  // name of the Unix listener, if it is the predecessor's to give
    bool draining = false;   // refused: because it ends anyway
    std::string reason;      // refused: for people

    [[nodiscard]] bool names(SocketUse use) const;
    friend bool operator==(const TakeOverMessage&, const TakeOverMessage&) = default;
};

/// Values are cut to kTakeOverValueMax; what is not printable in them becomes '?'.
[[nodiscard]] std::string encode(const TakeOverMessage& message);
/// The failure is a sentence about the message.
[[nodiscard]] base::Result<TakeOverMessage> decode_take_over(std::string_view text);

}  // namespace spillway::server
