// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/request_header.h"

#include <algorithm>

#include "base/format.h"

namespace spillway::webhooks {
namespace {

bool is_token(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return result;
}

/// Set by us, or by the connection.
bool is_reserved(std::string_view name) {
    constexpr std::string_view reserved[] = {
        "content-type", "content-length", "transfer-encoding", "host",      "connection", "expect",
        "te",           "trailer",        "upgrade",           "keep-alive"};
    const std::string key = lower(name);
    return key.starts_with("x-pusher-") || key.starts_with("proxy-") ||
           std::ranges::find(reserved, key) != std::end(reserved);
}

}  // namespace

base::Result<std::string> request_header(std::string_view name, std::string_view value) {
    if (name.empty() || !std::ranges::all_of(name, is_token)) return base::fail("is not the name of a header");
    if (is_reserved(name)) return base::fail("is set by the server itself");
    if (value.empty() || value.front() == ' ' || value.back() == ' ')
        return base::fail("needs a value, without blanks around it");
    if (!std::ranges::all_of(value, [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); }))
        return base::fail("has a value that holds more than printable ASCII");
    if (name.size() + value.size() > kRequestHeaderBytesMax)
        return base::fail(base::concat("is longer than ", kRequestHeaderBytesMax, " bytes"));
    return base::concat(name, ": ", value);
}

}  // namespace spillway::webhooks
