// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes in, requests out. The grammar is llhttp's in its strict mode; in front of it stands what a server on a shared
// port must add: exact limits, the refusal of every head that two programs might read differently (request smuggling),
// and the early refusal of what is no HTTP/1 at all. No sockets, no clock.
//
// A parser is pooled: it is lent to a connection while a request is incomplete or being answered and taken back when
// idle(). It keeps its buffers, so that small requests allocate nothing once it has warmed up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <spillway/limits.h>

#include "http/request.h"

namespace spillway::http {

/// Exactly this much is accepted; one more is refused.
struct Limits {
    /// Request line and field lines with their line ends, without the empty line that ends the head. Over it: 431,
    /// or 414 when the request line alone is over it.
    std::size_t header_bytes = kHeaderBytesDefault;
    /// Field lines. Over it: 431.
    std::size_t headers = kHeadersDefault;
    /// Bytes of the body, after chunks are joined. Over it: 413, as soon as it is announced.
    std::size_t body_bytes = kMiB;
};

enum class Outcome : std::uint8_t {
    need_more,
    /// The head is complete, asks for "100 Continue" and the body is outstanding: write that (or refuse), then feed on.
    /// Told at most once per request.
    head_complete_expecting_continue,
    complete,
    /// status() and reason() say what to answer; the connection must be closed after it.
    error,
};

class RequestParser {
public:
    explicit RequestParser(const Limits& limits);
    ~RequestParser();
    RequestParser(RequestParser&&) noexcept;
    RequestParser& operator=(RequestParser&&) noexcept;

    /// Takes bytes in the order in which they arrived. `consumed` is set to how many of `in` belong to this request (all
    /// of them for need_more and error). After complete, the rest of `in` is the next request, or WebSocket when
    /// request().upgrade; call next() before feeding again. After error only reset() helps: feeding again
    /// consumes everything and repeats the error.
    [[nodiscard]] Outcome feed(std::span<const std::byte> in, std::size_t& consumed);

    /// Valid from the end of the head (head_complete()) on; the body is there when complete.
    [[nodiscard]] const Request& request() const noexcept;
    [[nodiscard]] bool head_complete() const noexcept;

    /// Nothing of a request has been seen since construction, next() or reset(): the parser may be given back.
    [[nodiscard]] bool idle() const noexcept;

    /// Forgets the request that was completed and gets ready for the one behind it. Views into it die.
    void next();
    /// As next(), from any state, with new limits if given: for the next connection.
    void reset();
    void reset(const Limits& limits);

    /// After error: 400, 413, 414, 417, 431, 501 or 505, and a sentence without the peer's bytes in it.
    [[nodiscard]] int status() const noexcept;
    [[nodiscard]] std::string_view reason() const noexcept;

    /// Bytes of memory this parser keeps at the moment, for the memory budget.
    [[nodiscard]] std::size_t bytes_held() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spillway::http
