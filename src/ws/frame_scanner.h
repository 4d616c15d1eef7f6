// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Finds the borders of a peer's frames and judges their headers: what may follow what, and how long it may be
// (RFC 6455 sections 5.2, 5.4, 5.5). A header is judged byte by byte, each rule as soon as the byte that breaks it has
// come, so that every way of splitting the input ends the same and a lie about a length costs nothing. Payloads are none
// of its business.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ws/message_limits.h"
#include "ws/opcode.h"

namespace spillway::ws {

/// Why a peer's bytes end its connection: the code for our close frame and a fixed sentence. Code 0: they do not.
struct Failure {
    std::uint16_t code = 0;
    std::string_view reason = {};

    explicit operator bool() const { return code != 0; }
};

inline constexpr std::size_t kMaskKeyBytes = 4;
/// First two bytes, 64-bit length, masking key.
inline constexpr std::size_t kClientHeaderBytesMax = 2 + 8 + kMaskKeyBytes;

/// What the first two bytes of a frame say.
struct FrameStart {
    bool fin = false;
    bool rsv = false;  // any of the three reserved bits
    bool masked = false;
    Opcode opcode = Opcode::continuation;  // as it came: perhaps no enumerator
    unsigned short_length = 0;             // 126 and 127 announce 2 and 8 bytes of length

    [[nodiscard]] static constexpr FrameStart parse(std::byte first, std::byte second) {
        const auto a = static_cast<unsigned>(first);
        const auto b = static_cast<unsigned>(second);
        return {.fin = (a & 0x80) != 0,
                .rsv = (a & 0x70) != 0,
                .masked = (b & 0x80) != 0,
                .opcode = static_cast<Opcode>(a & 0x0F),
                .short_length = b & 0x7F};
    }
    [[nodiscard]] constexpr std::size_t length_bytes() const {
        return short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
    }
};

/// The number in the first bytes at `p`, most significant first; at most eight.
[[nodiscard]] constexpr std::uint64_t read_big_endian(const std::byte* p, std::size_t bytes) {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < bytes; ++i) number = (number << 8) | static_cast<unsigned>(p[i]);
    return number;
}

/// Who sends the frames: a client masks each, a server none (RFC 6455 section 5.1).
enum class Peer : std::uint8_t { client, server };

class FrameScanner {
public:
    explicit FrameScanner(Peer peer = Peer::client) : peer_(peer) {}

    /// Takes bytes up to the end of the header at most and returns how many. After a failure the scanner is of no use.
    std::size_t take_header(std::span<const std::byte> in, const MessageLimits& limits, Failure& failure);

    /// From here until the payload has passed, the frame's header can be asked for.
    [[nodiscard]] bool header_whole() const { return header_whole_; }
    [[nodiscard]] std::span<const std::byte> header() const { return {header_.data(), header_bytes_}; }
    /// Four bytes; zeros for a server's frames.
    [[nodiscard]] const std::byte* mask_key() const {
        return peer_ == Peer::client ? &header_[header_bytes_ - kMaskKeyBytes] : kNoMask.data();
    }
    [[nodiscard]] Opcode opcode() const { return start_.opcode; }
    [[nodiscard]] bool fin() const { return start_.fin; }

    [[nodiscard]] std::uint64_t payload_left() const { return payload_left_; }
    /// So many bytes of the payload have passed, payload_left() at most.
    void take_payload(std::size_t bytes);
    /// With payload_left() at 0: the next byte begins a header.
    void end_frame();

    /// Of the message under way, which lasts from its first data frame to its last.
    [[nodiscard]] bool message_open() const { return message_open_; }
    [[nodiscard]] Opcode message_opcode() const { return message_opcode_; }
    /// No frame and no message is incomplete.
    [[nodiscard]] bool at_message_boundary() const { return header_bytes_ == 0 && !message_open_; }

private:
    [[nodiscard]] Failure judge_first_byte(const MessageLimits& limits) const;
    [[nodiscard]] Failure judge_second_byte() const;
    [[nodiscard]] Failure judge_length(const MessageLimits& limits) const;
    void open_frame();

    static constexpr std::array<std::byte, kMaskKeyBytes> kNoMask{};

    Peer peer_;
    std::array<std::byte, kClientHeaderBytesMax> header_{};
    std::uint8_t header_bytes_ = 0;
    bool header_whole_ = false;
    FrameStart start_;
    std::uint64_t payload_left_ = 0;

    bool message_open_ = false;
    Opcode message_opcode_ = Opcode::text;
    std::uint32_t fragments_ = 0;
    std::uint64_t announced_bytes_ = 0;  // sum of the lengths in the message's frame headers
};

}  // namespace spillway::ws
