// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Responses, appended to a string that the caller keeps: what is in it already stays (pipelining), and nothing else is
// allocated.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/request.h"

namespace spillway::http {

/// How a response answers its request.
struct Reply {
    bool keep_alive = true;  // false adds "Connection: close"
    bool head_only = false;  // the request was HEAD: the length is told, the body is not sent
    int minor_version = 1;   // of the request: a 1.0 client is told "Connection: keep-alive" when it may go on
    std::span<const Header> headers{};  // added as they are; control bytes in values become blanks
};
/// The Reply that fits this request; add headers or close as needed.
[[nodiscard]] Reply reply_to(const Request& request) noexcept;

/// "Not Found" for 404; "Unknown" for what RFC 9110 and RFC 6585 do not name.
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

/// Appends head and body. 1xx, 204 and 304 get neither body nor length (RFC 9110 section 6.4.1).
/// An empty content_type leaves the field out.
void write_response(std::string& out, int status, std::string_view content_type, std::string_view body,
                    const Reply& reply = {});

/// application/json
void write_json(std::string& out, int status, std::string_view json, const Reply& reply = {});
/// text/plain; charset=utf-8
void write_text(std::string& out, int status, std::string_view text, const Reply& reply = {});

/// "100 Continue".
void write_continue(std::string& out);
/// "101 Switching Protocols" with `Connection: Upgrade` and these headers (Upgrade among them).
void write_switching_protocols(std::string& out, std::span<const Header> headers);

}  // namespace spillway::http
