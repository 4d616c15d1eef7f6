// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "ws/utf8.h"

#include <cstdint>
#include <cstring>

namespace spillway::ws {
namespace {

/// Length of the well-formed sequence at `p`, 0 if there is none. The second byte's range depends on the first
/// (RFC 3629 section 4); the others are 80..BF.
std::size_t sequence_length(const std::byte* p, std::size_t available) noexcept {
    const auto at = [p](std::size_t i) { return static_cast<unsigned>(p[i]); };
    const unsigned first = at(0);
    if (first < 0x80) return 1;

    std::size_t length = 0;
    unsigned low = 0x80;
    unsigned high = 0xBF;
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
        if (first == 0xE0) low = 0xA0;   // overlong
        if (first == 0xED) high = 0x9F;  // surrogates
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
        if (first == 0xF0) low = 0x90;   // overlong
        if (first == 0xF4) high = 0x8F;  // above U+10FFFF
    } else {
        return 0;
    }
    if (available < length || at(1) < low || at(1) > high) return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if ((at(i) & 0xC0) != 0x80) return 0;
    }
    return length;
}

}  // namespace

bool is_valid_utf8(std::span<const std::byte> text) noexcept {
    const std::byte* p = text.data();
    std::size_t left = text.size();
    while (left > 0) {
        if (left >= sizeof(std::uint64_t)) {
            std::uint64_t word = 0;
            std::memcpy(&word, p, sizeof word);
            if ((word & 0x8080808080808080U) == 0) {
                p += sizeof word;
                left -= sizeof word;
                continue;
            }
        }
        const std::size_t length = sequence_length(p, left);
        if (length == 0) return false;
        p += length;
        left -= length;
    }
    return true;
}

}  // namespace spillway::ws
