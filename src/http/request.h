// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One HTTP/1.x request as the rest of the program sees it: views and facts, no parsing and nothing owned.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace spillway::http {

/// One field line. The name keeps the case it was sent in; the value has no white space around it.
struct Header {
    std::string_view name;
    std::string_view value;
};

/// Compares header names, tokens and the like: ASCII letters match in either case, nothing else does.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// True when `token` is an element of the comma-separated `list` (RFC 9110 section 5.6.1), in either case.
[[nodiscard]] bool list_contains(std::string_view list, std::string_view token) noexcept;

/// All views point into storage of the RequestParser that filled it and die with its next(), reset() or destruction.
struct Request {
    std::string_view method;  // as sent: "GET"
    std::string_view target;  // as sent: "/apps/1/events?a=b"
    std::string_view path;    // of the target, still percent-encoded, begins with '/' ("*" for OPTIONS *)
    std::string_view query;   // of the target without '?', still percent-encoded
    int minor_version = 1;    // of HTTP/1.x: 0 or 1
    std::span<const Header> headers;
    std::string_view body;  // decoded from chunks where it came in chunks; empty until complete
    bool keep_alive = false;
    /// Connection names `upgrade` and Upgrade names `websocket`. An offer of any other protocol (h2c, say) is not taken
    /// up: such a request is served as if it had not been made (RFC 9110 section 7.8).
    bool upgrade = false;
    bool expect_continue = false;

    /// Value of the first field of this name, in any case.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const noexcept;
    /// How many field lines have this name.
    [[nodiscard]] std::size_t header_count(std::string_view name) const noexcept;
};

}  // namespace spillway::http
