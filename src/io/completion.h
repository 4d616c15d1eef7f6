// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What travels through the kernel with an operation and comes back with its completion. Packed into the 64 bits of
// user_data here and nowhere else.
#pragma once

#include <cstdint>

namespace spillway::io {

/// What an operation was. Kept small: it shares user_data with the slot and its generation.
enum class Op : std::uint8_t {
    none,       // completions nobody waits for (a cancel's own)
    accept,     // multishot; result = new descriptor
    recv,       // multishot; result = bytes, 0 = end of input, < 0 = -errno
    send_now,   // inline send of a batch; completes only as an exception
    send_wait,  // send that may wait for room; completes exactly once
    send_zc,    // send without a copy; completes with its result, and with `more` once again as a notification
    wake,       // the ring's own wake-up read; never leaves the ring
};

/// Names the operation's owner: a slot and the life of that slot (24 bits), so that a completion which comes late is
/// recognised and ignored once its resources are released.
struct Token {
    Op op = Op::none;
    std::uint32_t generation = 0;
    std::uint32_t slot = 0;

    [[nodiscard]] constexpr std::uint64_t packed() const {
        return (std::uint64_t{static_cast<std::uint8_t>(op)} << 56) | (std::uint64_t{generation & 0xFFFFFF} << 32) |
               slot;
    }
    [[nodiscard]] static constexpr Token unpack(std::uint64_t v) {
        return {static_cast<Op>(v >> 56), static_cast<std::uint32_t>(v >> 32) & 0xFFFFFF,
                static_cast<std::uint32_t>(v)};
    }
    friend constexpr bool operator==(const Token&, const Token&) = default;
};

/// One completion, copied out of the completion queue.
struct Completion {
    Token token;
    std::int32_t result = 0;       // as the system call would return: >= 0, or -errno
    std::uint16_t buffer = 0;      // valid if has_buffer
    bool has_buffer = false;       // a provided buffer holds the bytes: give it back with Ring::give_back
    bool more = false;             // a multishot operation is still armed; false = re-arm or close, by result
    bool notification = false;     // send_zc: the kernel needs the memory no longer
    bool copied = false;           // of a notification: the kernel had copied the bytes after all
    bool socket_nonempty = false;  // more input was waiting already
};

}  // namespace spillway::io
