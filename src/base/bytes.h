// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Text as bytes and bytes as text, without a copy: the parsers speak string_view, the sockets and frames speak bytes,
// and the casts between them stand here and nowhere else.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace spillway::base {

/// The same memory as bytes; valid as long as the text is.
[[nodiscard]] inline std::span<const std::byte> as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// The same memory as characters, whatever they are (not checked to be UTF-8); valid as long as the bytes are.
[[nodiscard]] inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace spillway::base
