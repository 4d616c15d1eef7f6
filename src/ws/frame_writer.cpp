// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "ws/frame_writer.h"

#include <cstring>

#include <spillway/limits.h>

#include "base/assert.h"
#include "ws/close_code.h"

namespace spillway::ws {
namespace {

constexpr std::size_t kCloseReasonBytesMax = kControlPayloadMax - 2;

/// Cuts to at most `bytes_max` without cutting a character: what remains ends before a leading byte.
std::string_view cut_at_character(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    std::size_t end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end);
}

}  // namespace

void append_frame(std::string& out, Opcode opcode, std::string_view payload, bool fin) {
    SPILLWAY_ASSERT(!is_control(opcode) || (fin && payload.size() <= kControlPayloadMax));
    std::byte header[kServerHeaderBytesMax];
    const std::size_t header_bytes = write_header(header, opcode, payload.size(), fin);
    out.append(reinterpret_cast<const char*>(header), header_bytes);
    out.append(payload);
}

void append_frame(std::string& out, Opcode opcode, std::span<const std::byte> payload, bool fin) {
    append_frame(out, opcode, std::string_view(reinterpret_cast<const char*>(payload.data()), payload.size()), fin);
}

void append_client_frame(std::string& out, Opcode opcode, std::string_view payload, std::uint32_t key) {
    SPILLWAY_ASSERT(!is_control(opcode) || payload.size() <= kControlPayloadMax);
    std::byte header[kServerHeaderBytesMax];
    const std::size_t header_bytes = write_header(header, opcode, payload.size());
    header[1] |= std::byte{0x80};
    out.append(reinterpret_cast<const char*>(header), header_bytes);
    char mask[sizeof key];
    std::memcpy(mask, &key, sizeof key);
    out.append(mask, sizeof mask);
    const std::size_t begin = out.size();
    out.append(payload);
    for (std::size_t i = 0; i < payload.size(); ++i) {
        out[begin + i] = static_cast<char>(out[begin + i] ^ mask[i % sizeof mask]);
    }
}

void append_close(std::string& out, std::uint16_t code, std::string_view reason) {
    if (code == 0) {
        append_frame(out, Opcode::close, std::string_view{});
        return;
    }
    if (!is_valid_on_wire(code)) code = close_code::kInternal;
    reason = cut_at_character(reason, kCloseReasonBytesMax);
    std::byte head[kServerHeaderBytesMax + 2];
    std::size_t size = write_header(head, Opcode::close, reason.size() + 2);
    head[size++] = static_cast<std::byte>(code >> 8);
    head[size++] = static_cast<std::byte>(code & 0xFF);
    out.append(reinterpret_cast<const char*>(head), size);
    out.append(reason);
}

}  // namespace spillway::ws
