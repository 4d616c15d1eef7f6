// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A header line that an operator wants on every webhook: an API key of the receiver, a tenant's name.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace spillway::webhooks {

inline constexpr std::size_t kRequestHeadersMax = 32;
inline constexpr std::size_t kRequestHeaderBytesMax = 4096;

/// "Name: value", or why not: a name that is no token (RFC 9110 section 5.6.2), a value with anything that could begin
/// another line, or a name that is ours to set.
[[nodiscard]] base::Result<std::string> request_header(std::string_view name, std::string_view value);

}  // namespace spillway::webhooks
