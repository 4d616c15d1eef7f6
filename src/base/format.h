// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Numbers appended to text, without locale, stream or temporary: for metrics pages, HTTP heads and messages to people.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace spillway::base {

/// Appends an integer in decimal.
template <std::integral I>
    requires(!std::same_as<I, bool> && !std::same_as<I, char>)
void append_number(std::string& text, I value) {
    char digits[24];  // a sign and the 20 digits of 2^64
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    text.append(digits, end);
}

/// Appends `value` with exactly `decimals` (0 to 9) digits after the point; "nan" and "inf" for what is no number.
inline void append_fixed(std::string& text, double value, int decimals) {
    char digits[340];  // the 309 digits of the largest double, sign, point, decimals
    const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, decimals).ptr;
    text.append(digits, end);
}

/// Appends a byte as two lower-case hexadecimal digits.
inline void append_hex(std::string& text, std::uint8_t byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += digits[byte >> 4];
    text += digits[byte & 15];
}

/// Appends all arguments one after another: text as it is, integers in decimal.
template <class... Parts>
void append(std::string& text, const Parts&... parts) {
    const auto one = [&text](const auto& part) {
        using P = std::remove_cvref_t<decltype(part)>;
        if constexpr (std::same_as<P, char>) {
            text += part;
        } else if constexpr (std::integral<P>) {
            append_number(text, part);
        } else {
            text += std::string_view(part);
        }
    };
    (one(parts), ...);
}

/// The same as a new string: `concat("port ", 6001, " is in use")`.
template <class... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
    std::string text;
    append(text, parts...);
    return text;
}

}  // namespace spillway::base
