// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How an operator writes single values, wherever they stand: durations, sizes, counts, addresses, lists of CPUs.
// Strict, because a value that is silently misread is found out under load; each refusal says what would have been
// right.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <spillway/config.h>

#include "base/result.h"

namespace spillway::server {

/// "30s", "500ms", "2m", "1h", or seconds without a unit; decimals down to a millisecond ("1.5s"). At most 365 days.
[[nodiscard]] base::Result<Milliseconds> parse_duration(std::string_view text);

/// "64KiB", "1MiB", "1GiB", "10kB", "2MB", "1GB", "512B", or bytes without a unit. Overflow is refused.
[[nodiscard]] base::Result<std::uint64_t> parse_size(std::string_view text);

/// A whole number in decimal, nothing else.
[[nodiscard]] base::Result<std::uint64_t> parse_count(std::string_view text);

/// "true" or "false".
[[nodiscard]] base::Result<bool> parse_switch(std::string_view text);

/// "drop-newest", "drop-oldest", "conflate", "disconnect" (or with `_`).
[[nodiscard]] base::Result<OverflowPolicy> parse_overflow(std::string_view text);

/// An IPv4 or IPv6 address as inet_pton takes it; "localhost" becomes 127.0.0.1, brackets round IPv6 are dropped. Other
/// names are refused: nothing is resolved.
[[nodiscard]] base::Result<std::string> parse_address(std::string_view text);

/// An absolute path for a Unix socket, short enough for the kernel.
[[nodiscard]] base::Result<std::string> parse_socket_path(std::string_view text);

/// Permissions in octal: "660", "0660".
[[nodiscard]] base::Result<std::uint32_t> parse_mode(std::string_view text);

/// Cores as "N" (how many) or "0,2,4" (which CPUs; a single one is written "3,").
struct CoreChoice {
    unsigned cores = 0;
    std::vector<unsigned> cpus;
};
[[nodiscard]] base::Result<CoreChoice> parse_cores(std::string_view text);

/// "/live": begins with a slash, does not end with one, holds only what may stand in a path unescaped. Empty or "/" is
/// none.
[[nodiscard]] base::Result<std::string> parse_path(std::string_view text);

/// The candidate that takes the fewest typing slips (one character changed, added, left out, or two swapped) to become
/// `name`; empty if there are no candidates.
[[nodiscard]] std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

/// ": did you mean 'port'?", or a weaker sentence if nothing is really near.
[[nodiscard]] std::string suggestion(std::string_view name, std::span<const std::string_view> candidates);

/// A size for people: "1MiB", "1500B".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace spillway::server
