// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// RFC 3629, for what is at hand as a whole: close reasons and messages that came in one piece.
#pragma once

#include <cstddef>
#include <span>

namespace spillway::ws {

/// No overlong forms, no surrogates, nothing above U+10FFFF, nothing cut off at the end.
[[nodiscard]] bool is_valid_utf8(std::span<const std::byte> text) noexcept;

}  // namespace spillway::ws
