// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One response to one request of ours, for the companions of the command line: status, fields, a bounded body. The grammar
// is llhttp's in its strict mode. No sockets, no clock.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "http/request_parser.h"

namespace spillway::http {

class ResponseParser {
public:
    /// Over `limits` (header_bytes, body_bytes): error.
    explicit ResponseParser(const Limits& limits);
    ~ResponseParser();
    ResponseParser(const ResponseParser&) = delete;
    ResponseParser& operator=(const ResponseParser&) = delete;

    /// Takes bytes in the order in which they arrived: need_more, complete or error. `consumed`: how many of `in` belong to
    /// the response; behind a 101 the rest is the other protocol's.
    [[nodiscard]] Outcome feed(std::string_view in, std::size_t& consumed);
    /// The peer sends no more: that completes a body without a length, and is an error else.
    [[nodiscard]] Outcome finish();

    [[nodiscard]] int status() const noexcept;
    /// Value of the first field of this name, in any case.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const noexcept;
    [[nodiscard]] std::string_view body() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spillway::http
