// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Eight bytes at a time: a word of plain bytes is copied as one. A word with an escape in it goes byte by byte
// through a table, without a branch: each byte stores a whole entry and advances by what counts of it, so that the
// next byte's look-up does not wait.
#include "protocol/json_escape.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace spillway::protocol {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::size_t kEscapeBytesMax = 6;  // \u001f
constexpr std::size_t kBlockBytes = 512;    // input between two looks at the room left

/// What stands for a byte: itself or its escape, and how long that is.
struct Written {
    char text[kWord - 1] = {};
    std::uint8_t bytes = 0;
};
static_assert(sizeof(Written) == kWord, "stored as one word");

constexpr std::array<Written, 256> kWritten = [] {
    std::array<Written, 256> table{};
    constexpr char hex[] = "0123456789abcdef";
    for (unsigned c = 0; c < 256; ++c) table[c] = {{static_cast<char>(c)}, 1};
    for (unsigned c = 0; c < 0x20; ++c) table[c] = {{'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, kEscapeBytesMax};
    const auto put_short = [&table](char byte, char letter) {
        table[static_cast<unsigned char>(byte)] = {{'\\', letter}, 2};
    };
    put_short('"', '"');
    put_short('\\', '\\');
    put_short('\b', 'b');
    put_short('\f', 'f');
    put_short('\n', 'n');
    put_short('\r', 'r');
    put_short('\t', 't');
    return table;
}();

/// Whether any byte of the word needs an escape.
bool needs_escape(std::uint64_t word) {
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t tops = ones * 0x80;
    // The top bit of a byte of (w - n) & ~w: the byte is less than n (or a byte below it was, which is as good here).
    const auto zero_bytes = [](std::uint64_t w) { return (w - ones) & ~w; };
    const std::uint64_t control = (word - ones * 0x20) & ~word;
    return ((control | zero_bytes(word ^ (ones * '"')) | zero_bytes(word ^ (ones * '\\'))) & tops) != 0;
}

char* write_byte(char* out, char byte) {
    const Written& written = kWritten[static_cast<unsigned char>(byte)];
    std::memcpy(out, &written, kWord);
    return out + written.bytes;
}

/// Writes up to kWord bytes behind the end it returns.
char* escape_block(char* out, const char* in, const char* end) {
    for (; static_cast<std::size_t>(end - in) >= kWord; in += kWord) {
        std::uint64_t word;
        std::memcpy(&word, in, kWord);
        if (needs_escape(word)) {
            for (std::size_t i = 0; i < kWord; ++i) out = write_byte(out, in[i]);
        } else {
            std::memcpy(out, &word, kWord);
            out += kWord;
        }
    }
    while (in != end) out = write_byte(out, *in++);
    return out;
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const std::string_view block = text.substr(0, kBlockBytes);
        text.remove_prefix(block.size());
        const std::size_t before = out.size();
        // All that is left, were it plain, and what this block needs at worst: short events get by with one allocation.
        const std::size_t room = before + text.size() + block.size() * kEscapeBytesMax + kWord;
        out.resize_and_overwrite(room, [&](char* data, std::size_t) {
            return static_cast<std::size_t>(escape_block(data + before, block.data(), block.data() + block.size()) -
                                            data);
        });
    }
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    append_json_escaped(out, text);
    out += '"';
}

}  // namespace spillway::protocol
