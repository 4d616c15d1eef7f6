// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The escaper is ours because every event passes through it; the library's reader is the judge.
#include "protocol/json_escape.h"

#include <random>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "protocol/json.h"

namespace protocol = spillway::protocol;

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    protocol::append_json_string(out, text);
    return out;
}

/// What a JSON reader makes of it.
std::string read_back(std::string_view json) {
    protocol::JsonArena arena;
    const auto value = arena.parse(json);
    REQUIRE(value);
    REQUIRE(value->is_string());
    return std::string(value->text());
}

void append_code_point(std::string& out, unsigned point) {
    const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
    if (point < 0x80) {
        put(point);
    } else if (point < 0x800) {
        put(0xC0 | point >> 6);
        put(0x80 | (point & 63));
    } else if (point < 0x10000) {
        put(0xE0 | point >> 12);
        put(0x80 | (point >> 6 & 63));
        put(0x80 | (point & 63));
    } else {
        put(0xF0 | point >> 18);
        put(0x80 | (point >> 12 & 63));
        put(0x80 | (point >> 6 & 63));
        put(0x80 | (point & 63));
    }
}

}  // namespace

TEST_CASE("plain text is only put in quotes") {
    CHECK(escaped("") == R"("")");
    CHECK(escaped("a") == R"("a")");
    CHECK(escaped("twelve bytes and then some more / \x7f") == "\"twelve bytes and then some more / \x7f\"");
    CHECK(escaped("größer 水 🌊") == "\"größer 水 🌊\"");
}

TEST_CASE("quotes, backslashes and control characters are escaped, nothing else") {
    CHECK(escaped(R"({"a":"b\n"})") == R"("{\"a\":\"b\\n\"}")");
    CHECK(escaped("\b\f\n\r\t") == R"("\b\f\n\r\t")");
    CHECK(escaped(std::string_view("\0\x01\x1f", 3)) == R"("\u0000\u0001\u001f")");
    for (unsigned byte = 0; byte < 0x80; ++byte) {
        const std::string text(1, static_cast<char>(byte));
        CAPTURE(byte);
        CHECK((escaped(text).size() > 3) == (byte < 0x20 || text == "\"" || text == "\\"));
        CHECK(read_back(escaped(text)) == text);
    }
}

TEST_CASE("an escape is right at every place of a word and of a block") {
    for (std::size_t size = 0; size < 40; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            for (const char special : {'"', '\\', '\n', '\0', '\x1f', ' ', '!', '[', ']', '\x7f'}) {
                std::string text(size, 'x');
                text[at] = special;
                REQUIRE(read_back(escaped(text)) == text);
            }
        }
    }
    for (std::size_t size = 500; size < 530; ++size) {
        const std::string worst(size, '\x01');
        CHECK(escaped(worst).size() == 2 + 6 * size);
        CHECK(read_back(escaped(worst)) == worst);
        CHECK(read_back(escaped(std::string(size, '"'))) == std::string(size, '"'));
    }
}

TEST_CASE("any text comes back as it was, and what was there before stays") {
    std::mt19937 random(7);
    const auto below = [&random](unsigned bound) { return static_cast<unsigned>(random() % bound); };
    for (int round = 0; round < 2000; ++round) {
        std::string text;
        const auto length = below(700);
        for (unsigned i = 0; i < length; ++i) {
            switch (below(6)) {
                case 0: append_code_point(text, below(0x20)); break;
                case 1: text += "\"\\"[below(2)]; break;
                case 2: append_code_point(text, 0x80 + below(0x700)); break;
                case 3: append_code_point(text, 0x10000 + below(0xFFFF)); break;
                default: append_code_point(text, 0x20 + below(0x60)); break;
            }
        }
        std::string out = "before";
        protocol::append_json_string(out, text);
        REQUIRE(out.starts_with("before\""));
        REQUIRE(read_back(std::string_view(out).substr(6)) == text);
    }
}

TEST_CASE("pieces make the same string as the whole") {
    std::string out = "\"";
    protocol::append_json_escaped(out, "a\"");
    protocol::append_json_escaped(out, "");
    protocol::append_json_escaped(out, "\nb");
    CHECK(out + "\"" == escaped("a\"\nb"));
}
