// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What the fuzz targets share.
#pragma once

#include <cstdlib>
#include <string_view>

namespace spillway::fuzz {

/// What must hold for every input; the fuzzer keeps the one for which it does not.
inline void require(bool condition) {
    if (!condition) std::abort();
}

/// The text up to the next line feed, or to its end; both are taken off.
[[nodiscard]] inline std::string_view take_line(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
    return line;
}

}  // namespace spillway::fuzz
