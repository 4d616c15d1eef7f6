// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "ws/frame_scanner.h"

#include "base/assert.h"
#include "ws/close_code.h"

namespace spillway::ws {
namespace {

Failure protocol_error(std::string_view reason) { return {close_code::kProtocolError, reason}; }

}  // namespace

std::size_t FrameScanner::take_header(std::span<const std::byte> in, const MessageLimits& limits, Failure& failure) {
    SPILLWAY_ASSERT(!header_whole_);
    std::size_t taken = 0;
    while (taken < in.size()) {
        header_[header_bytes_++] = in[taken++];
        if (header_bytes_ == 1) {
            start_ = FrameStart::parse(header_[0], std::byte{0});
            if ((failure = judge_first_byte(limits))) return taken;
            continue;
        }
        if (header_bytes_ == 2) {
            start_ = FrameStart::parse(header_[0], header_[1]);
            if ((failure = judge_second_byte())) return taken;
        }
        const std::size_t length_bytes = start_.length_bytes();
        if (header_bytes_ == 2 + length_bytes) {
            payload_left_ = length_bytes == 0 ? start_.short_length : read_big_endian(&header_[2], length_bytes);
            if ((failure = judge_length(limits))) return taken;
        }
        if (header_bytes_ == 2 + length_bytes + (peer_ == Peer::client ? kMaskKeyBytes : 0)) {
            open_frame();
            return taken;
        }
    }
    return taken;
}

Failure FrameScanner::judge_first_byte(const MessageLimits& limits) const {
    if (start_.rsv) return protocol_error("reserved bits are set without an extension");
    switch (start_.opcode) {
        case Opcode::continuation:
            if (!message_open_) return protocol_error("continuation of no message");
            break;
        case Opcode::text:
        case Opcode::binary:
            if (message_open_) return protocol_error("a new message inside a fragmented one");
            break;
        case Opcode::close:
        case Opcode::ping:
        case Opcode::pong:
            if (!start_.fin) return protocol_error("fragmented control frame");
            return {};
        default: return protocol_error("reserved opcode");
    }
    const std::uint32_t fragments = message_open_ ? fragments_ : 0;
    if (fragments >= limits.fragments) return {close_code::kPolicy, "too many fragments"};
    return {};
}

Failure FrameScanner::judge_second_byte() const {
    if (start_.masked != (peer_ == Peer::client)) {
        return protocol_error(start_.masked ? "frame from a server is masked" : "frame from a client is not masked");
    }
    if (is_control(start_.opcode) && start_.short_length > kControlPayloadMax)
        return protocol_error("control frame over 125 bytes");
    if (start_.opcode == Opcode::close && start_.short_length == 1) {
        return protocol_error("a close payload is empty or begins with a code");
    }
    return {};
}

/// The sum of all fragments is compared by subtraction: a sum could wrap.
Failure FrameScanner::judge_length(const MessageLimits& limits) const {
    if ((start_.short_length == 126 && payload_left_ < 126) ||
        (start_.short_length == 127 && payload_left_ <= 0xFFFF)) {
        return protocol_error("frame length in a longer form than needed");
    }
    if ((payload_left_ >> 63) != 0) return protocol_error("frame length has its highest bit set");
    if (is_control(start_.opcode)) return {};
    const std::uint64_t before = message_open_ ? announced_bytes_ : 0;
    if (before > limits.message_bytes || payload_left_ > limits.message_bytes - before) {
        return {close_code::kTooBig, "message too big"};
    }
    return {};
}

/// The header has passed: a data frame becomes part of its message.
void FrameScanner::open_frame() {
    header_whole_ = true;
    if (is_control(start_.opcode)) return;
    if (!message_open_) {
        message_open_ = true;
        message_opcode_ = start_.opcode;
        fragments_ = 0;
        announced_bytes_ = 0;
    }
    ++fragments_;
    announced_bytes_ += payload_left_;
}

void FrameScanner::take_payload(std::size_t bytes) {
    SPILLWAY_ASSERT(header_whole_ && bytes <= payload_left_);
    payload_left_ -= bytes;
}

void FrameScanner::end_frame() {
    SPILLWAY_ASSERT(header_whole_ && payload_left_ == 0);
    header_whole_ = false;
    header_bytes_ = 0;
    if (!is_control(start_.opcode) && start_.fin) message_open_ = false;
}

}  // namespace spillway::ws
