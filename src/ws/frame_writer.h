// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Server frames (RFC 6455 section 5.2): unmasked, so that one encoding serves every receiver; a client's, masked, for the
// companions of the command line. Headers go into the
// caller's bytes; nothing is allocated but the growth of a string that the caller gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ws/opcode.h"

namespace spillway::ws {

/// The longest header a server writes.
inline constexpr std::size_t kServerHeaderBytesMax = 10;

/// Bytes of the header in front of that many bytes of payload: 2, 4 or 10.
[[nodiscard]] constexpr std::size_t header_size(std::uint64_t payload_bytes) {
    return payload_bytes < 126 ? 2 : payload_bytes <= 0xFFFF ? 4 : 10;
}

/// Writes header_size(payload_bytes) bytes to `out` and returns that number. payload_bytes is below 2^63, and at most
/// 125 with `fin` for a control opcode.
constexpr std::size_t write_header(std::byte* out, Opcode opcode, std::uint64_t payload_bytes, bool fin = true) {
    out[0] = static_cast<std::byte>((fin ? 0x80U : 0U) | static_cast<unsigned>(opcode));
    const std::size_t size = header_size(payload_bytes);
    if (size == 2) {
        out[1] = static_cast<std::byte>(payload_bytes);
        return size;
    }
    out[1] = static_cast<std::byte>(size == 4 ? 126 : 127);
    for (std::size_t i = size; i > 2; --i) {
        out[i - 1] = static_cast<std::byte>(payload_bytes & 0xFF);
        payload_bytes >>= 8;
    }
    return size;
}

/// Appends one whole frame. A control payload over 125 bytes is a fault of the caller (assertion).
void append_frame(std::string& out, Opcode opcode, std::span<const std::byte> payload, bool fin = true);
void append_frame(std::string& out, Opcode opcode, std::string_view payload, bool fin = true);

inline void append_text(std::string& out, std::string_view payload) { append_frame(out, Opcode::text, payload); }
inline void append_ping(std::string& out, std::string_view payload) { append_frame(out, Opcode::ping, payload); }
inline void append_pong(std::string& out, std::span<const std::byte> payload) {
    append_frame(out, Opcode::pong, payload);
}

/// Appends one whole frame as a client sends it, masked with the four bytes of `key`, which must be unpredictable (RFC 6455
/// section 10.3). A control payload over 125 bytes is a fault of the caller (assertion).
void append_client_frame(std::string& out, Opcode opcode, std::string_view payload, std::uint32_t key);

/// Appends a close frame. Code 0 writes one without a body; a code that may not stand on the wire becomes 1011. The
/// reason is cut at a character border so that code and reason fit into 125 bytes.
void append_close(std::string& out, std::uint16_t code, std::string_view reason = {});

}  // namespace spillway::ws
