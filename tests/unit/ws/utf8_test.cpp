// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "ws/utf8.h"

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include <catch2/catch_test_macros.hpp>

namespace {

bool valid(std::string_view text) {
    return spillway::ws::is_valid_utf8(std::as_bytes(std::span(text.data(), text.size())));
}

std::string encode(std::uint32_t code_point, int length) {
    const auto tail = [code_point](int shift) { return static_cast<char>(0x80 | ((code_point >> shift) & 0x3F)); };
    switch (length) {
        case 1: return {static_cast<char>(code_point)};
        case 2: return {static_cast<char>(0xC0 | (code_point >> 6)), tail(0)};
        case 3: return {static_cast<char>(0xE0 | (code_point >> 12)), tail(6), tail(0)};
        default: return {static_cast<char>(0xF0 | (code_point >> 18)), tail(12), tail(6), tail(0)};
    }
}

int shortest(std::uint32_t code_point) {
    return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

/// The definition, read literally: decode, then ask whether that is what encoding gives.
bool valid_by_definition(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto first = static_cast<unsigned char>(text[at]);
        const int length = first < 0x80         ? 1
                           : (first >> 5) == 6  ? 2
                           : (first >> 4) == 14 ? 3
                           : (first >> 3) == 30 ? 4
                                                : 0;
        if (length == 0 || text.size() - at < static_cast<std::size_t>(length)) return false;
        std::uint32_t code_point = length == 1 ? first : first & (0x7FU >> length);
        for (int i = 1; i < length; ++i) {
            code_point =
                (code_point << 6) | (static_cast<unsigned char>(text[at + static_cast<std::size_t>(i)]) & 0x3FU);
        }
        if (shortest(code_point) != length || code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
            return false;
        if (text.substr(at, static_cast<std::size_t>(length)) != encode(code_point, length)) return false;
        at += static_cast<std::size_t>(length);
    }
    return true;
}

}  // namespace

TEST_CASE("every code point in its shortest form is valid, surrogates are not, longer forms are not") {
    std::size_t wrong = 0;
    for (std::uint32_t code_point = 0; code_point <= 0x1FFFFF; ++code_point) {
        const bool scalar = code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF);
        wrong += valid(encode(code_point, shortest(code_point))) != scalar;
        for (int longer = shortest(code_point) + 1; longer <= 4; ++longer) wrong += valid(encode(code_point, longer));
    }
    CHECK(wrong == 0);
}

TEST_CASE("a character cut off, at every place of an eight-byte step") {
    for (std::size_t before = 0; before < 20; ++before) {
        for (const std::string_view whole : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
            const std::string text = std::string(before, 'a') + std::string(whole);
            CHECK(valid(text));
            CHECK(valid(text + "bcdefghijkl"));
            for (std::size_t cut = 1; cut < whole.size(); ++cut) {
                CHECK_FALSE(valid(text.substr(0, text.size() - cut)));
                CHECK_FALSE(valid(text.substr(0, text.size() - cut) + "a"));
            }
        }
    }
}

TEST_CASE("three hundred thousand random texts are judged as the definition judges them") {
    std::mt19937 random(6455);
    const std::string_view alphabet(
        "\x00\x41\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xE1\xEC\xED\xEF\xF0\xF1\xF4\xF5\xFF", 23);
    std::size_t wrong = 0;
    std::size_t good = 0;
    for (int i = 0; i < 300'000; ++i) {
        std::string text(random() % 12, 'x');
        for (char& c : text) c = random() % 3 == 0 ? 'a' : alphabet[random() % alphabet.size()];
        wrong += valid(text) != valid_by_definition(text);
        good += valid(text);
    }
    CHECK(wrong == 0);
    CHECK(good > 10'000);
}
